"""Runs lag cycles against a cluster as a process of its own and prints what they cost, as one line of JSON.

One cycle is what the probes `groups` and `offsets` do, and rendering all series. It is told by lines on its standard
input: `cycles N` runs N of them, `render N` renders N times, `end` ends it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import psutil

from keywatch import exposition
from keywatch.config import Config
from keywatch.kafka.topology import Topology
from keywatch.probe import Probe
from keywatch.store import Store, key_of
from keywatch.wiring import probes


class Cycles:
    """The probes of one cluster, run in turn."""

    def __init__(self, bootstrap: str) -> None:
        config = Config.model_validate(
            {"clusters": [{"bootstrap": bootstrap.split(","), "canary": {"enabled": False}}]}
        )
        self._cluster = config.clusters[0]
        self._topology = Topology(self._cluster.endpoints)
        self._store = Store()
        self._probes = {probe.name: probe for probe in probes(self._cluster, self._topology, None)}
        self._held = 0.0

    async def once(self, *names: str) -> None:
        """Run these probes once."""
        for name in names:
            probe: Probe = self._probes[name]
            samples = await probe.run(10.0)
            self._store.replace(key_of(probe), samples, time.time(), time.monotonic() + 3600)

    async def run(self, count: int) -> dict[str, object]:
        """Run so many cycles and give wall and CPU seconds of each, and the longest time that the loop was held."""
        wall, cpu = [], []
        self._held = 0.0
        watch = asyncio.create_task(self._watch())
        for _ in range(count):
            await self.once("cluster", "topics")  # not part of a lag cycle, but how it learns of leaders
            started, spent = time.perf_counter(), time.process_time()
            await self.once("groups", "offsets")
            await self.render()
            wall.append(time.perf_counter() - started)
            cpu.append(time.process_time() - spent)
            await asyncio.sleep(0)
        watch.cancel()
        memory = psutil.Process().memory_info().rss / 2**20
        return {"wall": wall, "cpu": cpu, "held": self._held, "rss": memory}

    async def render(self) -> bytes:
        """Render as an answer to a scrape does."""
        return exposition.render(self._store, exposition.selection([]), openmetrics=False)

    async def renders(self, count: int) -> dict[str, object]:
        """Render so many times and give the seconds that each took, and how many series it were."""
        took = []
        body = b""
        for _ in range(count):
            started = time.perf_counter()
            body = await self.render()
            took.append(time.perf_counter() - started)
        return {"took": took, "series": body.count(b"\n") - body.count(b"\n#"), "bytes": len(body)}

    async def _watch(self) -> None:
        while True:
            due = time.perf_counter() + 0.001
            await asyncio.sleep(0.001)
            self._held = max(self._held, time.perf_counter() - due)


async def main(bootstrap: str) -> None:
    """Do what the lines ask for."""
    cycles = Cycles(bootstrap)
    await cycles.once("cluster", "topics")
    loop = asyncio.get_running_loop()
    while True:
        words = (await loop.run_in_executor(None, sys.stdin.readline)).split()
        if not words or words[0] == "end":
            return
        found = await (cycles.run(int(words[1])) if words[0] == "cycles" else cycles.renders(int(words[1])))
        print(json.dumps(found), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
