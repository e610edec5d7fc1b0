"""What was read before, with the bytes that said so: the same bytes say the same and are not decoded again."""

from __future__ import annotations

from collections.abc import Collection
from typing import Generic, TypeVar

from keywatch.kafka.wire.codec import Reader

_T = TypeVar("_T")


class ReplyMemory(Generic[_T]):
    """Of each name the last piece of a reply and what it meant.

    A piece decodes from its first byte on without a look at what follows, so a reply that goes on with the same bytes
    goes on with the same piece.
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[bytes, _T]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._known

    def recall(self, reader: Reader, name: str) -> _T | None:
        """Pass over the piece and give its meaning if the reply goes on with the same bytes as last time."""
        known = self._known.get(name)
        return known[1] if known is not None and reader.passed(known[0]) else None

    def record(self, reader: Reader, name: str, start: int, meaning: _T) -> _T:
        """Remember the piece that began at `start` and has just been read; returns `meaning` back."""
        self._known[name] = (reader.since(start), meaning)
        return meaning

    def drop(self, name: str) -> None:
        """Drop what was said of one name."""
        self._known.pop(name, None)

    def retain(self, names: Collection[str]) -> None:
        """Drop all other names."""
        if len(self._known) > len(names):
            self._known = {name: known for name, known in self._known.items() if name in names}

    def clear(self) -> None:
        """Drop everything."""
        self._known.clear()
