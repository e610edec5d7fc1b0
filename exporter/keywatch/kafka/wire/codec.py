"""The primitive types of the Kafka protocol, classic and flexible (https://kafka.apache.org/protocol, KIP-482)."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import Any, TypeVar

_T = TypeVar("_T")
# The newest versions of the protocol have five or so in one place.
_MOST_TAGS = 100
_INT8, _INT16, _INT32, _INT64 = (struct.Struct(code) for code in (">b", ">h", ">i", ">q"))


@lru_cache(maxsize=256)
def _int32s(count: int) -> struct.Struct:
    return struct.Struct(f">{count}i")


class WireError(Exception):
    """The bytes are not what the Kafka protocol says they should be."""


class ReplyTooLargeError(WireError):
    """A reply of `size` bytes is announced, which is more than may be read."""

    def __init__(self, size: int) -> None:
        super().__init__(f"not the Kafka protocol, or too much: a reply of {size} bytes is announced")
        self.size = size


class Writer:
    """Builds a request; `flexible` chooses compact strings and arrays with tagged fields."""

    def __init__(self, *, flexible: bool = False) -> None:
        self._parts: list[bytes] = []
        self._flexible = flexible

    def int8(self, value: int) -> Writer:
        """Append one byte."""
        self._parts.append(_INT8.pack(value))
        return self

    def int16(self, value: int) -> Writer:
        """Append two bytes."""
        self._parts.append(_INT16.pack(value))
        return self

    def int32(self, value: int) -> Writer:
        """Append four bytes."""
        self._parts.append(_INT32.pack(value))
        return self

    def int64(self, value: int) -> Writer:
        """Append eight bytes."""
        self._parts.append(_INT64.pack(value))
        return self

    def boolean(self, value: bool) -> Writer:
        """Append a byte that is 1 or 0."""
        return self.int8(int(value))

    def raw(self, data: bytes) -> Writer:
        """Append what is encoded already."""
        self._parts.append(data)
        return self

    def string(self, value: str | None) -> Writer:
        """Append a string that may be null."""
        if self._flexible:
            data = b"" if value is None else value.encode()
            self._parts.append(uvarint(0 if value is None else len(data) + 1) + data)
        elif value is None:
            self.int16(-1)
        else:
            data = value.encode()
            self._parts.append(_INT16.pack(len(data)) + data)
        return self

    def array(self, items: Iterable[_T] | None, write: Callable[[_T], object]) -> Writer:
        """Append an array, each item by `write`; None is the null array."""
        known = None if items is None else list(items)
        if self._flexible:
            self._parts.append(uvarint(0 if known is None else len(known) + 1))
        else:
            self.int32(-1 if known is None else len(known))
        for item in known or ():
            write(item)
        return self

    def tags(self) -> Writer:
        """Append an empty section of tagged fields where the version is flexible."""
        if self._flexible:
            self._parts.append(b"\0")
        return self

    def done(self) -> bytes:
        """Return the bytes."""
        return b"".join(self._parts)


class Reader:
    """Reads a reply front to back; every method raises `WireError` when the bytes end early or lie about a length."""

    def __init__(self, data: bytes, *, flexible: bool = False, position: int = 0) -> None:
        self._data = data
        self._at = position
        self._flexible = flexible
        self._items_left: int | None = None

    @property
    def flexible(self) -> bool:
        """Whether the version that is read has compact strings and tagged fields."""
        return self._flexible

    @property
    def position(self) -> int:
        """How many bytes were read."""
        return self._at

    def _number(self, layout: struct.Struct) -> int:
        try:
            value: int = layout.unpack_from(self._data, self._at)[0]
        except struct.error as error:
            raise WireError(f"the reply ends at byte {len(self._data)}, in the middle of a number") from error
        self._at += layout.size
        return value

    def int8(self) -> int:
        """Read one byte."""
        return self._number(_INT8)

    def int16(self) -> int:
        """Read two bytes."""
        return self._number(_INT16)

    def int32(self) -> int:
        """Read four bytes."""
        return self._number(_INT32)

    def int64(self) -> int:
        """Read eight bytes."""
        return self._number(_INT64)

    def boolean(self) -> bool:
        """Read a byte as true or false."""
        return self._number(_INT8) != 0

    def uvarint(self) -> int:
        """Read an unsigned variable-length integer of at most five bytes."""
        value = 0
        for shift in range(0, 35, 7):
            if self._at >= len(self._data):
                raise WireError(f"the reply ends at byte {len(self._data)}, in the middle of a length")
            byte = self._data[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
        raise WireError("a length of more than five bytes")

    def raw(self, size: int) -> bytes:
        """Read `size` bytes."""
        if size < 0 or self._at + size > len(self._data):
            raise WireError(f"a field of {size} bytes where {len(self._data) - self._at} are left")
        piece = self._data[self._at : self._at + size]
        self._at += size
        return piece

    def nullable_string(self) -> str | None:
        """Read a string that may be null."""
        size = self.uvarint() - 1 if self._flexible else self.int16()
        if size == -1:
            return None
        try:
            return self.raw(size).decode()
        except UnicodeDecodeError as error:
            raise WireError("a string that is not UTF-8") from error

    def string(self) -> str:
        """Read a string; null becomes empty."""
        return self.nullable_string() or ""

    def octets(self) -> bytes:
        """Read a byte field; null becomes empty."""
        size = self.uvarint() - 1 if self._flexible else self.int32()
        return self.raw(size) if size > 0 else b""

    def limit(self, items: int) -> Reader:
        """Read so many items of arrays at most from here on: what is read in one piece holds everything else up."""
        self._items_left = items
        return self

    def count(self, most: int | None = None) -> int:
        """Read how many items an array has, `most` at most; null counts as none."""
        size = self._size(most)
        if self._items_left is not None:
            self._items_left -= size
            if self._items_left < 0:
                raise WireError(f"an array of {size} items in a reply that is longer than any such reply is")
        return size

    def _size(self, most: int | None) -> int:
        size = self.uvarint() - 1 if self._flexible else self.int32()
        # Every item takes a byte at least: a larger count is a lie that would cost memory.
        if size > len(self._data) - self._at:
            raise WireError(f"an array of {size} items where {len(self._data) - self._at} bytes are left")
        if most is not None and size > most:
            raise WireError(f"an array of {size} items where there can be {most}")
        return max(size, 0)

    def array(self, read: Callable[[], _T], most: int | None = None) -> list[_T]:
        """Read an array of `most` items at most, each by `read`."""
        return [read() for _ in range(self.count(most))]

    def int32s(self, most: int | None = None) -> tuple[int, ...]:
        """Read an array of `most` four-byte integers at most."""
        size = self._size(most)
        try:
            values = _int32s(size).unpack_from(self._data, self._at)
        except struct.error as error:
            raise WireError(f"an array of {size} numbers where {len(self._data) - self._at} bytes are left") from error
        self._at += 4 * size
        return values

    def fields(self, layout: struct.Struct) -> tuple[Any, ...]:
        """Read several fields of a fixed layout at once."""
        return layout.unpack(self.raw(layout.size))

    def rows(self, layout: struct.Struct, count: int) -> Iterator[tuple[Any, ...]]:
        """Read `count` items that all have the same layout; far faster than field by field."""
        return layout.iter_unpack(self.raw(layout.size * count))

    def passed(self, piece: bytes) -> bool:
        """Pass over `piece` if the reply goes on with it; returns whether it did."""
        if not self._data.startswith(piece, self._at):
            return False
        self._at += len(piece)
        return True

    def since(self, start: int) -> bytes:
        """Return the bytes read since the position `start`."""
        return self._data[start : self._at]

    def peek_int32(self, *, last: bool = False) -> int:
        """Return the next four bytes as a number, or the last ones of the reply, without passing over them."""
        at = len(self._data) - 4 if last else self._at
        if at < self._at:
            raise WireError("the reply ends in the middle of a number")
        value: int = _INT32.unpack_from(self._data, at)[0] if at + 4 <= len(self._data) else 0
        return value

    def back(self, position: int) -> None:
        """Go back to a position read before."""
        self._at = position

    @property
    def left(self) -> int:
        """How many bytes were not read yet."""
        return len(self._data) - self._at

    def tags(self) -> None:
        """Pass over a section of tagged fields where the version is flexible."""
        if self._flexible:
            size = self.uvarint()
            if size > _MOST_TAGS:
                raise WireError(f"{size} tagged fields where there can be {_MOST_TAGS}")
            for _ in range(size):
                self.uvarint()
                self.raw(self.uvarint())


def uvarint(value: int) -> bytes:
    """Encode an unsigned variable-length integer."""
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
