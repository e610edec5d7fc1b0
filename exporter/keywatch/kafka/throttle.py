"""How long each broker asks keywatch to wait because a quota is used up (KIP-13, KIP-124, KIP-219)."""

from __future__ import annotations

import time
from collections.abc import Callable

_LATELY = 10.0
# Nobody makes keywatch go away for longer, whatever it says.
_MOST = 30.0


class Throttle:
    """One cluster's brokers by label; lives on the event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._until: dict[str, float] = {}
        self._last: dict[str, tuple[float, float]] = {}
        self._grown: dict[str, float] = {}

    def record(self, label: str, seconds: float) -> None:
        """Record for how many seconds a broker wants to be left alone; 0 when it wants nothing."""
        if seconds <= 0:
            return
        seconds = min(seconds, _MOST)
        now = self._clock()
        self._until[label] = max(self._until.get(label, now), now + seconds)
        self._last[label] = (now, seconds)
        self._grown[label] = self._grown.get(label, 0.0) + seconds

    def wait(self, label: str) -> float:
        """Return for how many seconds the broker need not be asked, because it will not listen."""
        return max(self._until.get(label, 0.0) - self._clock(), 0.0)

    def lately(self, label: str) -> float:
        """Return how many seconds it last asked for; 0 when that is more than ten seconds ago."""
        at, seconds = self._last.get(label, (float("-inf"), 0.0))
        return seconds if self._clock() - at <= _LATELY else 0.0

    def take(self, label: str) -> float:
        """Return the seconds that it asked for since the last call."""
        return self._grown.pop(label, 0.0)

    def retain(self, labels: frozenset[str]) -> None:
        """Drop all other brokers."""
        for known in (self._until, self._last, self._grown):
            for label in known.keys() - labels:
                del known[label]
