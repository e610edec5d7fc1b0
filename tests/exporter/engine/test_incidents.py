"""What is wrong is told once when it begins and once when it ends, and never in a flood."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from keywatch.engine.incidents import Incidents
from keywatch.engine.probe import Sample
from keywatch.engine.store import Key
from keywatch.metrics import cluster as cat

KEY = Key("kafka", "broker", "")


def broker(label: str, note: str | None = None) -> Sample:
    return Sample(cat.BROKER_UP, ("kafka", label), float(note is None), note)


@pytest.fixture
def log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.INFO, "keywatch.engine.incidents"):
        yield caplog


def lines(log: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Return the lines logged since the last call."""
    found = [(record.levelname, record.getMessage()) for record in log.records]
    log.clear()
    return found


def test_an_incident_opens_once_keeps_its_beginning_and_closes(log: pytest.LogCaptureFixture) -> None:
    incidents = Incidents()
    incidents.observe(KEY, [broker("1"), broker("2", "down, refused")], now=100.0)
    assert lines(log) == [("WARNING", "cluster=kafka broker=2: down, refused")]
    assert [(i.where, i.since, i.note, i.value) for i in incidents] == [
        ("cluster=kafka broker=2", 100.0, "down, refused", 0)
    ]

    for now in (101.0, 102.0):
        incidents.observe(KEY, [broker("1"), broker("2", "down, refused")], now=now)
    assert lines(log) == []
    assert [incident.since for incident in incidents] == [100.0]

    incidents.observe(KEY, [broker("1"), broker("2")], now=103.5)
    assert lines(log) == [("INFO", "cluster=kafka broker=2: over after 3.5 s: down, refused")]
    assert list(incidents) == []

    incidents.observe(KEY, [broker("1"), broker("2")], now=104.0)
    assert lines(log) == []
    incidents.observe(KEY, [broker("2", "down, reset")], now=105.0)
    assert [incident.since for incident in incidents] == [105.0]


def test_new_words_for_the_same_thing_are_shown_but_not_logged(log: pytest.LogCaptureFixture) -> None:
    incidents = Incidents()
    incidents.observe(KEY, [broker("1", "lag of 101 records")], now=1.0)
    lines(log)
    incidents.observe(KEY, [broker("1", "lag of 102 records")], now=2.0)
    assert lines(log) == []
    assert [(incident.note, incident.since) for incident in incidents] == [("lag of 102 records", 1.0)]


def test_an_object_that_vanished_closes_its_incident(log: pytest.LogCaptureFixture) -> None:
    incidents = Incidents()
    incidents.observe(KEY, [broker("1", "down")], now=1.0)
    incidents.observe(KEY, [], now=2.0)
    assert lines(log)[1:] == [("INFO", "cluster=kafka broker=1: over after 1.0 s: down")]


def test_after_a_failed_run_only_what_was_told_anew_changes(log: pytest.LogCaptureFixture) -> None:
    incidents = Incidents()
    topic = Sample(cat.TOPIC_EXISTS, ("kafka", "a"), 0.0, "the watched topic does not exist")
    incidents.observe(KEY, [broker("1", "down"), broker("2", "down"), topic], now=1.0)
    lines(log)
    incidents.observe(KEY, [broker("1", "down"), broker("2")], now=2.0, partial=True)
    assert lines(log) == [("INFO", "cluster=kafka broker=2: over after 1.0 s: down")]
    assert {incident.where for incident in incidents} == {"cluster=kafka broker=1", "cluster=kafka topic=a"}


def test_probes_do_not_close_each_others_incidents() -> None:
    incidents = Incidents()
    incidents.observe(KEY, [broker("1", "down")], now=2.0)
    incidents.observe(Key("kafka", "cluster", ""), [Sample(cat.CLUSTER_UP, ("kafka",), 0.0, "down")], now=1.0)
    assert [incident.since for incident in incidents] == [1.0, 2.0]  # the oldest first
    incidents.observe(Key("kafka", "cluster", ""), [], now=3.0)
    assert [incident.since for incident in incidents] == [2.0]


def test_a_flood_is_limited_both_ways(log: pytest.LogCaptureFixture) -> None:
    incidents = Incidents()
    incidents.observe(KEY, [broker(str(number), "down") for number in range(1000)], now=1.0)
    told = lines(log)
    assert len(told) == 11
    assert told[-1] == ("WARNING", "990 more of keywatch_broker_up went wrong")
    assert len(list(incidents)) == 1000
    incidents.observe(KEY, [], now=2.0)
    told = lines(log)
    assert len(told) == 11
    assert told[-1] == ("INFO", "990 more of keywatch_broker_up are well again")


def test_a_line_carries_its_facts_as_fields(log: pytest.LogCaptureFixture) -> None:
    Incidents().observe(KEY, [broker("2", "down, refused")], now=1.0)
    (record,) = log.records
    assert record.__dict__["keywatch"] == {
        "metric": "keywatch_broker_up",
        "value": 0.0,
        "labels": {"cluster": "kafka", "broker": "2"},
    }


def test_a_probe_out_of_service_is_forgotten_in_silence(log: pytest.LogCaptureFixture) -> None:
    incidents = Incidents()
    incidents.observe(KEY, [broker("1", "down")], now=1.0)
    lines(log)
    incidents.drop(KEY)
    incidents.drop(KEY)
    assert list(incidents) == []
    assert lines(log) == []
