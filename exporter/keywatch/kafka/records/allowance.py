"""Whether old records may be read now, so that their bytes keep to a rate whatever size the batches have."""

from __future__ import annotations

import time
from collections.abc import Callable

# How many seconds' worth may be spent at once.
_BURST = 2.0


class Allowance:
    """A bucket of bytes that fills at `rate` bytes a second; a read may overdraw it, and then the next ones wait."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._left = _BURST * rate
        self._at = clock()

    def left(self) -> bool:
        """Return whether anything may be read now."""
        now = self._clock()
        self._left = min(self._left + (now - self._at) * self._rate, _BURST * self._rate)
        self._at = now
        return self._left > 0

    def spend(self, received: int) -> None:
        """Record that so many bytes were received; more than was there delays those that follow."""
        self._left -= received
