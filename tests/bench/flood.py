"""What a client that makes groups without end costs keywatch, with the bounds that hold by default."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psutil

from keywatch import bounds
from tests.bench.figures import Figure, spread
from tests.kafka import admin, raw, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Recorder, Scrape
from tests.kafka.settings import INTERNAL

_TOPIC, _RECORDS, _SETTLE, _WATCHED = "events", 10, 20.0, "siem"
_LONG, _PARTITIONS, _AT_ONCE = "x" * 32_000, 5_000, 20


def measure(sizes: tuple[int, ...], seconds: float, say: Callable[[str], None]) -> list[Figure]:
    """Flood a node with groups, more each time, and watch it meanwhile and for `seconds` after."""
    figures = []
    with KafkaCluster(1) as cluster:
        address = cluster.node(1).address_of(INTERNAL)
        admin.create_topic(cluster.bootstrap, _TOPIC)
        admin.produce(cluster.bootstrap, _TOPIC, _RECORDS)
        admin.commit(cluster.bootstrap, _WATCHED, {(_TOPIC, 0): 4})
        made = 0
        config = scene.config(cluster.bootstrap, canary={"enabled": False}, groups={"watch": [_WATCHED]})
        with ExporterProcess(config) as exporter:
            exporter.until(_is_told, 60, "the lag is told")
            process = psutil.Process(exporter.pid)
            for size in sizes:
                say(f"flood of {size:,} groups")
                names = [f"flood-{index}" for index in range(made, size)]
                made = size
                figures.append(_flooded(exporter, process, address, names, size, seconds))
        admin.create_topic(cluster.bootstrap, "wide", partitions=_PARTITIONS)
        say("a group with a name of 32,000 letters")
        figures.append(_long(cluster, address))
    return figures


def _is_told(scrape: Scrape) -> bool:
    return scrape.value("keywatch_group_lag_records", group=_WATCHED) == _RECORDS - 4


def _flooded(
    exporter: ExporterProcess, process: psutil.Process, address: str, names: list[str], size: int, seconds: float
) -> Figure:
    client = threading.Thread(target=raw.flood, args=(address, names, {(_TOPIC, 0): 1}), daemon=True)
    began = time.monotonic()
    with Recorder(exporter, 1.0, "?collect[]=health") as recorder:
        client.start()
        client.join()
        took = time.monotonic() - began
        left = size - bounds.GROUPS
        exporter.until(
            lambda s: (s.value("keywatch_probe_left_out", kind="group") or 0) >= left, 120, "all are counted"
        )
        time.sleep(_SETTLE)
        before, started = process.cpu_times(), time.monotonic()
        time.sleep(seconds)
        after = process.cpu_times()
        share = (after.user + after.system - before.user - before.system) / (time.monotonic() - started)
    lag = exporter.scrape().value("keywatch_event_loop_lag_seconds") or 0.0
    untold = sum(not _is_told(scrape) for scrape in recorder.scrapes)
    largest = max(len(scrape.text) for scrape in recorder.scrapes)
    memory = process.memory_info().rss / 1e6
    times = spread([scrape.took for scrape in recorder.scrapes])
    return Figure(
        f"{size:,} groups of one client, {len(names):,} of them made in {took:.0f} s; {bounds.GROUPS:,} are read",
        "the watched group's lag in every scrape, ≤ 250 MB, ≤ 0.5 of a core afterwards",
        f"missing in {untold} of {len(recorder.scrapes)}, {memory:.0f} MB, {share:.2f} of a core, a health scrape"
        f" {largest / 1e6:.1f} MB in {times}, loop lag {lag * 1000:.0f} ms",
        untold == 0 and memory <= 250 and share <= 0.5,
    )


def _long(cluster: KafkaCluster, address: str) -> Figure:
    section = {"include": ["x.*"]}
    with ExporterProcess(scene.config(cluster.bootstrap, canary={"enabled": False}, groups=section)) as exporter:
        exporter.until(lambda s: len(s.all("keywatch_topic_partitions", topic="wide")) == 1, 60, "the topic is there")
        before = len(exporter.scrape().text)
        for first in range(0, _PARTITIONS, _AT_ONCE):  # of a batch of such keys a broker takes no more than 1 MB
            raw.flood(address, [_LONG], {("wide", index): 0 for index in range(first, first + _AT_ONCE)})
        seen = exporter.until(
            lambda s: len(s.all("keywatch_group_partition_committed_offset")) == _PARTITIONS, 60, "its lag is told"
        )
        grown = (len(seen.text) - before) / 1e6
        lag = seen.value("keywatch_event_loop_lag_seconds") or 0.0
    return Figure(
        f"a group whose name has {len(_LONG):,} letters, that committed on {_PARTITIONS:,} partitions",
        "≤ 5 MB of /metrics for it",
        f"{grown:.1f} MB, loop lag {lag * 1000:.0f} ms",
        grown <= 5,
    )
