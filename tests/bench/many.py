"""What many brokers cost: 10 clusters of 30 brokers each, in a process of their own, watched by one exporter."""

from __future__ import annotations

import asyncio
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection

import psutil
import uvloop

from keywatch.config.model import Config
from keywatch.demo.embedded import EmbeddedCluster
from keywatch.engine.incidents import Incidents
from keywatch.engine.runner import Runner
from keywatch.engine.scheduler import Scheduler
from keywatch.engine.store import Store
from keywatch.service.base import Base
from keywatch.service.wiring import broker_plan
from tests.bench.figures import Figure
from tests.kafka import scene
from tests.kafka.exporter_process import ExporterProcess

_CLUSTERS, _BROKERS = 10, 30
_WHERE = f"{_CLUSTERS} clusters of {_BROKERS} brokers"


def measure(seconds: float, say: Callable[[str], None]) -> list[Figure]:
    """Run 300 broker probes for `seconds`, and then the whole exporter as long."""
    with _clusters() as bootstraps:
        say(f"{_CLUSTERS * _BROKERS} broker probes, {seconds:.0f} s")
        share, up = uvloop.run(_probes(bootstraps, seconds))
        say(f"the exporter on {_WHERE}, {seconds:.0f} s")
        plain = _exporter(bootstraps, seconds, canary=False)
        say("the same with the canary")
        canary = _exporter(bootstraps, seconds, canary=True)
    return [
        Figure(
            f"the broker probes of {_WHERE}, each twice a second",
            "≤ 10 % of one core",
            f"{share * 100:.1f} % of one core, {up} up",
            share <= 0.1 and up == _CLUSTERS * _BROKERS,
        ),
        Figure(
            f"the exporter on {_WHERE}, without the canary",
            "≤ 150 MB, no false `broker_up 0`",
            f"{plain}; with the canary, a record a second through each broker: {canary}",
            plain.memory <= 150 and not plain.false and not canary.false,
        ),
    ]


@dataclass(frozen=True)
class _Cost:
    """What the exporter took: share of a core, MB, threads; and scrapes in which a living broker was down."""

    share: float
    memory: float
    threads: int
    false: int

    def __str__(self) -> str:
        """Write it for the table."""
        share = f"{self.share * 100:.0f} % of one core"
        return f"{self.memory:.0f} MB, {share}, {self.threads} threads, {self.false} scrapes with a false one"


def _exporter(bootstraps: Sequence[str], seconds: float, *, canary: bool) -> _Cost:
    """Run the whole exporter for `seconds` once it has settled."""
    brokers = _CLUSTERS * _BROKERS
    config = scene.config(*bootstraps, topics={"watch": []}, canary={"enabled": canary})
    with ExporterProcess(config) as exporter:
        exporter.until(lambda s: s.total("keywatch_broker_up") == brokers, 60, "all brokers are up")
        if canary:
            exporter.until(lambda s: s.total("keywatch_canary_up") == brokers, 60, "all canaries cross")
        time.sleep(20.0)
        process = psutil.Process(exporter.pid)
        before, started, false = process.cpu_times(), time.monotonic(), 0
        while time.monotonic() - started < seconds:
            false += exporter.scrape("?collect[]=health").total("keywatch_broker_up") < brokers
            time.sleep(1.0)
        after = process.cpu_times()
        share = (after.user + after.system - before.user - before.system) / (time.monotonic() - started)
        return _Cost(share, process.memory_info().rss / 1e6, process.num_threads(), false)


async def _probes(bootstraps: Sequence[str], seconds: float) -> tuple[float, int]:
    """Run the broker probes alone; give the share of a core that this thread used, and how many brokers are up."""
    store = Store()
    scheduler = Scheduler(Runner(store, Incidents()))
    topologies = []
    for index, bootstrap in enumerate(bootstraps):
        section = {"name": f"kafka-{index}", "bootstrap": bootstrap.split(",")}
        cluster = Config.model_validate({"clusters": [section]}).clusters[0]
        base = Base.of(cluster)
        topologies.append(base.topology)
        for label in base.topology.brokers:
            scheduler.add(broker_plan(cluster, label).probe(base))
    await asyncio.sleep(5.0)
    spent, started = time.thread_time(), time.monotonic()
    await asyncio.sleep(seconds)
    share = (time.thread_time() - spent) / (time.monotonic() - started)
    up = sum(len(topology.up()) for topology in topologies)
    await scheduler.stop()
    return share, up


@contextmanager
def _clusters() -> Iterator[list[str]]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_host, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("end")
        process.join(30)


def _host(pipe: Connection) -> None:
    clusters = [EmbeddedCluster(_BROKERS) for _ in range(_CLUSTERS)]
    for cluster in clusters:
        cluster.create_topic("events", _BROKERS, 3)
        cluster.create_topic("keywatch-canary", _BROKERS, 3)
    pipe.send([cluster.bootstrap for cluster in clusters])
    pipe.recv()
    for cluster in clusters:
        cluster.close()
