"""Reads a zip or jar file within bounds: nothing is unpacked to disk, and no entry can take more than is allowed.

After PKWARE's APPNOTE 6.3: the end of the central directory is looked for from the end, then the directory alone says
what there is. What a zip bomb needs is refused before anything is unpacked: entries that share bytes, entries without
end, sizes without end.
"""

from __future__ import annotations

import os
import stat
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

_MOST_ENTRIES: Final = 65_000
_MOST_FILE_BYTES: Final = 512 * 1024 * 1024
_MOST_BYTES: Final = 1024 * 1024 * 1024
_MOST_ENTRY_BYTES: Final = 64 * 1024 * 1024
_LONGEST_NAME: Final = 4_096
_LONGEST_END: Final = 22 + 65_535
_MOST_DIRECTORY_BYTES: Final = 32 * 1024 * 1024

_END: Final = struct.Struct("<4s4H2LH")
_END_64: Final = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64: Final = struct.Struct("<4sLQL")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_LOCAL: Final = struct.Struct("<4s5H3L2H")
_STORED, _DEFLATED = 0, 8
_ENCRYPTED: Final = 0x1


class ArchiveError(Exception):
    """A file is no zip, is damaged, or wants more than is allowed; the message says what, without the file's name."""


class Entry(NamedTuple):
    """Where an entry stands, and what it is to become."""

    method: int
    checksum: int
    packed: int
    size: int
    offset: int


class Archive:
    """An open zip file; a context manager. Raises `ArchiveError` and `OSError`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._held = b""
        self.duplicates: list[str] = []
        """Names that more than one entry has."""
        self.entries: Mapping[str, Entry] = {}
        """Each entry by its name; folders are left out."""
        # Without O_NONBLOCK, opening a pipe waits for somebody who writes.
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            self.size = _plain(os.fstat(self._file))
            self.entries = self._directory()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; nothing can be read any more."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def forget(self) -> None:
        """Forget the names of the entries, where somebody else remembers what is of use."""
        self.entries = {}

    def read(self, name: str) -> bytes:
        """Return what an entry holds. Raises `ArchiveError` where it is damaged, `KeyError` where there is none."""
        return self.unpack(self.entries[name], name)

    def hold(self) -> None:
        """Read the file into memory, for one who is to unpack most of it; until `let_go`."""
        self._held = os.pread(self._file, self.size, 0)

    def let_go(self) -> None:
        """Give the memory back."""
        self._held = b""

    def unpack(self, entry: Entry, name: str) -> bytes:
        """Return what stands at an entry of this file; `name` is for messages alone."""
        try:
            head = _LOCAL.unpack(self._at(entry.offset, _LOCAL.size))
        except struct.error:
            raise ArchiveError(f"{name}: begins beyond the end of the file") from None
        if head[0] != b"PK\3\4":
            raise ArchiveError(f"{name}: there is no entry where the directory says")
        packed = self._at(entry.offset + _LOCAL.size + head[9] + head[10], entry.packed)
        if len(packed) < entry.packed:
            raise ArchiveError(f"{name}: ends beyond the end of the file")
        data = packed if entry.method == _STORED else _inflated(packed, entry.size, name)
        if len(data) != entry.size or zlib.crc32(data) != entry.checksum:
            raise ArchiveError(f"{name}: is damaged: its length or checksum is another than its directory says")
        return data

    def _at(self, offset: int, size: int) -> bytes:
        if self._held:
            return self._held[offset : offset + size]
        return os.pread(self._file, size, offset) if 0 <= offset <= self.size else b""

    def _directory(self) -> dict[str, Entry]:
        count, size, begins = self._end()
        if count > _MOST_ENTRIES:
            raise ArchiveError(f"has {count:,} entries; {_MOST_ENTRIES:,} are read at most")
        if size > min(self.size, _MOST_DIRECTORY_BYTES) or begins > self.size:
            raise ArchiveError("is no whole zip file: its directory stands beyond its end")
        data = self._at(begins, size)
        found: dict[str, Entry] = {}
        position = packed = unpacked = 0
        for _ in range(count):
            row = _row(data, position)
            at = position + _CENTRAL.size
            # Keys are names of classes: letters beyond ASCII are rare, and Java writes UTF-8 whatever the flag says.
            name = data[at : at + row[10]].decode("utf-8", "backslashreplace")
            position = at + row[10] + row[11] + row[12]
            if name.endswith("/"):
                continue
            entry = Entry(row[4], row[7], row[8], row[9], row[16])
            if 0xFFFFFFFF in entry[2:]:
                entry = _wide(entry, data[at + row[10] : at + row[10] + row[11]])
            _allowed(name, entry, row[3])
            packed += entry.packed
            unpacked += entry.size
            if name in found:
                self.duplicates.append(name)
            found[name] = entry
        if packed > self.size:
            raise ArchiveError("is a zip bomb: its entries share bytes, so together they are longer than the file")
        if unpacked > _MOST_BYTES:
            raise ArchiveError(f"unpacks to {unpacked:,} bytes; {_MOST_BYTES:,} are allowed")
        return found

    def _end(self) -> tuple[int, int, int]:
        """Return how many entries there are, and how long the directory is and where it begins."""
        tail = self._at(max(0, self.size - _LONGEST_END), _LONGEST_END)
        at = tail.rfind(b"PK\5\6")
        if at < 0 or len(tail) - at < _END.size:
            raise ArchiveError("is no zip file, or only the beginning of one")
        _, disk, _, _, count, size, begins, _ = _END.unpack_from(tail, at)
        if disk not in {0, 0xFFFF}:
            raise ArchiveError("is one of several parts of a zip file")
        if (count == 0xFFFF or 0xFFFFFFFF in {size, begins}) and at >= _LOCATOR_64.size:
            signature, _, where, _ = _LOCATOR_64.unpack_from(tail, at - _LOCATOR_64.size)
            if signature == b"PK\6\7":
                wide = self._at(where, _END_64.size)
                if len(wide) < _END_64.size or wide[:4] != b"PK\6\6":
                    raise ArchiveError("is no whole zip file: the end of its directory is damaged")
                return _END_64.unpack(wide)[7:10]
        return count, size, begins


def _plain(found: os.stat_result) -> int:
    """Return the size of a plain file that may be read."""
    if not stat.S_ISREG(found.st_mode):
        raise ArchiveError("is no plain file")
    if found.st_size > _MOST_FILE_BYTES:
        raise ArchiveError(f"has {found.st_size:,} bytes; {_MOST_FILE_BYTES:,} are read at most")
    return found.st_size


def _row(data: bytes, position: int) -> tuple[Any, ...]:
    try:
        row = _CENTRAL.unpack_from(data, position)
    except struct.error:
        raise ArchiveError("is no whole zip file: its directory is cut") from None
    if row[0] != b"PK\1\2" or row[10] > _LONGEST_NAME:
        raise ArchiveError("is no whole zip file: its directory is damaged")
    return row


def _allowed(name: str, entry: Entry, flags: int) -> None:
    if flags & _ENCRYPTED:
        raise ArchiveError(f"{name}: is encrypted")
    if entry.method not in {_STORED, _DEFLATED}:
        raise ArchiveError(f"{name}: is packed by method {entry.method}, which Java does not know")
    if entry.size > _MOST_ENTRY_BYTES:
        raise ArchiveError(f"{name}: unpacks to {entry.size:,} bytes; {_MOST_ENTRY_BYTES:,} are allowed")


def _wide(entry: Entry, extra: bytes) -> Entry:
    """Take what does not fit 32 bits from the extra field 0x0001."""
    position = 0
    while position + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, position)
        if kind == 1:
            numbers = [
                int.from_bytes(extra[at : at + 8], "little")
                for at in range(position + 4, min(position + 4 + size, len(extra)), 8)
            ]
            values = [numbers.pop(0) if value == 0xFFFFFFFF and numbers else value for value in (entry[3], entry[2])]
            offset = numbers.pop(0) if entry.offset == 0xFFFFFFFF and numbers else entry.offset
            return entry._replace(size=values[0], packed=values[1], offset=offset)
        position += 4 + size
    return entry


def _inflated(packed: bytes, size: int, name: str) -> bytes:
    unpacking = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        return unpacking.decompress(packed, size + 1)  # one more shows that there is more than was said
    except zlib.error as error:
        raise ArchiveError(f"{name}: is damaged: {error}") from None
