"""Looks up old records beside the cycles: one look-up at a time, and so many records in it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Mapping, Sequence

from keywatch.engine import supervised
from keywatch.engine.probe import ProbeError
from keywatch.engine.supervised import Part
from keywatch.kafka.records.search import Position
from keywatch.kafka.records.times import RecordTimes


class Lookups:
    """At most `most` records a cycle, in `timeout` seconds at most; what comes later than a cycle serves the next."""

    def __init__(self, times: RecordTimes, *, most: int, timeout: float) -> None:
        self._times = times
        self._most = most
        self._timeout = timeout
        self._running: asyncio.Future[Sequence[Position]] | None = None

    @property
    def busy(self) -> bool:
        """Whether a look-up is under way."""
        return self._running is not None

    def begin(self, missing: Mapping[Position, bool]) -> None:
        """Begin with as many as may be of the records that are `missing`; True marks those that can wait."""
        if missing and self._running is None:
            chosen = sorted(missing, key=lambda position: missing[position])[: self._most]
            self._running = supervised.task(Part.QUESTION, self._look_up(chosen), "lookup")

    async def found(self, patience: float) -> Collection[Position]:
        """Wait `patience` seconds at most for the look-up, and give the positions that it was about once it is over."""
        if self._running is None:
            return ()
        done, _ = await asyncio.wait({self._running}, timeout=patience)
        if not done:
            return ()
        running, self._running = self._running, None
        return running.result()

    def close(self) -> None:
        """Give up what is under way."""
        if self._running is not None:
            self._running.cancel()
        self._times.close()

    async def _look_up(self, positions: Sequence[Position]) -> Sequence[Position]:
        # Without these records the lag in seconds stays an estimate: no reason to withhold anything.
        with contextlib.suppress(ProbeError):
            await self._times.find(positions, self._timeout)
        return positions
