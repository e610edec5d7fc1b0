"""How fast letters are put back: as fast as it goes, so many a second, or as the destination's consumers keep up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

BEAT_SECONDS: Final = 2.0
"""Others may think that a command is gone which says nothing for three times as long."""


class Pace:
    """Says how many may go now, and waits until the next ones may, with a beat meanwhile."""

    def __init__(
        self,
        rate: float | None = None,
        held: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Take records a second, None for no limit; `held` says whether consumers are too far behind."""
        self._rate = rate
        self._held = held
        self._clock = clock
        self._sleep = sleep
        self._next = 0.0

    def most(self, records: int) -> int:
        """Return how many of `records` may go in one batch: what a second allows, at least one."""
        return records if self._rate is None else max(1, min(records, int(self._rate)))

    def wait(self, done: int, beat: Callable[[], None], stop: Callable[[], bool]) -> None:
        """Wait, after so many records went, until the next ones may go or `stop` says so."""
        now = self._clock()
        if self._rate is not None:
            self._next = max(self._next, now) + done / self._rate
        beaten = now
        while not stop():
            left = self._next - self._clock() if self._rate is not None else 0.0
            if left <= 0 and not self._held():
                return
            self._sleep(min(left, 0.2) if left > 0 else 0.2)
            if self._clock() - beaten >= BEAT_SECONDS:
                beat()
                beaten = self._clock()
