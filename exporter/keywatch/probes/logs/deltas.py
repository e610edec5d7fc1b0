"""Turns counters that somebody else keeps, and begins anew at times, into increments of our own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass

# Beyond it a counter of floating point does not count single things any more.
_MOST = 2**53
# A counter that is back where it was within so many looks had not begun anew; one that stays lower has.
_LOOKS = 3
# Counters remembered, those that were not seen for longest going first.
_MOST_COUNTERS = 50_000


@dataclass(slots=True)
class _Counter:
    """What was seen last, and since it fell from `fell_from`: how much was taken, in how many looks."""

    last: float
    fell_from: float | None = None
    taken: float = 0.0
    looks: int = 0

    def step(self, value: float) -> float:
        if self.fell_from is not None:
            self.looks += 1
            if value >= self.fell_from:
                grown = max(value - self.fell_from - self.taken, 0.0)
                self.last, self.fell_from = value, None
                return grown
        if value < self.last:
            return self._fall(value)
        grown, self.last = value - self.last, value
        self.taken += grown
        if self.looks >= _LOOKS:
            self.fell_from = None
        return grown

    def _fall(self, value: float) -> float:
        """Take what one that began anew counted since; one that is a little lower than before has not begun anew."""
        if self.fell_from is None:
            self.fell_from, self.taken, self.looks = self.last, 0.0, 0
        anew = 2 * value <= self.last
        if not anew and self.looks < _LOOKS:
            return 0.0
        self.last = value
        self.taken += value if anew else 0.0
        return value if anew else 0.0


class Deltas:
    """The last value of each counter; what was not seen before begins with an increment of 0.

    A counter is one source's own, such as a node's: of a sum over sources nobody can tell why it fell. What is no
    count (NaN, negative, infinite) gives nothing and leaves what was seen before it in force.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, _Counter] = OrderedDict()

    def step(self, key: Hashable, value: float) -> float:
        """Return by how much the counter grew since the last look; one that began anew did so at 0."""
        if not 0 <= value <= _MOST:
            return 0.0
        known = self._known.get(key)
        if known is None:
            self._known[key] = _Counter(value)
            if len(self._known) > _MOST_COUNTERS:
                self._known.popitem(last=False)
            return 0.0
        self._known.move_to_end(key)
        return known.step(value)

    def total(self, values: Mapping[Hashable, float]) -> float:
        """Return by how much several counters grew, each by itself."""
        return sum(self.step(key, value) for key, value in values.items())
