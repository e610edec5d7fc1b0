"""What keywatch holds after a day of changes, what the canary remembers, and what a log costs that nobody reads."""

from __future__ import annotations

import logging
import os
import time
import tracemalloc
from collections.abc import Callable

from keywatch.probes.canary.ledger import CanaryLedger
from keywatch.service.log_writer import LogWriter
from tests.bench.figures import Figure
from tests.soak.day import live

_MEGABYTE = 1024 * 1024
_RECORDS, _PARTITIONS, _LINES = 20_000, 100, 50_000


def measure(seconds: float, say: Callable[[str], None]) -> list[Figure]:
    """Live through a day in so many seconds, and measure the rest beside."""
    day = live(seconds, say)
    first, last = day.before, day.after
    held, walk = _ledger()
    worst, lost = _log()
    return [
        Figure(
            f"{day.changes} changes in {seconds:.0f} s: brokers, clusters, topics, groups, reloads, visitors",
            "nothing grows by a tenth",
            f"{first.memory / _MEGABYTE:.1f} → {last.memory / _MEGABYTE:.1f} MB, {first.descriptors:.0f} → "
            f"{last.descriptors:.0f} descriptors, {first.threads:.0f} → {last.threads:.0f} threads, "
            f"{first.tasks:.0f} → {last.tasks:.0f} tasks",
            not day.complaints,
        ),
        Figure(
            f"the canary's book of {_PARTITIONS} partitions, after {_RECORDS:,} records each",
            "≤ 10 MB, ≤ 1 ms of CPU a second",
            f"{held * _PARTITIONS / _MEGABYTE:.1f} MB, {walk * _PARTITIONS * 1e3:.2f} ms",
            held * _PARTITIONS <= 10 * _MEGABYTE and walk * _PARTITIONS <= 1e-3,
        ),
        Figure(
            f"{_LINES:,} lines of the log into a pipe that nobody reads",
            "≤ 20 ms of CPU for the dearest, lost ones counted",
            f"{worst * 1e3:.2f} ms, {lost:,} counted",
            worst <= 0.02 and lost > 0,
        ),
    ]


def _ledger() -> tuple[float, float]:
    """Return the bytes that one partition takes, and the CPU seconds of a look for losses."""
    tracemalloc.start()
    book = CanaryLedger(0)
    for number in range(_RECORDS):
        book.sent(number, "1", float(number))
        book.acknowledged(number, number)
        book.record_read(number, number, number + 0.01)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    began = time.process_time()
    for _ in range(1000):
        book.losses()
    return float(held), (time.process_time() - began) / 1000


def _log() -> tuple[float, int]:
    """Return the CPU seconds of the dearest line, and how many found no room."""
    reading, writing = os.pipe()
    worst = 0.0
    with os.fdopen(writing, "w") as stream:
        writer = LogWriter(stream)
        for number in range(_LINES):
            began = time.thread_time()
            writer.handle(
                logging.LogRecord("x", logging.INFO, "x.py", number, "a line of usual length: %d", (1,), None)
            )
            worst = max(worst, time.thread_time() - began)
        lost = writer.lost
        os.close(reading)  # so that its thread need not wait for ever
        writer.flush()
    return worst, lost
