"""What watching costs: CPU of one broker probe, and CPU and memory of an exporter on a quiet cluster."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil
import uvloop

from keywatch.config.endpoint import Endpoint
from keywatch.demo.embedded import EmbeddedCluster
from keywatch.engine.probe import Schedule
from keywatch.kafka.topology import Topology
from keywatch.probes.cluster.broker import BrokerProbe
from tests.bench.figures import Figure, spread
from tests.kafka import admin, scene
from tests.kafka.exporter_process import ExporterProcess

_PROBES, _ROUNDS = 4_000, 7
_TOPICS, _GROUPS, _PARTITIONS = 50, 20, 6


def measure_probe(say: Callable[[str], None]) -> list[Figure]:
    """Run the broker probe many times against an in-process broker; only this thread's CPU is counted.

    Every sixth run opens a new connection, as one every three seconds at two runs a second does. The cheapest of some
    rounds counts: whoever else computes on the machine only makes it dearer.
    """
    say("CPU of the broker probe")
    with EmbeddedCluster(1) as cluster:
        host, _, port = cluster.bootstrap.rpartition(":")
        endpoint = Endpoint(host, int(port))
        topology = Topology([endpoint])
        now = 0.0
        probe = BrokerProbe("bench", str(endpoint), topology, Schedule(0.5, 1.0), renew_after=3.0, clock=lambda: now)

        async def run() -> list[float]:
            nonlocal now
            await probe.run(2.0)
            spent = []
            for _ in range(_ROUNDS):
                started = time.thread_time()
                for _ in range(_PROBES):
                    now += 0.5
                    await probe.run(2.0)
                spent.append((time.thread_time() - started) / _PROBES * 1e6)
            await probe.close()
            return spent

        rounds = uvloop.run(run())
    return [
        Figure(
            f"broker probe, CPU per broker and probe ({_ROUNDS} rounds of {_PROBES:,}, min / median / max)",
            "≤ 100 µs",
            spread(rounds, "µs", 0),
            min(rounds) <= 100,
        )
    ]


def measure_idle(seconds: float, say: Callable[[str], None]) -> list[Figure]:
    """Watch 3 brokers, 50 topics and 20 groups for `seconds`, scraped every second, nothing else going on."""
    with scene.cluster() as cluster:
        for index in range(_TOPICS):
            admin.create_topic(cluster.bootstrap, f"topic-{index}", partitions=_PARTITIONS, replicas=3)
        admin.produce(cluster.bootstrap, "topic-0", 100)
        for index in range(_GROUPS):
            offsets = {(f"topic-{index}", partition): 0 for partition in range(_PARTITIONS)}
            admin.commit(cluster.bootstrap, f"group-{index}", offsets)
        with ExporterProcess(scene.config(cluster.bootstrap, topics={"watch": ["topic-0"]})) as exporter:
            exporter.until(lambda s: s.total("keywatch_group_up") == _GROUPS, 60, "all groups are read")
            say(f"cost on a quiet cluster, {seconds:.0f} s")
            process = psutil.Process(exporter.pid)
            before, started = process.cpu_times(), time.monotonic()
            while time.monotonic() - started < seconds:
                size = len(exporter.get("/metrics")[1])
                exporter.get("/metrics?collect[]=health")
                time.sleep(1.0)
            after = process.cpu_times()
            share = (after.user + after.system - before.user - before.system) / (time.monotonic() - started)
            memory = process.memory_info().rss / 2**20
            threads = process.num_threads()
    return [
        Figure(
            f"cost on a quiet cluster: 3 brokers, {_TOPICS} topics, {_GROUPS} groups, scraped every second",
            "≤ 5 % of one core",
            f"{share * 100:.1f} % of one core, {memory:.0f} MiB, {threads} threads, /metrics {size / 1024:.0f} KiB",
            share <= 0.05,
        )
    ]
