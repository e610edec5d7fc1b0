"""A probe that does as it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence

from keywatch.engine.probe import Sample, Schedule

Act = Callable[[], Awaitable[Collection[Sample]]]


class Scripted:
    """Runs `acts` one after the other, the last one again and again; counts its runs and how many overlap."""

    def __init__(self, name: str, *acts: Act, period: float = 0.02, timeout: float = 0.1, target: str = "") -> None:
        self.cluster = "kafka"
        self.name = name
        self.target = target
        self.schedule = Schedule(period, timeout)
        self.runs = 0
        self.under_way = 0
        self.most_at_once = 0
        self.closed = 0
        self._acts = list(acts)

    async def run(self, timeout: float) -> Collection[Sample]:
        """Do the next act."""
        assert timeout == self.schedule.timeout
        self.runs += 1
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        try:
            return await self._acts[min(self.runs, len(self._acts)) - 1]()
        finally:
            self.under_way -= 1

    async def close(self) -> None:
        """Count it."""
        self.closed += 1


def gives(*samples: Sample) -> Act:
    """Answer with these samples."""

    async def act() -> Sequence[Sample]:
        return samples

    return act


def fails(error: BaseException) -> Act:
    """Raise this."""

    async def act() -> Sequence[Sample]:
        raise error

    return act


def hangs() -> Act:
    """Wait for ever, but end when cancelled."""

    async def act() -> Sequence[Sample]:
        await asyncio.Event().wait()
        return ()

    return act
