"""What 10,000 partitions and 1,000 groups cost: CPU, memory, the brokers' share; and whether faults are still seen."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import psutil

from tests.bench import large_scene
from tests.bench.figures import Figure, spread
from tests.kafka import scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Recorder, Scrape

_SIZE = large_scene.Size()
_WHERE = "10,000 partitions, 1,000 groups of ten commits"
_LITTLE_GROUPS = 10
_IDLE_SECONDS = 5.0


@dataclass
class Found:
    """What some cycles cost: seconds of each, MiB of memory, and the brokers' CPU seconds a cycle."""

    wall: list[float]
    cpu: list[float]
    rendering: list[float]
    held: float
    rss: float
    bytes: int
    series: int
    brokers: float = 0.0


class _Measured:
    """The process that runs lag cycles (`large_cycles`), and the brokers whose CPU is counted meanwhile."""

    def __init__(self, cluster: KafkaCluster) -> None:
        self._brokers = [psutil.Process(node.pid) for node in cluster.nodes]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.large_cycles", cluster.bootstrap],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._idle = 0.0

    def idle(self) -> None:
        """Learn what the brokers need while nobody asks them."""
        before, started = self._cpu(), time.monotonic()
        time.sleep(_IDLE_SECONDS)
        self._idle = (self._cpu() - before) / (time.monotonic() - started)

    def run(self, count: int, order: str = "cycles") -> Found:
        """Run so many cycles."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        before, started = self._cpu(), time.monotonic()
        self._process.stdin.write(f"{order} {count}\n")
        self._process.stdin.flush()
        found = Found(**json.loads(self._process.stdout.readline()))
        found.brokers = (self._cpu() - before - self._idle * (time.monotonic() - started)) / count
        return found

    def _cpu(self) -> float:
        return sum(times.user + times.system for times in (broker.cpu_times() for broker in self._brokers))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._process.kill()
        self._process.communicate()


def measure(cycles: int, kills: int, say: Callable[[str], None]) -> list[Figure]:
    """Make the cluster, run `cycles` lag cycles with nothing, little and everything changed, then kill a broker."""
    with large_scene.cluster() as cluster:
        say("making the large cluster")
        large_scene.build(cluster.bootstrap, _SIZE)
        with _Measured(cluster) as measured:
            measured.run(15)
            measured.idle()
            measured.run(5, "settle")
            say(f"{cycles} cycles, nothing changes")
            early = measured.run(cycles // 10).rss
            quiet = measured.run(cycles)
            say("cycles, little changes")
            little = [_changed(cluster, measured, turn, _LITTLE_GROUPS) for turn in range(10)]
            say("cycles, everything changes")
            busy = [_changed(cluster, measured, turn + 10, _SIZE.groups) for turn in range(10)]
            say("cycles, nothing changes, again")
            after = measured.run(max(cycles // 10, 10))
        figures = _cycle_figures(quiet, little, busy, (early, quiet.rss, after.rss), cycles)
        figures += _faults(cluster, kills, say)
    return figures


def _changed(cluster: KafkaCluster, measured: _Measured, turn: int, groups: int) -> Found:
    """Have so many groups' partitions grow by a record, and each of them commit all but that; then run a cycle."""
    counts = {}
    for index in range(groups):
        _, topic, partitions = _SIZE.group(index)
        counts.update({(topic, partition): 1 for partition in partitions})
    large_scene.produce(cluster.bootstrap, counts)
    large_scene.commit(cluster.bootstrap, _SIZE, dict.fromkeys(range(groups), 2 + turn % 10))
    return measured.run(1)


def _cycle_figures(
    quiet: Found, little: list[Found], busy: list[Found], memory: tuple[float, float, float], cycles: int
) -> list[Figure]:
    def cost(what: str, found: list[Found], cpu_goal: float, peers: str = "") -> Figure:
        wall = [value for one in found for value in one.wall]
        cpu = [value for one in found for value in one.cpu]
        brokers = sum(one.brokers for one in found) / len(found)
        held = max(one.held for one in found)
        middle, middle_wall = sorted(cpu)[len(cpu) // 2], sorted(wall)[len(wall) // 2]
        return Figure(
            f"lag cycle (ends, commits, lag, rendering), {_WHERE}, {what}; min / median / max of {len(cpu)}",
            f"≤ 0.6 s, ≤ {cpu_goal:.2f} s CPU, brokers ≤ 0.4 s CPU, longest piece ≤ 20 ms",
            f"{spread(wall)}, CPU {spread(cpu, digits=3)}, brokers {brokers:.2f} s, longest piece {held * 1000:.0f} ms",
            middle_wall <= 0.6 and middle <= cpu_goal and brokers <= 0.4 and held <= 0.02,
            peers,
        )

    rendering = [value for one in busy for value in one.rendering]
    again = [value * 1000 for value in quiet.rendering]
    early, late, changed = (value * 1.048576 for value in memory)
    size = f"{quiet.series:,} series, {quiet.bytes / 1e6:.1f} MB"
    return [
        cost("nothing changes", [quiet], 0.15),
        cost(f"{_LITTLE_GROUPS} groups and their partitions change", little, 0.15),
        cost("all commits and all ends change", busy, 0.35, "0.64 s, CPU 0.29 s; 25.7 s, CPU 15.6 s"),
        Figure(
            f"rendering all of it, CPU ({size})",
            "≤ 30 ms",
            f"{spread([value * 1000 for value in rendering], 'ms', 0)} when half of it changed,"
            f" {spread(again, 'ms', 1)} when nothing did",
            sorted(rendering)[len(rendering) // 2] <= 0.03,
        ),
        Figure(
            f"memory of these probes after {cycles // 10} and {cycles} more cycles, and when every group is behind",
            "≤ 130 MB, flat",
            f"{early:.0f} MB, {late:.0f} MB; {changed:.0f} MB",
            max(early, late, changed) <= 130 and late - early <= 3,
            "115 to 131 MiB; 328 MiB",
        ),
    ]


def _faults(cluster: KafkaCluster, kills: int, say: Callable[[str], None]) -> list[Figure]:
    """Watch the large cluster with everything on; kill a broker and see when that is seen."""
    down: list[float] = []
    false = 0
    with ExporterProcess(scene.config(cluster.bootstrap, topics={"watch": ["topic-0"]})) as exporter:
        exporter.until(_well, 120, "all is read")
        time.sleep(20.0)  # until it has settled
        process = psutil.Process(exporter.pid)
        with Recorder(exporter, 1.0) as full, Recorder(exporter, 0.02, "?collect[]=health") as fast:
            say("the exporter with everything on")
            before, started = process.cpu_times(), time.monotonic()
            time.sleep(20.0)
            spent = process.cpu_times()
            share = (spent.user + spent.system - before.user - before.system) / (time.monotonic() - started)
            lag = max(s.value("keywatch_event_loop_lag_seconds") or 0.0 for s in full.scrapes)
            for turn in range(kills):
                node = cluster.nodes[turn % 3]
                false += _false(fast, set())
                fast.scrapes.clear()
                moment = node.kill()
                label = str(node.id)
                down.append(
                    fast.first(lambda s, b=label: s.value("keywatch_broker_up", broker=b) == 0, moment, 20.0, "down")  # type: ignore[misc]
                )
                time.sleep(5.0)
                false += _false(fast, {label})
                node.spawn()
                exporter.until(_well, 180, "all is well again")
                say(f"killed {turn + 1}: down after {down[-1]:.2f} s")
                fast.scrapes.clear()
        memory = process.memory_info().rss / 1e6
    took = [scrape.took for scrape in full.scrapes]
    return [
        Figure(
            f"the exporter with everything on and scraped every second, {_WHERE}",
            "≤ 130 MB",
            f"{share * 100:.0f} % of one core, {memory:.0f} MB, /metrics {spread(took)},"
            f" loop lag ≤ {lag * 1000:.0f} ms",
            memory <= 130,
        ),
        Figure(
            f"broker killed → `broker_up` 0 at that size ({kills} runs, min / median / max)",
            "≤ 1.5 s, no false `broker_up 0`",
            f"{spread(down)}, {false} false",
            max(down) <= 1.5 and not false,
        ),
    ]


def _well(scrape: Scrape) -> bool:
    return (
        scrape.total("keywatch_broker_up") == 3
        and scrape.total("keywatch_group_up") == _SIZE.groups
        and scrape.total("keywatch_topic_partitions_unread") == 0
        and scrape.total("keywatch_topic_partitions_offline") == 0
    )


def _false(recorder: Recorder, dead: set[str]) -> int:
    """Count scrapes that call a broker dead that is not among the `dead`."""
    return sum(
        any(
            not value and dict(labels)["broker"] not in dead
            for labels, value in scrape.all("keywatch_broker_up").items()
        )
        for scrape in list(recorder.scrapes)
    )
