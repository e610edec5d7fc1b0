"""Reads a class file as far as linking needs it: its version, what it extends, what it has, and what it refers to.

After chapter 4 of the Java Virtual Machine Specification (SE 25). Every loop is bounded by the file's own length: an
index beyond it ends the reading.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Final, NamedTuple

_UTF8, _INTEGER, _CLASS, _STRING, _FIELD, _METHOD, _INTERFACE_METHOD = 1, 3, 7, 8, 9, 10, 11
# Bytes of each kind of constant (JVMS 4.4), its tag included; those of Utf8 depend on its length.
_SIZES: Final = {
    3: 5,
    4: 5,
    5: 9,
    6: 9,
    7: 3,
    8: 3,
    9: 5,
    10: 5,
    11: 5,
    12: 5,
    15: 4,
    16: 3,
    17: 5,
    18: 5,
    19: 3,
    20: 3,
}
_TWO_SLOTS: Final = frozenset({5, 6})
_REFERENCES: Final = frozenset({_FIELD, _METHOD, _INTERFACE_METHOD})
_MOST_CLASS_BYTES: Final = 16 * 1024 * 1024
_LONGEST_NAME: Final = 16_384
_LONGEST_TEXT: Final = 1_000


class ClassFormatError(Exception):
    """A file is no class file, or is damaged."""


class Reference(NamedTuple):
    """A field or method that a class refers to, as `owner` `name` `descriptor`."""

    owner: str
    name: str
    descriptor: str

    @property
    def is_method(self) -> bool:
        """Whether it is a method, whose descriptor begins with a bracket."""
        return self.descriptor.startswith("(")


class Method(NamedTuple):
    """A method that a class has; `code` holds its instructions, empty where it has none."""

    name: str
    descriptor: str
    code: bytes


class ClassFile:
    """One class file. Raises `ClassFormatError` at once where it is none, and from each method where it is damaged."""

    def __init__(self, data: bytes) -> None:
        if len(data) > _MOST_CLASS_BYTES or data[:4] != b"\xca\xfe\xba\xbe" or len(data) < 24:
            raise ClassFormatError("is no class file")
        self._data = data
        self.major = data[6] << 8 | data[7]
        count = data[8] << 8 | data[9]
        self._at = at = [0] * count
        position, index, sizes = 10, 1, _SIZES
        try:
            while index < count:
                at[index] = position
                tag = data[position]
                if tag == _UTF8:
                    position += 3 + (data[position + 1] << 8 | data[position + 2])
                else:
                    position += sizes[tag]
                    if tag in _TWO_SLOTS:
                        index += 1
                index += 1
            self._body = position
            self.access = self._number(position)
            self.name = self._class(self._number(position + 2))
            above = self._number(position + 4)
            self.superclass = self._class(above) if above else ""
            number = self._number(position + 6)
            self.interfaces = [self._class(self._number(position + 8 + 2 * each)) for each in range(number)]
        except (IndexError, KeyError) as error:
            raise ClassFormatError("is a damaged class file") from error

    @property
    def constants(self) -> int:
        """How many constants it has, which is how long it takes to follow them."""
        return len(self._at)

    @property
    def java(self) -> int:
        """The first Java release that reads it (JVMS table 4.1-A): 52 is 8, 61 is 17."""
        return self.major - 44

    def classes(self) -> list[str]:
        """Return the classes that it names, itself too, and of arrays what they hold."""
        data, found = self._data, []
        try:
            for position in self._at:
                if position and data[position] == _CLASS:
                    name = self._text(data[position + 1] << 8 | data[position + 2])
                    if name.startswith("["):
                        name = name.lstrip("[")
                        if not name.startswith("L"):
                            continue
                        name = name[1:-1]
                    found.append(name)
        except IndexError as error:
            raise ClassFormatError("is a damaged class file") from error
        return found

    def references(self) -> Iterator[Reference]:
        """Return the fields and methods that it refers to, those of arrays left out."""
        data, at, names = self._data, self._at, dict[int, str]()
        try:
            for position in at:
                if not position or data[position] not in _REFERENCES:
                    continue
                index = data[position + 1] << 8 | data[position + 2]
                owner = names.get(index)
                if owner is None:
                    owner = names[index] = self._class(index)
                if owner.startswith("["):
                    continue
                both = at[data[position + 3] << 8 | data[position + 4]]
                yield Reference(
                    owner,
                    self._text(data[both + 1] << 8 | data[both + 2]),
                    self._text(data[both + 3] << 8 | data[both + 4]),
                )
        except IndexError as error:
            raise ClassFormatError("is a damaged class file") from error

    def strings(self) -> set[str]:
        """Return the texts that its code and its constants hold."""
        try:
            return {
                self._words(self._number(position + 1))
                for position in self._at
                if position and self._data[position] == _STRING
            }
        except IndexError as error:
            raise ClassFormatError("is a damaged class file") from error

    def literal(self, index: int) -> str | int | None:
        """Return the text or the whole number that stands at a place of the constants; None for anything else."""
        position = self._at[index] if 0 < index < len(self._at) else 0
        try:
            if position and self._data[position] == _STRING:
                return self._words(self._number(position + 1))
            if position and self._data[position] == _INTEGER:
                return int(struct.unpack_from(">i", self._data, position + 1)[0])
        except (IndexError, struct.error) as error:
            raise ClassFormatError("is a damaged class file") from error
        return None

    def members(self) -> Iterator[tuple[str, str]]:
        """Return name and descriptor of each field and method that it has itself."""
        return ((method.name, method.descriptor) for method in self._members(code=False))

    def methods(self) -> Iterator[Method]:
        """Return its methods with their instructions."""
        return (method for method in self._members(code=True) if method.descriptor.startswith("("))

    def _members(self, *, code: bool) -> Iterator[Method]:
        try:
            position = self._body + 8 + 2 * len(self.interfaces)
            for _ in range(2):  # fields, then methods
                number = self._number(position)
                position += 2
                for _ in range(number):
                    name, descriptor = self._text(self._number(position + 2)), self._text(self._number(position + 4))
                    attributes, found = self._number(position + 6), b""
                    position += 8
                    for _ in range(attributes):
                        size = int.from_bytes(self._data[position + 2 : position + 6], "big")
                        if code and self._text(self._number(position)) == "Code":
                            length = int.from_bytes(self._data[position + 10 : position + 14], "big")
                            found = self._data[position + 14 : position + 14 + min(length, size)]
                        position += 6 + size
                    yield Method(name, descriptor, found)
        except IndexError as error:
            raise ClassFormatError("is a damaged class file") from error

    def _number(self, position: int) -> int:
        return self._data[position] << 8 | self._data[position + 1]

    def _class(self, index: int) -> str:
        return self._text(self._number(self._at[index] + 1))

    def _text(self, index: int) -> str:
        """Return a name or descriptor; one that is too long, which thousands may share, raises `IndexError`."""
        position, data = self._at[index], self._data
        length = data[position + 1] << 8 | data[position + 2]
        if length > _LONGEST_NAME:
            raise IndexError
        return data[position + 3 : position + 3 + length].decode("utf-8", "backslashreplace")

    def _words(self, index: int) -> str:
        """Return the beginning of a text that the code holds."""
        position, data = self._at[index], self._data
        length = min(data[position + 1] << 8 | data[position + 2], _LONGEST_TEXT)
        return data[position + 3 : position + 3 + length].decode("utf-8", "backslashreplace")
