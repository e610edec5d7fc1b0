"""Reads the classes of a Java runtime from its `lib/modules`, as OpenJDK's jimage format lays them down.

The layout is that of `jdk.internal.jimage` (BasicImageReader, ImageHeader, ImageLocation), version 1.0, which Java 9 to
25 have: a header, a table of redirects, one of offsets, attributes of each location, texts, then the contents.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Final

_MAGIC: Final = 0xCAFEDADA
_HEADER: Final = struct.Struct("<7L")
_MOST_INDEX_BYTES: Final = 64 * 1024 * 1024
_MOST_LOCATIONS: Final = 400_000
_END, _PARENT, _BASE, _EXTENSION, _OFFSET, _COMPRESSED, _UNCOMPRESSED = 0, 2, 3, 4, 5, 6, 7
_MOST_CLASS_BYTES: Final = 16 * 1024 * 1024


class ImageError(Exception):
    """A file is no such image."""


class Image:
    """An open image; raises `ImageError` and `OSError` when it is made."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        self._places: dict[str, tuple[int, int] | None] = {}
        try:
            self._read_index()
        except (struct.error, IndexError, ValueError) as error:
            self.close()
            raise ImageError("is no image of Java's modules, or a damaged one") from error
        except BaseException:
            self.close()
            raise

    def __contains__(self, name: str) -> bool:
        """Return whether there is such a class, such as `java/lang/String`."""
        return name in self._places

    def read(self, name: str) -> bytes | None:
        """Return a class file; None where there is none, or the image holds it compressed."""
        place = self._places.get(name)
        return None if place is None else os.pread(self._file, place[1], place[0])

    def close(self) -> None:
        """Close the file; nothing can be read any more."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _read_index(self) -> None:
        magic, _, _, _, length, locations_size, strings_size = _HEADER.unpack(os.pread(self._file, _HEADER.size, 0))
        if magic != _MAGIC or length > _MOST_LOCATIONS or locations_size + strings_size > _MOST_INDEX_BYTES:
            raise ImageError("is no image of Java's modules for this machine")
        size = _HEADER.size + 8 * length + locations_size + strings_size
        data = os.pread(self._file, size, 0)
        offsets = struct.unpack_from(f"<{length}L", data, _HEADER.size + 4 * length)
        locations = _HEADER.size + 8 * length
        strings = locations + locations_size
        texts: dict[int, str] = {}

        def text(offset: int) -> str:
            if offset not in texts:
                begin = strings + offset
                texts[offset] = data[begin : data.index(b"\0", begin)].decode("utf-8", "replace")
            return texts[offset]

        for offset in offsets:
            attributes = [0] * 8
            at = locations + offset
            while (kind := data[at] >> 3) != _END:
                width = (data[at] & 7) + 1
                attributes[kind] = int.from_bytes(data[at + 1 : at + 1 + width], "big")
                at += 1 + width
            if text(attributes[_EXTENSION]) != "class":
                continue
            plain = not attributes[_COMPRESSED] and attributes[_UNCOMPRESSED] <= _MOST_CLASS_BYTES
            place = (size + attributes[_OFFSET], attributes[_UNCOMPRESSED]) if plain else None
            self._places[f"{text(attributes[_PARENT])}/{text(attributes[_BASE])}"] = place
