"""What reading events costs: the parser alone, an exporter at 5,000 events a second, and what it does when flooded."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psutil

from keywatch.listeners.known import KNOWN
from keywatch.listeners.parser import Parser
from tests.bench.figures import Figure
from tests.exporter.listeners.records import recorded
from tests.kafka import admin, scene
from tests.kafka.event_source import EventSource, snuk87
from tests.kafka.exporter_process import ExporterProcess, Scrape

_PARSED = 200_000
_RATE = 5_000
_FLOOD = 500_000
_PARTITIONS = 6
_TOPIC = "keycloak-events"
_RECEIVED = "keywatch_events_received_total"


def measure(seconds: float, say: Callable[[str], None]) -> list[Figure]:
    """Parse recorded events, then read 5,000 a second for `seconds`, then a flood after a standstill."""
    say("events: the parser")
    figures = [_parser(listener) for listener in ("scriptonbasestar", "snuk87")]
    with scene.cluster() as cluster:
        admin.create_topic(cluster.bootstrap, _TOPIC, partitions=_PARTITIONS, replicas=3)
        config = {"topics": {"watch": [_TOPIC]}, "events": [{"listener": "snuk87"}]}
        with ExporterProcess(scene.config(cluster.bootstrap, **config)) as exporter:
            exporter.until(lambda s: s.value("keywatch_events_up") == 1, 60, "the events are read")
            say(f"events: quiet, {seconds / 2:.0f} s")
            quiet = _share(exporter, seconds / 2)
            say(f"events: {_RATE} a second, {seconds:.0f} s")
            figures.append(_steady(cluster.bootstrap, exporter, seconds, quiet))
            say(f"events: a flood of {_FLOOD} after a standstill")
            figures.append(_flooded(cluster.bootstrap, exporter))
    return figures


def _parser(listener: str) -> Figure:
    parse = Parser(KNOWN[listener]).parse
    records = [(record.topic, record.key, record.value) for record in recorded(listener)]
    rounds = range(_PARSED // len(records))
    started = time.thread_time()
    for _ in rounds:
        for record in records:
            parse(*record)
    rate = len(rounds) * len(records) / (time.thread_time() - started)
    size = sum(len(value) for _, _, value in records) / len(records)
    return Figure(
        f"records of {listener} parsed on one core, recorded ones of {size:.0f} bytes on average",
        "≥ 100,000 a second",
        f"{rate:,.0f} a second",
        rate >= 100_000,
    )


def _share(exporter: ExporterProcess, seconds: float) -> float:
    """Return the share of a core that the exporter uses, scraped every second."""
    process = psutil.Process(exporter.pid)
    before, started = process.cpu_times(), time.monotonic()
    while time.monotonic() - started < seconds:
        exporter.get("/metrics")
        time.sleep(1.0)
    after = process.cpu_times()
    return (after.user + after.system - before.user - before.system) / (time.monotonic() - started)


def _steady(bootstrap: str, exporter: ExporterProcess, seconds: float, quiet: float) -> Figure:
    process = psutil.Process(exporter.pid)
    begun = exporter.scrape()
    with _writing(bootstrap, _RATE):
        exporter.until(lambda s: s.total(_RECEIVED) > begun.total(_RECEIVED) + _RATE, 30, "events flow")
        first = exporter.scrape()
        share = _share(exporter, seconds)
        last = exporter.scrape()
    rate = (last.total(_RECEIVED) - first.total(_RECEIVED)) / (last.at - first.at)
    memory = process.memory_info().rss / 2**20
    lag = last.value("keywatch_event_loop_lag_seconds") or 0.0
    within = _within(last, "0.5") - _within(first, "0.5")
    arrived = within / (_within(last, "+Inf") - _within(first, "+Inf"))
    return Figure(
        f"an exporter that reads {_RATE:,} events a second from {_PARTITIONS} partitions on 3 brokers",
        "≤ 25 % of one core, memory bounded",
        f"{share * 100:.1f} % of one core at {rate:,.0f} events a second ({quiet * 100:.1f} % without events),"
        f" {memory:.0f} MiB; {arrived * 100:.1f} % of them read within 0.5 s;"
        f" event loop held up for {lag * 1000:.0f} ms at most",
        share <= 0.25 and rate >= 0.95 * _RATE,
    )


def _within(scrape: Scrape, bound: str) -> float:
    return scrape.total("keywatch_event_arrival_delay_seconds_bucket", le=bound)


def _flooded(bootstrap: str, exporter: ExporterProcess) -> Figure:
    """Stop the process, write far more than it may hold, and let it go on."""
    process = psutil.Process(exporter.pid)
    before = _settled(exporter)
    os.kill(exporter.pid, signal.SIGSTOP)
    with EventSource(bootstrap, **{"queue.buffering.max.messages": 1_000_000, "linger.ms": 50}) as source:
        source.send(snuk87(number) for number in range(-_FLOOD, 0))
    os.kill(exporter.pid, signal.SIGCONT)
    started, cpu = time.monotonic(), sum(process.cpu_times()[:2])
    behind, peak, lag = 0.0, 0.0, 0.0
    while True:
        seen = exporter.scrape()
        behind = max(behind, seen.total("keywatch_events_behind_records"))
        peak = max(peak, process.memory_info().rss / 2**20)
        if seen.at - started > 11:  # the lag is that of the last ten seconds, and the standstill is no lag
            lag = max(lag, seen.value("keywatch_event_loop_lag_seconds") or 0.0)
        if seen.total(_RECEIVED) >= before + _FLOOD and not seen.total("keywatch_events_behind_records"):
            break
        time.sleep(0.2)
    took, spent = time.monotonic() - started, sum(process.cpu_times()[:2]) - cpu
    return Figure(
        f"the same after a standstill in which {_FLOOD:,} events came",
        "says so, memory bounded, none lost",
        f"`keywatch_events_behind_records` up to {behind:,.0f}; all read after {took:.1f} s with {spent:.1f} s of CPU,"
        f" {peak:.0f} MiB at most",
        behind > 0 and peak < 300 and seen.total(_RECEIVED) == before + _FLOOD,
    )


def _settled(exporter: ExporterProcess) -> float:
    """Wait until no more events come, and give how many came."""
    known, since = -1.0, time.monotonic()
    while time.monotonic() - since < 3:
        count = exporter.scrape().total(_RECEIVED)
        if count != known:
            known, since = count, time.monotonic()
        time.sleep(0.2)
    return known


@contextmanager
def _writing(bootstrap: str, rate: int) -> Iterator[None]:
    """Have another process write events at a steady rate."""
    ended = multiprocessing.Event()
    writer = multiprocessing.Process(target=_write, args=(bootstrap, rate, ended), daemon=True)
    writer.start()
    try:
        yield
    finally:
        ended.set()
        writer.join(30)


def _write(bootstrap: str, rate: int, ended: Any) -> None:
    numbers = itertools.count()
    with EventSource(bootstrap, **{"linger.ms": 20}) as source:
        due = time.monotonic()
        while not ended.is_set():
            source.write(snuk87(next(numbers)) for _ in range(rate // 50))
            due += 1 / 50
            time.sleep(max(due - time.monotonic(), 0))
        source.flush()
