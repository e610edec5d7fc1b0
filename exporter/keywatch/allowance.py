"""How many old records may be read now, so that their bytes keep to a rate whatever size the batches have."""

from __future__ import annotations

import time
from collections.abc import Callable

# What a read is taken to cost until it is known, and at least: an answer with one small batch, and its request.
_FIRST_GUESS = 16_384.0
_LEAST = 512.0
# How many seconds' worth may be spent at once.
_BURST = 2.0


class Allowance:
    """A bucket of bytes that fills at `rate` bytes a second; reads are let go by what they cost on average so far."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._clock = clock
        self._left = _BURST * rate
        self._at = clock()
        self._each = _FIRST_GUESS

    def reads(self, most: int) -> int:
        """Tell how many records may be read now, `most` at most; one always while anything is left."""
        now = self._clock()
        self._left = min(self._left + (now - self._at) * self._rate, _BURST * self._rate)
        self._at = now
        return 0 if self._left <= 0 else min(max(int(self._left / self._each), 1), most)

    def spent(self, reads: int, received: int) -> None:
        """Take in that so many reads received so many bytes; more than was there delays those that follow."""
        self._left -= received
        if reads:
            self._each = max(0.8 * self._each + 0.2 * received / reads, _LEAST)
