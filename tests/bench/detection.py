"""How fast faults become visible in /metrics, how fast repairs, and how fast /metrics answers meanwhile."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.bench.figures import Figure, percentile, spread
from tests.kafka import scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Recorder, Scrape
from tests.kafka.node import KafkaNode
from tests.kafka.waiting import wait_until

_HEALED_WITHIN = 120.0
_MISSED_AFTER = 20.0
_SCRAPE_PERIOD = 0.02
_HEALTH = "?collect[]=health"


@dataclass
class _Times:
    down: list[float] = field(default_factory=list)
    offline: list[float] = field(default_factory=list)
    below: list[float] = field(default_factory=list)
    up: list[float] = field(default_factory=list)
    scrapes: list[float] = field(default_factory=list)
    errors: int = 0
    understated: int = 0
    missed: int = 0


def measure(repetitions: int, say: Callable[[str], None]) -> list[Figure]:
    """Kill and freeze a broker `repetitions` times each, then all brokers once each way."""
    with scene.cluster() as cluster:
        groups = scene.build(cluster)
        with ExporterProcess(scene.config(cluster.bootstrap)) as exporter:
            killed, frozen, everything = _Times(), _Times(), _Times()
            for turn in range(repetitions):
                node = cluster.nodes[turn % 3]
                _well(exporter, groups)
                _once(exporter, groups, node, killed, node.kill, node.spawn)
                say(f"killed {turn + 1}: down after {killed.down[-1]:.2f} s")
            for turn in range(repetitions):
                node = cluster.nodes[turn % 3]
                _well(exporter, groups)
                _once(exporter, groups, node, frozen, node.freeze, node.thaw)
                say(f"frozen {turn + 1}: down after {frozen.down[-1]:.2f} s")
            for kill in (True, False):
                _well(exporter, groups)
                _all_dead(cluster, exporter, groups, everything, kill=kill)
                say("all brokers killed" if kill else "all brokers frozen")
    return _figures(killed, frozen, everything, repetitions)


def _well(exporter: ExporterProcess, groups: list[str]) -> None:
    exporter.until(lambda scrape: scene.well(scrape, groups), _HEALED_WITHIN, "all is well before the next fault")


def _once(
    exporter: ExporterProcess,
    groups: list[str],
    node: KafkaNode,
    times: _Times,
    breaking: Callable[[], float],
    mending: Callable[[], object],
) -> None:
    label = str(node.id)
    with Recorder(exporter, _SCRAPE_PERIOD, _HEALTH) as fast, Recorder(exporter, 0.25) as full:
        moment = breaking()
        try:
            times.down.append(fast.first(lambda s: _is(s, "broker_up", 0, broker=label), moment, _MISSED_AFTER, "down"))
            times.offline.append(fast.first(_single_offline, moment, _MISSED_AFTER, "offline"))
            times.below.append(fast.first(_strict_below, moment, _MISSED_AFTER, "below min ISR"))
        except TimeoutError:
            times.missed += 1
        time.sleep(2.0)  # the fault goes on for a while, because the scrapes during it are measured too
        mending()
        if not node.frozen:
            wait_until(lambda: _answers(node), _HEALED_WITHIN, "the port answers")
        repaired = time.monotonic()
        times.up.append(fast.first(lambda s: _is(s, "broker_up", 1, broker=label), repaired, _MISSED_AFTER, "up"))
    _count(times, fast, full, groups)


def _all_dead(
    cluster: KafkaCluster, exporter: ExporterProcess, groups: list[str], times: _Times, *, kill: bool
) -> None:
    with Recorder(exporter, _SCRAPE_PERIOD, _HEALTH) as fast, Recorder(exporter, 0.25) as full:
        moment = min(node.kill() if kill else node.freeze() for node in cluster.nodes)
        times.down.append(fast.first(lambda s: _is(s, "cluster_up", 0), moment, _MISSED_AFTER, "cluster down"))
        time.sleep(10.0)  # the scrapes during the outage are measured
        for node in cluster.nodes:
            if kill:
                node.spawn()
            else:
                node.thaw()
        _well(exporter, groups)
    _count(times, fast, full, groups)


def _count(times: _Times, fast: Recorder, full: Recorder, groups: list[str]) -> None:
    times.scrapes += [scrape.took for scrape in (*fast.scrapes, *full.scrapes)]
    times.errors += len(fast.errors) + len(full.errors)
    times.understated += sum(bool(scene.understated(scrape, groups)) for scrape in full.scrapes)


def _is(scrape: Scrape, name: str, value: float, **labels: str) -> bool:
    return scrape.value(f"keywatch_{name}", **labels) == value


def _single_offline(scrape: Scrape) -> bool:
    return _is(scrape, "topic_partitions_offline", 1, topic=scene.SINGLE)


def _strict_below(scrape: Scrape) -> bool:
    return _is(scrape, "topic_partitions_below_min_isr", 3, topic=scene.STRICT)


def _answers(node: KafkaNode) -> bool:
    """Return whether the broker answers a request, not only whether its port is open."""
    try:
        with socket.create_connection((node.host, node.port), 0.2) as connection:
            connection.sendall(bytes.fromhex("0000000a 0012 0000 00000001 ffff"))  # ApiVersions v0
            return len(connection.recv(4)) == 4
    except OSError:
        return False


def _figures(killed: _Times, frozen: _Times, everything: _Times, repetitions: int) -> list[Figure]:
    scrapes = killed.scrapes + frozen.scrapes + everything.scrapes
    p99 = percentile(scrapes, 0.99)
    errors = killed.errors + frozen.errors + everything.errors
    understated = killed.understated + frozen.understated + everything.understated
    runs = f"{repetitions} runs, min / median / max"
    recovery = killed.up + frozen.up
    return [
        Figure(
            f"broker killed → `broker_up` 0 ({runs})",
            "≤ 1.2 s, none missed",
            f"{spread(killed.down)}, {killed.missed} missed",
            max(killed.down) <= 1.2 and not killed.missed,
            "17.8 s … never",
        ),
        Figure(
            f"broker frozen → `broker_up` 0 ({runs})",
            "≤ 2.7 s, none missed",
            f"{spread(frozen.down)}, {frozen.missed} missed",
            max(frozen.down) <= 2.7 and not frozen.missed,
            "39 s … never",
        ),
        Figure(
            "broker answers again → `broker_up` 1",
            "≤ 1.5 s",
            spread(recovery),
            max(recovery) <= 1.5,
        ),
        Figure(
            "kill → partition offline (effective)",
            "≤ 1.5 s",
            spread(killed.offline),
            max(killed.offline) <= 1.5,
            "13.5 to 18.5 s",
        ),
        Figure(
            "kill → below min ISR (effective)",
            "≤ 1.5 s",
            spread(killed.below),
            max(killed.below) <= 1.5,
            "13.5 to 18.5 s",
        ),
        Figure(
            "all brokers killed, all frozen → `cluster_up` 0",
            "≤ 5 s",
            ", ".join(f"{value:.2f} s" for value in everything.down),
            max(everything.down) <= 5,
            "60 s … never",
        ),
        Figure(
            "`/metrics` while brokers are killed, frozen, all dead",
            "p99 ≤ 50 ms, no error",
            f"p50 {percentile(scrapes, 0.5) * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms, max {max(scrapes) * 1000:.0f} ms"
            f" of {len(scrapes)}, {errors} errors",
            p99 <= 0.05 and errors == 0,
            "5 s … > 60 s",
        ),
        Figure(
            "sums of lag below the truth without `partitions_unknown` > 0",
            "none",
            f"{understated} scrapes",
            understated == 0,
            "1080 → 465, → 0",
        ),
    ]
