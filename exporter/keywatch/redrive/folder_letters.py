"""Reads the letters of one folder, oldest first, in bounded memory however many files there are."""

from __future__ import annotations

import hashlib
import heapq
import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from keywatch.probes.dead_letters.files.file import MOST_READ, Flaw, Mark, flaw_of, kind
from keywatch.redrive.dialects import event_of
from keywatch.redrive.errors import BadInputError
from keywatch.redrive.letter import Letter, Origin, Place, Raw
from keywatch.redrive.refusal import Refusal

# The oldest ones of a pass; 1,000,000 files take ten passes, of a second each.
_MOST_HELD: Final = 100_000
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_CHUNK = 1 << 18
_NUMBERS = re.compile(r"\d+")
_ID_BYTES: Final = 16
# Whoever writes a file in place may have written half of it.
_SETTLED_SECONDS: Final = 5.0

Order = tuple[int, str]
"""What files are sorted by: milliseconds of their name, then the name with its numbers written equally long."""


class FileLetter(NamedTuple):
    """What one file holds: its letter and id, or why it cannot be read; `mark` tells whether it changed since."""

    name: str
    letter: Letter | None
    id: str
    mark: Mark | None
    refusal: Refusal | None = None


class FolderLetters:
    """The files of one folder whose whole names match; what came after the first pass began is left for another run."""

    def __init__(self, queue: str, path: Path, pattern: str) -> None:
        self.queue = queue
        self.path = path
        self._pattern = re.compile(pattern, re.DOTALL)
        self._timed = "millis" in self._pattern.groupindex

    def check(self, *, write: bool) -> None:
        """Raise `BadInputError` unless the folder can be read, and with `write`, files in it can be moved."""
        if not self.path.is_dir():
            raise BadInputError(f"{self.path}: there is no such folder")
        needed = os.R_OK | os.X_OK | (os.W_OK if write else 0)
        if not os.access(self.path, needed):
            raise BadInputError(
                f"{self.path}: may not be {'written' if write else 'read'}, so no file can be moved out"
            )
        if write and os.statvfs(self.path).f_flag & os.ST_RDONLY:
            raise BadInputError(f"{self.path}: the file system is read-only, so no file can be moved out")

    def names(self) -> Iterator[str]:
        """Return the names, oldest first."""
        last: Order | None = None
        end: Order | None = None
        while True:
            held, newest = self._pass(last, end)
            end = end or newest
            for order, name in held:
                last = order
                yield name
            if len(held) < _MOST_HELD:
                return

    def count(self) -> int:
        """Return how many there are; raises `OSError`."""
        with os.scandir(self.path) as entries:
            return sum(1 for entry in entries if self._pattern.fullmatch(entry.name))

    def millis(self, name: str) -> int | None:
        """Return when a file was written, by its name; None where the name does not tell."""
        match = self._pattern.fullmatch(name)
        said = match["millis"] if match and self._timed else None
        return int(said) if said and said.isascii() and said.isdigit() and len(said) < 16 else None

    def read(self, name: str) -> FileLetter:
        """Read one file; never raises for what is wrong with it."""
        mark: Mark | None = None
        try:
            found = (self.path / name).lstat()
            mark = Mark(found.st_ino, found.st_size, found.st_mtime_ns)
            if kind(found.st_mode) is not None or found.st_size > MOST_READ:
                return FileLetter(name, None, "", mark, Refusal.UNREADABLE)
            content = self._content(name)
        except OSError as error:
            if flaw_of(error) is Flaw.VANISHED:
                return FileLetter(name, None, "", None)
            return FileLetter(name, None, "", mark, Refusal.UNREADABLE)
        if len(content) > MOST_READ:
            return FileLetter(name, None, "", mark, Refusal.UNREADABLE)
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape") + b"\0" + content).digest()
        event = _event(content)
        if event is None:
            return FileLetter(name, None, "", mark, Refusal.MALFORMED)
        origin, key, value = event
        raw = Raw(None, content, (), self.millis(name) or found.st_mtime_ns // 1_000_000)
        letter = Letter(Place(self.queue, -1, -1, name), raw, "listener", origin, key, value, ())
        return FileLetter(name, letter, digest[:_ID_BYTES].hex(), mark)

    def unchanged(self, file: FileLetter) -> bool:
        """Return whether the file is still what was read."""
        try:
            found = (self.path / file.name).lstat()
        except OSError:
            return False
        return Mark(found.st_ino, found.st_size, found.st_mtime_ns) == file.mark

    def being_written(self, file: FileLetter) -> bool:
        """Return whether the file changed so lately that somebody may be writing it."""
        return file.mark is not None and time.time() - file.mark.modified / 1e9 < _SETTLED_SECONDS

    def _pass(self, after: Order | None, end: Order | None) -> tuple[list[tuple[Order, str]], Order | None]:
        """Return the oldest files after `after`, up to `end`, and the order of the newest of all."""
        newest: Order | None = None

        def wanted() -> Iterator[tuple[Order, str]]:
            nonlocal newest
            with os.scandir(self.path) as entries:
                for entry in entries:
                    if self._pattern.fullmatch(entry.name) is None:
                        continue
                    order = self._order(entry)
                    newest = order if newest is None else max(newest, order)
                    if (after is None or order > after) and (end is None or order <= end):
                        yield order, entry.name

        try:
            return heapq.nsmallest(_MOST_HELD, wanted()), newest
        except OSError as error:
            raise BadInputError(f"{self.path}: cannot be read: {error.strerror}") from error

    def _order(self, entry: os.DirEntry[str]) -> Order:
        millis = self.millis(entry.name)
        if millis is None:
            try:
                millis = entry.stat(follow_symlinks=False).st_mtime_ns // 1_000_000
            except OSError:
                millis = 0
        return millis, _NUMBERS.sub(lambda number: number[0].rjust(20, "0"), entry.name)

    def _content(self, name: str) -> bytes:
        descriptor = os.open(self.path / name, _FLAGS)
        try:
            parts: list[bytes] = []
            left = MOST_READ + 1
            while left > 0 and (part := os.read(descriptor, min(left, _CHUNK))):
                parts.append(part)
                left -= len(part)
        finally:
            os.close(descriptor)
        return b"".join(parts)


def _event(content: bytes) -> tuple[Origin | None, bytes | None, bytes] | None:
    try:
        return event_of(json.loads(content))
    except (ValueError, RecursionError):
        return None
