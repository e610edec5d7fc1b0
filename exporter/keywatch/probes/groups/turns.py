"""Whose turn it is: idle groups are asked now and then, spread over the cycles, and never later than promised."""

from __future__ import annotations

from math import ceil
from zlib import crc32

# So many idle groups are worth asking each cycle: a handful is, thousands are not.
_PER_CYCLE = 100


class Turns:
    """Gives each of many names its turn at least once in `longest` cycles; few of them have theirs in every cycle."""

    def __init__(self, longest: int) -> None:
        self.every = 1
        """In how many cycles each has its turn."""
        self.cycle = 0
        self._longest = longest

    def begin(self, count: int) -> None:
        """Begin a cycle with so many names to spread."""
        self.cycle += 1
        self.every = min(max(ceil(count / _PER_CYCLE), 1), self._longest)

    def due(self, name: str, last: int) -> bool:
        """Return whether it is the turn of `name`, which had its last one in cycle `last`."""
        return self.cycle - last >= self.every or crc32(name.encode()) % self.every == self.cycle % self.every
