"""Values that mean trouble by themselves open an incident, counters for as long as their window lasts."""

from __future__ import annotations

import pytest

from keywatch.engine.incidents import Incidents
from keywatch.engine.probe import Sample
from keywatch.engine.series import MetricSeries, Rows, SeriesSet
from keywatch.engine.store import Key
from keywatch.metrics import cluster, dead_letters, events, logs
from keywatch.metrics.trouble import COUNTERS, duration

KEY = Key("kafka", "events", "l")
LABELS = ("kafka", "l", "not_json")
WINDOW = COUNTERS[events.EVENTS_MALFORMED_TOTAL].window


def rise(count: float) -> Sample:
    return Sample(events.EVENTS_MALFORMED_TOTAL, LABELS, count)


def notes(incidents: Incidents) -> list[str]:
    return [incident.note for incident in incidents]


def test_a_counter_that_rose_is_trouble_for_its_window_and_no_longer() -> None:
    incidents = Incidents()
    incidents.observe(KEY, [rise(0)], 0.0)
    assert notes(incidents) == []
    incidents.observe(KEY, [rise(1)], 10.0)
    assert notes(incidents) == ["1 record was no event (not_json) in the last 15 minutes"]
    incidents.observe(KEY, [rise(2)], 100.0)
    assert notes(incidents) == ["3 records were no events (not_json) in the last 15 minutes"]
    assert [incident.since for incident in incidents] == [10.0]
    incidents.observe(KEY, [rise(0)], 10.0 + WINDOW)
    assert notes(incidents) == ["2 records were no events (not_json) in the last 15 minutes"]
    incidents.observe(KEY, [], 100.0 + WINDOW, partial=True)
    assert notes(incidents) == [], "runs that fail do not keep it for ever"


def test_what_is_said_of_the_newest_rise_stands_behind_the_count() -> None:
    incidents = Incidents()
    for moment, where in ((10.0, "a"), (20.0, "b")):
        incidents.observe(KEY, [rise(1)._replace(note=f"the newest: {where}")], moment)
    incidents.observe(KEY, [rise(0)], 30.0)
    assert notes(incidents) == ["2 records were no events (not_json) in the last 15 minutes; the newest: b"]
    incidents.observe(KEY, [rise(0)], 20.0 + WINDOW)
    incidents.observe(KEY, [rise(1)], 30.0 + WINDOW)
    assert notes(incidents) == ["1 record was no event (not_json) in the last 15 minutes"]


def test_a_clock_that_is_set_back_leaves_nothing_for_ever() -> None:
    incidents = Incidents()
    incidents.observe(KEY, [rise(5)], 1_000_000.0)
    incidents.observe(KEY, [rise(0)], 10.0)
    assert notes(incidents) == []


def test_however_often_it_rises_little_is_kept() -> None:
    incidents = Incidents()
    for moment in range(3600):
        incidents.observe(KEY, [rise(1)], float(moment))
    (note,) = notes(incidents)
    assert 800 <= int(note.partition(" ")[0]) <= 900
    (kept,) = incidents._rises[KEY]._rises.values()
    assert len(kept) <= 16


def test_only_the_results_that_are_bad_count() -> None:
    incidents, key = Incidents(), Key("kafka", "logstash", "ls")
    documents = [
        Sample(logs.LOGSTASH_DOCUMENTS_TOTAL, ("kafka", "ls", "main", "es", result), 5.0)
        for result in ("success", "dlq", "retryable")
    ]
    incidents.observe(key, documents, 0.0)
    assert {incident.labels[-1] for incident in incidents} == {"dlq", "retryable"}


def test_what_a_probe_says_stands_beside_what_the_value_says() -> None:
    incidents = Incidents()
    incidents.observe(KEY, [Sample(dead_letters.DLQ_RECORDS, ("kafka", "dead"), 4.0, "too many to be read")], 0.0)
    assert notes(incidents) == ["too many to be read; 4 dead letters lie in it"]
    incidents.observe(KEY, [Sample(dead_letters.DLQ_RECORDS, ("kafka", "dead"), 1.0)], 1.0)
    assert notes(incidents) == ["1 dead letter lies in it"]


def test_a_value_is_judged_in_a_series_of_many_too() -> None:
    rows = Rows([("kafka", "a"), ("kafka", "b")])
    incidents = Incidents()
    incidents.observe(KEY, SeriesSet([MetricSeries(logs.LOG_LAG_SECONDS, rows, [10, 1200])]), 0.0)
    assert notes(incidents) == ["what was logged can be found only after 20 min, above 5 min"]


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (15 * 86_400, None),
        (13 * 86_400, "its certificate ends in 13 days"),
        (86_400, "urgent: its certificate ends in 24 h"),
        (-3600, "urgent: its certificate ended 60 min ago"),
    ],
)
def test_a_certificate_is_told_before_it_ends(left: float, words: str | None) -> None:
    incidents = Incidents()
    labels = ("kafka", "1")
    incidents.observe(KEY, [Sample(cluster.TLS_CERTIFICATE_NOT_AFTER_TIMESTAMP_SECONDS, labels, 1000.0 + left)], 1000.0)
    assert notes(incidents) == ([words] if words else [])


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.5, "0.5 s"), (12, "12 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (172_800, "2 days")],
)
def test_durations_are_for_people(seconds: float, words: str) -> None:
    assert duration(seconds) == words
