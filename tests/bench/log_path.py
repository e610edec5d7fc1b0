"""How long a record needs from Kafka until a search finds it, and what lags a healthy path of logs shows."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.bench.figures import Figure, spread
from tests.kafka.event_source import EventSource
from tests.kafka.exporter_process import Recorder, Scrape
from tests.logpath.log_path import INDEX, UNKNOWN, USER, LogPath, log_path, logins

_EVERY, _WARM_UP = 1.0, 15.0
_A_SECOND = 20
_LAST, _TOOK = "keywatch_log_canary_last_found_timestamp_seconds", "keywatch_log_canary_last_round_trip_seconds"
_GOAL = 3.0
"""Seconds: a refresh each, a look of keywatch, and what the stand-in for Logstash takes for a batch."""


def measure(seconds: float, say: Callable[[str], None]) -> list[Figure]:
    """Have events come for so long, marked ones among them."""
    canary = {"topic": USER, "every": _EVERY, "limit": 30.0, "period": 0.2, "timeout": 2.0}
    with log_path(canary=canary) as path:
        path.settled(60)
        return _measured(path, seconds, say)


def _measured(path: LogPath, seconds: float, say: Callable[[str], None]) -> list[Figure]:
    with EventSource(path.kafka.bootstrap) as source:
        sent = _send(source, 0, _WARM_UP)
        with Recorder(path.exporter) as recorder:
            sent = _send(source, sent, seconds)
    took = list({scrape.total(_LAST): scrape.total(_TOOK) for scrape in recorder.scrapes if scrape.all(_TOOK)}.values())
    records, unknown = _all(recorder.scrapes, INDEX), max(_all(recorder.scrapes, UNKNOWN))
    say(f"{sent} events; marked ones found after {spread(took)}; lag {spread(records, 'records', 0)}")
    return [
        Figure(
            f"marked event written to Kafka → found by a search ({len(took)} events, {_A_SECOND} others a second)",
            f"≤ {_GOAL:g} s, as it refreshes once a second",
            spread(took), len(took) > seconds / 3 and max(took) <= _GOAL,
        ),
        Figure(
            f"index lag that a healthy path shows, {_A_SECOND} events a second",
            f"≤ {_GOAL * _A_SECOND:g} records, no partition unknown",
            f"{spread(records, 'records', 0)}, {unknown:.0f} unknown",
            max(records) <= _GOAL * _A_SECOND and unknown == 0,
        ),
    ]  # fmt: skip


def _send(source: EventSource, first: int, seconds: float) -> int:
    """Send logins for so long, numbered from `first`; returns the number of the next."""
    begin, number = time.monotonic(), first
    while (passed := time.monotonic() - begin) < seconds:
        due = first + int(passed * _A_SECOND)
        source.send(logins(number, due - number))
        number = due
        time.sleep(0.05)
    return number


def _all(scrapes: list[Scrape], name: str) -> list[float]:
    found = (scrape.value(name, topic=USER) for scrape in scrapes)
    return [value for value in found if value is not None]
