"""Runs the benchmarks on a real Kafka and writes docs/benchmarks.md; `--quick` runs a short set and writes nothing."""

from __future__ import annotations

import argparse
import datetime as dt
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path

from tests.bench import cost, detection, dlq, large, many, slow
from tests.bench.figures import Figure, table
from tests.kafka.distribution import requirements_missing

_DOCUMENT = Path(__file__).parents[2] / "docs" / "benchmarks.md"
_WITHOUT_KAFKA = ("dlq",)


def main() -> int:
    """Run the benchmarks that are asked for; exit code 1 when a goal is missed, 2 when Kafka cannot run here."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 repetitions, short, nothing is written")
    parser.add_argument(
        "--only",
        choices=["detection", "slow", "probe", "idle", "large", "many", "dlq"],
        help="one part; nothing is written",
    )
    options = parser.parse_args()
    if options.only not in _WITHOUT_KAFKA and (reason := requirements_missing()):
        print(f"make bench needs a real Kafka: {reason}", file=sys.stderr)
        return 2
    started = dt.datetime.now(dt.UTC)
    parts: dict[str, Callable[[], list[Figure]]] = {
        "detection": lambda: detection.measure(3 if options.quick else 20, _say),
        "slow": lambda: slow.measure(30 if options.quick else 600, _say),
        "probe": lambda: cost.measure_probe(_say),
        "idle": lambda: cost.measure_idle(15 if options.quick else 60, _say),
        "many": lambda: many.measure(15 if options.quick else 60, _say),
        "dlq": lambda: dlq.measure(10 if options.quick else 60, not options.quick, _say),
        "large": lambda: large.measure(50 if options.quick else 1000, 1 if options.quick else 3, _say),
    }
    figures: list[Figure] = []
    for name, part in parts.items():
        if options.only in (None, name):
            figures += part()
    print(table(figures))
    if not options.quick and not options.only:
        _DOCUMENT.write_text(_document(figures, started), encoding="utf-8")
    return 0 if all(figure.met for figure in figures) else 1


def _document(figures: list[Figure], started: dt.datetime) -> str:
    machine = f"{os.cpu_count()} cores, shared with others"
    return f"""# Benchmarks

<!-- Written by `make bench`. -->

Measured on {started:%Y-%m-%d} by `make bench`: three real Apache Kafka 4.4 nodes, the exporter and the scraper on one
machine ({machine}; Python {platform.python_version()}). Seconds count from the system call that makes the fault until a
scrape that shows it has ended; /metrics is scraped every 20 ms. Peers: kafka_exporter, KMinion and Burrow in the same
faults on such a machine, default settings.

{table(figures)}

How each is measured stands in `tests/bench/`; `make bench BENCH=--quick` runs a short set without writing this file.
"""


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
