"""When probes run: one lane per probe, its period and its kicks, and the heartbeat that proves the lanes move."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field
from zlib import crc32

from keywatch.engine import supervised
from keywatch.engine.probe import Probe
from keywatch.engine.runner import Runner
from keywatch.engine.store import Key, key_of
from keywatch.engine.supervised import Part

# A lane may be late by its own timeout and a few periods before it counts as standing still.
_LATE_PERIODS = 5
_LATE_SECONDS = 5.0
# What a probe's `close` may take; what hangs there holds up no reload and no end.
_CLOSE_WITHIN = 3.0


# Probes that start together, such as those of hundreds of brokers, are spread over this many moments of half a second:
# few enough that each wakes the process for several, many enough that none waits for all the others.
_MOMENTS = 4
_SPREAD_OVER = 0.5


@dataclass(slots=True)
class _Lane:
    probe: Probe
    kicked: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None
    beat: float = field(default_factory=time.monotonic)
    runs: int = 0


class Scheduler:
    """Keeps each probe running on its own schedule; one slow or stuck probe delays no other."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._lanes: dict[Key, _Lane] = {}
        # By cluster and name, so that a kick costs what it kicks: with each of many brokers that come and go at once
        # comes a kick.
        self._kicked: dict[tuple[str, str], dict[Key, _Lane]] = {}
        self._ending: set[asyncio.Task[None]] = set()

    @property
    def probes(self) -> list[Probe]:
        """The probes in service."""
        return [lane.probe for lane in self._lanes.values()]

    def add(self, probe: Probe) -> None:
        """Put a probe into service; it runs at once and then every period. Needs a running event loop."""
        key, lane = key_of(probe), _Lane(probe)
        self._lanes[key] = lane
        self._kicked.setdefault((key.cluster, key.probe), {})[key] = lane
        lane.task = supervised.keep(Part.LANE, lambda: self._drive(lane), "/".join(key))

    async def remove(self, key: Key) -> None:
        """Take a probe out of service, with its frame."""
        if key in self._lanes:
            lane = self._take_out(key)
            await self._end(lane)
            if key not in self._lanes:  # or else it came back meanwhile
                self._runner.drop(lane.probe)

    def replace(self, probe: Probe) -> None:
        """Put a probe in the place of the one with its key, whose last values are served until it has found its own."""
        lane = self._take_out(key_of(probe))
        ending = supervised.task(Part.ENDING, self._end(lane), "/".join(key_of(probe)))
        self._ending.add(ending)
        ending.add_done_callback(self._ending.discard)
        self._runner.forget_run(key_of(probe))
        self.add(probe)

    def kick(self, cluster: str, *names: str) -> None:
        """Let probes of these names run now, because something that they build on has changed."""
        for name in names:
            for lane in self._kicked.get((cluster, name), {}).values():
                lane.kicked.set()

    def standing_still(self) -> list[Key]:
        """Name the lanes that have not moved for longer than any run may take: a defect, not a fault of Kafka."""
        now = time.monotonic()
        still = []
        for key, lane in self._lanes.items():
            schedule = lane.probe.schedule
            if now - lane.beat > schedule.timeout + _LATE_PERIODS * schedule.period + _LATE_SECONDS:
                still.append(key)
        return still

    def not_yet_run(self) -> list[Key]:
        """Name the probes that have not finished their first run."""
        return [key for key, lane in self._lanes.items() if lane.runs == 0]

    async def stop(self) -> None:
        """End all lanes and close their probes."""
        lanes, self._lanes, self._kicked = list(self._lanes.values()), {}, {}
        await asyncio.gather(*(self._end(lane) for lane in lanes), *self._ending)

    async def _drive(self, lane: _Lane) -> None:
        loop = asyncio.get_running_loop()
        due = time.monotonic() + _shift(lane.probe)
        while True:
            lane.kicked.clear()
            await self._runner.run(lane.probe)
            lane.runs += 1
            lane.beat = time.monotonic()
            # A run that took longer than its period is followed at once, and lost ticks are not made up for.
            due = max(due + lane.probe.schedule.period, lane.beat)
            # Not asyncio.timeout, whose cancelling and raising costs a fifth of what a broker's probe does.
            timer = loop.call_later(due - lane.beat, lane.kicked.set)
            try:
                await lane.kicked.wait()
            finally:
                timer.cancel()
            due = min(due, time.monotonic())

    def _take_out(self, key: Key) -> _Lane:
        of_name = self._kicked[key.cluster, key.probe]
        del of_name[key]
        if not of_name:
            del self._kicked[key.cluster, key.probe]
        return self._lanes.pop(key)

    async def _end(self, lane: _Lane) -> None:
        """End a lane and close its probe; a probe that cannot be closed is told of and stops nobody else's end."""
        if lane.task is not None:
            lane.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await lane.task
        try:
            async with asyncio.timeout(_CLOSE_WITHIN):
                await lane.probe.close()
        except Exception as error:  # noqa: BLE001 - a defect of one probe's end must not be another's
            supervised.defect(Part.ENDING, error, "/".join(key_of(lane.probe)))


def _shift(probe: Probe) -> float:
    """Return by how many seconds the second run of a probe is put off, and so all that follow."""
    moment = crc32("/".join(key_of(probe)).encode()) % _MOMENTS
    return moment / _MOMENTS * min(probe.schedule.period, _SPREAD_OVER)
