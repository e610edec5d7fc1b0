"""Reads the little of ASN.1's DER that a signature block of a jar is made of."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class DerError(Exception):
    """The bytes are no DER, or not what was looked for."""


class Node(NamedTuple):
    """One value: its tag, its content, and both with the length between as they stand."""

    tag: int
    content: bytes
    whole: bytes

    def children(self) -> list[Node]:
        """Return the values within; raises `DerError`."""
        return list(nodes(self.content))


def nodes(data: bytes) -> Iterator[Node]:
    """Return the values that stand one after another; raises `DerError`."""
    at = 0
    while at < len(data):
        try:
            tag, length, begin = data[at], data[at + 1], at + 2
        except IndexError:
            raise DerError("is cut") from None
        if tag & 0x1F == 0x1F:
            raise DerError("has a tag of several bytes")
        if length & 0x80:
            width = length & 0x7F
            if not 1 <= width <= 4:
                raise DerError("has a length that is none")
            length = int.from_bytes(data[begin : begin + width], "big")
            begin += width
        if begin + length > len(data):
            raise DerError("is cut")
        yield Node(tag, data[begin : begin + length], data[at : begin + length])
        at = begin + length


def first(data: bytes) -> Node:
    """Return the first value; raises `DerError` where there is none."""
    for found in nodes(data):
        return found
    raise DerError("is empty")


def identifier(content: bytes) -> str:
    """Write an object identifier with dots; raises `DerError`."""
    if not content or len(content) > 64:
        raise DerError("has an object identifier that is none")
    parts = [min(content[0] // 40, 2)]
    parts.append(content[0] - 40 * parts[0])
    value = 0
    for byte in content[1:]:
        value = value << 7 | byte & 0x7F
        if not byte & 0x80:
            parts.append(value)
            value = 0
    return ".".join(map(str, parts))
