"""Runs lag cycles against a cluster as a process of its own and prints what they cost, as one line of JSON.

One cycle is what the probes `groups` and `offsets` do, and rendering all series. Lines on its standard input tell it
what to do: `cycles N` runs N of them, `settle N` does so after what the exporter does once it is warm, `end` ends it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import psutil

from keywatch.config.model import Config
from keywatch.engine import exposition
from keywatch.engine.probe import Probe
from keywatch.engine.slices import in_slices
from keywatch.engine.store import Store, key_of
from keywatch.service import memory_use
from keywatch.service.base import Base
from keywatch.service.wiring import plans


class Cycles:
    """The probes of one cluster, run in turn."""

    def __init__(self, bootstrap: str) -> None:
        section = {"bootstrap": bootstrap.split(","), "canary": {"enabled": False}}
        cluster = Config.model_validate({"clusters": [section]}).clusters[0]
        base = Base.of(cluster)
        self._store = Store()
        self._probes = {key.probe: plan.probe(base) for key, plan in plans(cluster).items()}

    async def once(self, *names: str) -> None:
        """Run these probes once."""
        for name in names:
            probe: Probe = self._probes[name]
            samples = await probe.run(probe.schedule.timeout)
            self._store.replace(key_of(probe), samples, time.time(), time.monotonic() + 3600)

    async def run(self, count: int) -> dict[str, object]:
        """Run so many cycles: wall and CPU seconds of each, of rendering alone, and the CPU of the longest piece."""
        wall, cpu, rendering = [], [], []
        _HELD.clear()
        size, body = 0, b""
        for number in range(count):
            if number % 5 == 0:  # as often as the exporter does
                memory_use.give_back()
            await self.once("cluster", "topics")  # not part of a lag cycle, but how it learns of leaders
            started, spent = time.perf_counter(), time.process_time()
            await self.once("groups", "offsets")
            rendered = time.process_time()
            body = await in_slices(exposition.rendering(self._store, exposition.selection([]), openmetrics=False))
            rendering.append(time.process_time() - rendered)
            wall.append(time.perf_counter() - started)
            cpu.append(time.process_time() - spent)
            size = len(body)
        series = body.count(b"\n") - body.count(b"\n#")
        memory = psutil.Process().memory_info().rss / 2**20
        held = max(_HELD, default=0.0)
        return {
            "wall": wall, "cpu": cpu, "rendering": rendering, "held": held, "rss": memory, "bytes": size,
            "series": series,
        }  # fmt: skip


_HELD: list[float] = []
_RUN = asyncio.events.Handle._run


def _measured(handle: asyncio.Handle) -> None:
    """Run a callback of the event loop and note the CPU that it took: what held the loop, other processes left out."""
    started = time.thread_time()
    _RUN(handle)
    _HELD.append(time.thread_time() - started)


async def main(bootstrap: str) -> None:
    """Do what the lines ask for."""
    memory_use.be_frugal()
    memory_use.settle()
    asyncio.events.Handle._run = _measured  # type: ignore[method-assign, assignment]
    cycles = Cycles(bootstrap)
    await cycles.once("cluster", "topics")
    loop = asyncio.get_running_loop()
    while True:
        words = (await loop.run_in_executor(None, sys.stdin.readline)).split()
        if not words or words[0] == "end":
            return
        if words[0] == "settle":
            memory_use.settle()
        print(json.dumps(await cycles.run(int(words[1]))), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
