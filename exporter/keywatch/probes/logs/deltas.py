"""Turns counters that somebody else keeps, and begins anew at times, into increments of our own."""

from __future__ import annotations

from collections.abc import Hashable


class Deltas:
    """The last value of each counter; what was not seen before begins with an increment of 0."""

    def __init__(self) -> None:
        self._last: dict[Hashable, float] = {}

    def step(self, key: Hashable, value: float) -> float:
        """Return by how much the counter grew since the last look; one that fell began anew, at 0."""
        last = self._last.get(key)
        self._last[key] = value
        if last is None:
            return 0.0
        return value - last if value >= last else value
