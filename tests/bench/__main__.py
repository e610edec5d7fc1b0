"""Runs the benchmarks on a real Kafka and keeps docs/benchmarks.md; `--quick` runs a short set and writes nothing."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.bench import (
    churn,
    cost,
    dashboards,
    detection,
    dlq,
    elections,
    event_path,
    events,
    flood,
    isolation,
    large,
    listener,
    log_path,
    logs,
    logs_model,
    many,
    misshapen,
    redrive,
    slow,
)
from tests.bench.figures import Figure, table
from tests.kafka.distribution import requirements_missing

_DOCS = Path(__file__).parents[2] / "docs"
_DOCUMENT, _RECORD = _DOCS / "benchmarks.md", _DOCS / "benchmarks.json"
_WITHOUT_KAFKA = ("dashboards", "dlq", "logs", "logs_model", "misshapen", "churn", "isolation")
_WORDS = {
    "detection": "Faults, and how fast they are seen",
    "slow": "Slow brokers and busy cores",
    "probe": "One broker probe",
    "idle": "A quiet cluster",
    "events": "Events",
    "dlq": "Dead letters",
    "redrive": "Dead letters that come back",
    "event_path": "The path from Keycloak to Kafka",
    "elections": "What elections take from a listener",
    "many": "Many brokers",
    "large": "A large cluster",
    "flood": "A client that makes groups without end",
    "logs_model": "Logstash's pipelines, as tests run them",
    "logs": "Logs in OpenSearch",
    "log_path": "The path of logs, with a stand-in for Logstash",
    "listener": "The check of a provider jar",
    "misshapen": "Answers that hurt",
    "churn": "A day of churn, in minutes",
    "isolation": "One thing that must not take down another",
    "dashboards": "Dashboards",
}


def main() -> int:
    """Run the benchmarks that are asked for; exit code 1 when a goal is missed, 2 when Kafka cannot run here."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="3 repetitions, short, nothing is written")
    parser.add_argument("--only", choices=list(_WORDS), action="append", help="one part (may be repeated)")
    options = parser.parse_args()
    wants_kafka = not options.only or not set(options.only) <= set(_WITHOUT_KAFKA)
    if wants_kafka and (reason := requirements_missing()):
        print(f"make bench needs a real Kafka: {reason}", file=sys.stderr)
        return 2
    parts: dict[str, Callable[[], list[Figure]]] = {
        "detection": lambda: detection.measure(3 if options.quick else 20, _say),
        "slow": lambda: slow.measure(30 if options.quick else 600, _say),
        "probe": lambda: cost.measure_probe(_say),
        "idle": lambda: cost.measure_idle(15 if options.quick else 60, _say),
        "events": lambda: events.measure(15 if options.quick else 60, _say),
        "event_path": lambda: event_path.measure(3 if options.quick else 10, 60 if options.quick else 600, _say),
        "elections": lambda: elections.measure(3 if options.quick else 15, _say),
        "many": lambda: many.measure(15 if options.quick else 60, _say),
        "dlq": lambda: dlq.measure(10 if options.quick else 60, not options.quick, _say),
        "redrive": lambda: redrive.measure(
            *((20_000, 3_000, 50_000) if options.quick else (500_000, 100_000, 1_000_000)), _say
        ),
        "logs_model": lambda: logs_model.measure(2000 if options.quick else 20_000, _say),
        "logs": lambda: logs.measure(20_000 if options.quick else 1_000_000, 3 if options.quick else 20, _say),
        "log_path": lambda: log_path.measure(20 if options.quick else 120, _say),
        "listener": lambda: listener.measure(3 if options.quick else 20, _say),
        "misshapen": lambda: misshapen.measure(_say),
        "churn": lambda: churn.measure(60 if options.quick else 420, _say),
        "isolation": lambda: isolation.measure(_say),
        "dashboards": lambda: dashboards.measure(_say),
        "large": lambda: large.measure(50 if options.quick else 1000, 1 if options.quick else 3, _say),
        "flood": lambda: flood.measure((6_000,) if options.quick else (20_000, 100_000), 10, _say),
    }
    met = True
    for name, part in parts.items():
        if options.only and name not in options.only:
            continue
        figures = part()
        print(f"\n{table(figures)}\n", flush=True)
        met = met and all(figure.met for figure in figures)
        if not options.quick:
            _write(name, figures)
    return 0 if met else 1


def _write(part: str, figures: list[Figure]) -> None:
    """Put a part's figures in place of those measured before, in the record and in the document made from it."""
    record = json.loads(_RECORD.read_text(encoding="utf-8")) if _RECORD.exists() else {}
    record[part] = {"measured": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}", "figures": [asdict(f) for f in figures]}
    _RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    _DOCUMENT.write_text(_document(record), encoding="utf-8")


def _document(record: dict[str, dict[str, Any]]) -> str:
    machine = f"{os.cpu_count()} cores, shared with others"
    parts = [
        f'## {words}\n\nBy `make bench BENCH="--only {part}"` on {record[part]["measured"]}.\n\n'
        + table([Figure(**figure) for figure in record[part]["figures"]])
        for part, words in _WORDS.items()
        if part in record
    ]
    return (
        f"""# Benchmarks

<!-- Written by `make bench` from benchmarks.json. -->

Measured by `make bench`, which runs all parts: real Apache Kafka 4.4 nodes, the exporter and the scraper on one machine
({machine}; Python {platform.python_version()}). Seconds count from the system call that makes the fault until a
scrape that shows it has ended; /metrics is scraped every 20 ms. Peers: kafka_exporter, KMinion and Burrow in the same
faults on such a machine, default settings. How each is measured stands in `tests/bench/`; `make bench BENCH=--quick`
runs a short set and writes nothing.

"""
        + "\n\n".join(parts)
        + "\n"
    )


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
