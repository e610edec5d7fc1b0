"""What one thing that goes wrong costs all others: pieces of the event loop, look-ups of names, rounds of hashing."""

from __future__ import annotations

import asyncio
import gc
import hashlib
import logging
import socket
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from keywatch.engine.incidents import Incidents
from keywatch.engine.probe import ProbeError, Reason, Schedule
from keywatch.engine.runner import Runner
from keywatch.engine.series import MetricSeries, Rows, SeriesSet
from keywatch.engine.slices import Pieces
from keywatch.engine.store import Key, Store
from keywatch.kafka.security import sasl
from keywatch.metrics import cluster, groups
from keywatch.net.resolver import Resolver
from keywatch.probes.reconciliation.balance import Reconciliation
from keywatch.probes.reconciliation.tally import CountKey
from keywatch.service.config_file import parse
from keywatch.service.watch import Watch
from keywatch.web.page.page import writing
from tests.bench.figures import Figure
from tests.exporter.probes import test_deadlines as deadlines
from tests.virtual_time import in_virtual_time

_TOPICS, _PARTITIONS, _GROUPS = 10_000, 10, 1_000
_HANGING = 250
_LOOKUPS = 1_000
_ROUNDS = 10
_LONGEST = 0.02
_ALERTS = cluster.TOPIC_PARTITIONS_OFFLINE, cluster.TOPIC_PARTITIONS_UNDER_REPLICATED
_COUNTS = (
    *(cluster.TOPIC_PARTITIONS, *_ALERTS),
    *(cluster.TOPIC_PARTITIONS_ELECTING, cluster.TOPIC_PARTITIONS_BELOW_MIN_ISR),
)
_DETAILS = cluster.PARTITION_LEADER, cluster.PARTITION_REPLICAS, cluster.PARTITION_IN_SYNC_REPLICAS


class _Topics:
    """A probe by name."""

    cluster, name, target = "c", "topics", ""
    schedule = Schedule(1.0, 2.0)


def measure(say: Callable[[str], None]) -> list[Figure]:
    """Measure each in the process itself."""
    say("names of a zone that hangs")
    names = asyncio.run(_names())
    logging.disable()
    try:
        say("a right that is missing among very many topics")
        rights = _rights()
        say("the page for people")
        page = _page()
    finally:
        logging.disable(logging.NOTSET)
    say("reconciliation of very many kinds of events")
    balance = _balance()
    say("runs of all probes with peers that answer just in time")
    return [*rights, page, balance, *names, _hashing(), _runs()]


def _rights() -> list[Figure]:
    figures = []
    for troubled in (False, True):
        told = _topics(troubled=troubled)
        runner = Runner(Store(), Incidents())
        missing = ProbeError(Reason.AUTHORIZATION, "Describe on Topic:x is missing", told)
        _worked_off(lambda runner=runner, told=told: runner._succeeded(_Topics(), 0.0, told))  # type: ignore[misc]
        well = [_worked_off(lambda r=runner, t=told: r._succeeded(_Topics(), 0.0, t)) for _ in range(_ROUNDS)]  # type: ignore[misc]
        bad = [_worked_off(lambda r=runner, m=missing: r._failed(_Topics(), 0.0, m)) for _ in range(_ROUNDS)]  # type: ignore[misc]
        longest = max(piece for piece, _ in bad)
        cost, usual = (statistics.median(whole for _, whole in some) for some in (bad, well))
        what = "each topic has partitions offline" if troubled else "all is well"
        figures.append(
            Figure(
                f"{_TOPICS * _PARTITIONS:,} partitions, {len(told):,} series, one right is missing while {what}",
                "≤ twice the CPU of success, longest piece ≤ 20 ms",
                f"{cost * 1e3:.1f} ms, success {usual * 1e3:.1f} ms; longest piece {longest * 1e3:.1f} ms"
                + ("" if troubled else " (before: 528 ms in one piece)"),
                cost <= 2 * usual + 0.001 and longest <= _LONGEST,
            )
        )
    return figures


def _topics(*, troubled: bool) -> SeriesSet:
    series = []
    for number in range(_TOPICS):
        one = Rows([("c", f"t{number}")])
        rows = Rows([("c", f"t{number}", str(index)) for index in range(_PARTITIONS)])
        notes = ("1 of 10 partitions is offline: 3",) if troubled else None
        series += [MetricSeries(metric, one, [1], notes if metric in _ALERTS else None) for metric in _COUNTS]
        series += [MetricSeries(metric, rows, [1] * _PARTITIONS) for metric in _DETAILS]
    return SeriesSet(series)


def _page() -> Figure:
    watch = Watch(parse("clusters: [{name: c, bootstrap: ['127.0.0.1:1']}]", "bench"))
    told, key = _topics(troubled=True), Key("c", "topics", "")
    lags = [
        MetricSeries(metric, Rows([("c", f"g{number}", f"t{topic}") for topic in range(5)]), [number] * 5)
        for number in range(_GROUPS)
        for metric in (groups.GROUP_LAG_RECORDS, groups.GROUP_LAG_SECONDS, groups.GROUP_PARTITIONS_UNKNOWN)
    ]
    for own, samples in ((key, told), (Key("c", "groups", ""), SeriesSet(lags))):
        watch.store.replace(own, samples, 0.0, float("inf"))
    watch.incidents.observe(key, told, 0.0)
    taken = [_worked_off(lambda: writing(watch, time.time())) for _ in range(_ROUNDS)]
    longest, whole = max(piece for piece, _ in taken), statistics.median(whole for _, whole in taken)
    return Figure(
        f"the page for people: {_TOPICS:,} topics, {len(watch.incidents):,} things that are wrong, {_GROUPS:,} groups",
        "≤ 0.2 s of CPU, longest piece ≤ 20 ms",
        f"{whole * 1e3:.0f} ms, longest piece {longest * 1e3:.1f} ms (before: 0.74 s in one piece)",
        whole <= 0.2 and longest <= _LONGEST,
    )


def _balance() -> Figure:
    kinds = [CountKey(f"r{number % 100}", f"e{number}", "success") for number in range(4_000)]
    judged, counted, pieces, sums = Reconciliation(10.0, 60.0), dict.fromkeys(kinds, 0), [0.0], [0.0]
    for second in range(40):
        for kind in kinds:
            counted[kind] += 1
        now = float(second)
        sampled = _worked_off(lambda now=now: judged.sampling(now, now, now, counted, 0))  # type: ignore[misc]
        for kind in kinds:
            judged.arrived(kind, now - 0.5)
        found = _worked_off(lambda now=now: judged.judging(now, 0.0))  # type: ignore[misc]
        pieces += [sampled[0], found[0]]
        sums.append(sampled[1] + found[1])
    return Figure(
        f"{len(kinds):,} kinds of events, of which one of each comes every second: sample and judgement",
        "longest piece ≤ 20 ms",
        f"longest piece {max(pieces) * 1e3:.1f} ms, {statistics.median(sums) * 1e3:.0f} ms of CPU a second",
        max(pieces) <= _LONGEST,
    )


async def _names() -> list[Figure]:
    """Have many names hang, as the system's resolver does while a zone has no name server that answers."""
    real, ends = socket.getaddrinfo, threading.Event()

    def system(host: str, *arguments: Any, **options: Any) -> Any:
        if host.endswith(".dead"):
            ends.wait()
        return real("localhost", *arguments, **options)

    resolver, loop = Resolver(), asyncio.get_running_loop()
    socket.getaddrinfo = system  # type: ignore[assignment] # it has many types
    try:
        own = await _per_lookup(lambda: resolver.addresses("broker.well", 1))
        pool = await _per_lookup(lambda: loop.getaddrinfo("broker.well", 1, type=socket.SOCK_STREAM))
        before = _resident()
        hanging = [asyncio.ensure_future(resolver.addresses(f"b{number}.dead", 1)) for number in range(_HANGING)]
        await asyncio.sleep(1.0)
        memory = _resident() - before
        taken = []
        for _ in range(_ROUNDS):
            begun = time.perf_counter()
            await resolver.addresses("broker.well", 1)
            taken.append(time.perf_counter() - begun)
        for one in hanging:
            one.cancel()
    finally:
        ends.set()
        socket.getaddrinfo = real
    return [
        Figure(
            f"a name is looked up while {_HANGING} names of another zone hang",
            "≤ 0.1 s, ≤ 20 MB",
            f"{max(taken) * 1e3:.1f} ms at most (before: not at all); {memory / 1e6:.0f} MB for {_HANGING} threads",
            max(taken) <= 0.1 and memory <= 20e6,
        ),
        Figure(
            f"a look-up of a name, CPU ({_LOOKUPS:,} times)",
            "≤ twice that of the event loop's own",
            f"{own * 1e6:.0f} µs, the loop's own {pool * 1e6:.0f} µs",
            own <= 2 * pool,
        ),
    ]


async def _per_lookup(look_up: Callable[[], Any]) -> float:
    await look_up()
    begun = time.process_time()
    for _ in range(_LOOKUPS):
        await look_up()
    return (time.process_time() - begun) / _LOOKUPS


def _hashing() -> Figure:
    begun = time.process_time()
    hashlib.pbkdf2_hmac("sha512", b"correct-horse", b"salt", sasl._MOST_ROUNDS)
    spent = time.process_time() - begun
    return Figure(
        f"the most rounds of hashing that a broker may ask for, {sasl._MOST_ROUNDS:,} of SCRAM-SHA-512",
        "≤ 0.2 s of CPU, on a thread",
        f"{spent:.2f} s (before: no bound, and 1.8 cores without end at 9,999,999)",
        spent <= 0.2,
    )


def _runs() -> Figure:
    worst, count = 0.0, 0
    with (
        patch("keywatch.probes.events.probe.Tail", deadlines.FakeTail),
        patch("keywatch.probes.canary.probe.CanaryLink", deadlines.FakeLink),
    ):
        for make in deadlines.PROBES:
            for took in deadlines.TOOK.values():
                found, _ = in_virtual_time(deadlines.times(lambda make=make, took=took: make(took)))  # type: ignore[misc]
                worst, count = max(worst, *found), count + len(found)
    share = worst / deadlines.TIMEOUT
    return Figure(
        f"the longest of {count:,} runs of the probes, whose peers take from none to all of the time for an answer",
        "≤ 1.0 of its deadline",
        f"{share:.2f} of its deadline (before: up to 3.2)",
        share <= 1.001,
    )


def _worked_off(begin: Callable[[], Pieces[object]]) -> tuple[float, float]:
    """Return the longest piece and the sum of all, in CPU seconds; without what collecting this process costs."""
    gc.disable()
    taken: list[float] = []
    try:
        begun = time.process_time()
        for _ in begin():
            now = time.process_time()
            taken.append(now - begun)
            begun = now
        taken.append(time.process_time() - begun)
    finally:
        gc.enable()
    return max(taken), sum(taken)


def _resident() -> int:
    pages: Sequence[str] = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(pages[1]) * 4096
