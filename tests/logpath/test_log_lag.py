"""From real Kafka into real OpenSearch: what is not read, what cannot be found, and that nothing else is a lag."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from itertools import count

import pytest

from tests.kafka import admin
from tests.kafka.event_source import EventSource, Sent
from tests.kafka.exporter_process import Recorder, Scrape
from tests.kafka.waiting import wait_until
from tests.logpath import log_path
from tests.logpath.log_path import CONSUME, INDEX, SEARCHABLE, SECONDS, USER, WRITTEN, LogPath, logins
from tests.logpath.refusals import refusing
from tests.logstash import ours

pytestmark = [pytest.mark.kafka, pytest.mark.elastic]

NUMBERS = count(1)
LAG_TIMEOUT = 2.0
# One refresh of OpenSearch, one look of keywatch, and what the machine takes.
FOUND_WITHIN = 10.0
DOCUMENTS = "keywatch_logstash_documents_total"


@pytest.fixture(scope="module")
def whole() -> Iterator[LogPath]:
    log_path.required()
    with log_path.log_path(lag_period=0.2, lag_timeout=LAG_TIMEOUT) as made:
        yield made


@pytest.fixture
def path(whole: LogPath) -> LogPath:
    """Return the path with nothing left on its way."""
    whole.settled(60)
    return whole


def send(path: LogPath, records: list[Sent]) -> None:
    with EventSource(path.kafka.bootstrap) as source:
        source.send(records)


def some(number: int) -> list[Sent]:
    return [login for _ in range(number) for login in logins(next(NUMBERS), 1)]


def lags(scrape: Scrape) -> tuple[float | None, float | None]:
    return scrape.value(CONSUME, topic=USER), scrape.value(INDEX, topic=USER)


def wait_grown(path: LogPath, before: Scrape, name: str, by: float, deadline: float = 30.0, **labels: str) -> None:
    """Wait until a counter has grown by this since an earlier scrape, and no more."""
    there = before.total(name, **labels) + by
    path.exporter.until(lambda scrape: scrape.total(name, **labels) == there, deadline, f"{name} grew by {by:g}")


def stay(path: LogPath, expected: tuple[float, float], looks: int = 3) -> None:
    """Have keywatch look a few times more: the lags must be the same each time."""
    for _ in range(looks):
        assert lags(path.looked()) == expected


def test_recorded_events_are_found_each_one_and_every_lag_is_0(path: LogPath) -> None:
    before = path.exporter.scrape()
    records = log_path.recorded()
    send(path, records)
    for topic in log_path.PARTITIONS:
        mine = sum(record.topic == topic for record in records)
        for name in (WRITTEN, SEARCHABLE):
            wait_grown(path, before, name, mine, topic=topic)
    path.settled()
    kinds = ("keycloak.user_event", "keycloak.admin_event", "keycloak.unparsed")
    assert sum(path.stored(kind) for kind in kinds) == len(records)
    assert path.exporter.scrape().value("keywatch_log_redaction_failed_documents") == 0
    assert path.exporter.scrape().value("keywatch_logstash_up") == 1


def test_a_record_counts_as_found_within_seconds(path: LogPath) -> None:
    took = []
    for _ in range(4):
        before, begin = path.exporter.scrape(), time.monotonic()
        send(path, some(1))
        wait_grown(path, before, SEARCHABLE, 1, FOUND_WITHIN, topic=USER)
        took.append(time.monotonic() - begin)
    print(f"found after {statistics.median(took):.1f} s, {max(took):.1f} s at the most")


def test_what_logstash_does_not_read_is_consume_lag_to_the_record_and_no_index_lag(path: LogPath) -> None:
    path.carrier.stop_reading()
    send(path, some(37))
    path.exporter.until(lambda s: lags(s) == (37, 0), 20, "37 records are not read")
    stay(path, (37, 0))
    path.carrier.read()
    path.settled()


def test_what_logstash_read_and_holds_back_is_index_lag_to_the_record_and_no_consume_lag(path: LogPath) -> None:
    path.carrier.hold()
    time_of_first = time.monotonic()
    send(path, some(23))
    path.exporter.until(lambda s: lags(s) == (0, 23), 20, "23 records were read and cannot be found")
    stay(path, (0, 23))
    scrape = path.exporter.until(
        lambda s: s.value("keywatch_logstash_queue_events", pipeline="keycloak-events") == 23, 10, "they queue"
    )
    behind = scrape.value(SECONDS, topic=USER)
    assert behind is not None
    assert 0 <= behind <= time.monotonic() - time_of_first + 60, "by Kafka's own times"
    path.carrier.release()
    path.settled()


def test_records_that_are_no_events_count_as_found(path: LogPath) -> None:
    unparsed = path.stored("keycloak.unparsed")
    send(path, some(3))
    texts = [sample["text"].encode() for sample in ours.samples("unparsed-records")]
    garbage = [Sent(USER, text, partition=0) for text in [*texts, b"\xff\xfe", b"", None]]
    send(path, garbage)
    path.settled()
    wait_until(lambda: path.stored("keycloak.unparsed") == unparsed + len(garbage), 10, "each is a document")
    stay(path, (0, 0))


def test_records_that_are_read_twice_make_no_doubles_and_no_index_lag(path: LogPath) -> None:
    send(path, some(20))
    path.settled()
    stored = path.stored("keycloak.user_event")
    path.carrier.stop_reading()
    group = path.carrier.groups["user-events"]
    admin.commit(path.kafka.bootstrap, group, {(USER, partition): 0 for partition in range(log_path.PARTITIONS[USER])})
    whole = path.exporter.scrape().total(WRITTEN, topic=USER)
    again = path.exporter.until(lambda s: lags(s)[0], 20, "what is to be read again is a lag")
    behind = again.total(CONSUME, topic=USER)
    assert behind >= whole, "all of it, also what was there before keywatch"
    with Recorder(path.exporter) as recorder:
        path.carrier.read()
        wait_grown(path, again, DOCUMENTS, behind, result="non_retryable")
        path.settled()
    assert not recorder.errors
    assert {lags(scrape)[1] for scrape in recorder.scrapes} == {0}
    assert path.stored("keycloak.user_event") == stored


def test_documents_that_opensearch_refuses_count_as_found_and_are_told(path: LogPath) -> None:
    send(path, some(1))  # so that the stream is there
    path.settled()
    stream = "logs-keycloak.user_event-default"
    stored, refused = path.stored("keycloak.user_event"), path.stored("keycloak.rejected")
    before = path.exporter.scrape()
    with refusing(path.opensearch, stream):
        send(path, some(5))
        wait_grown(path, before, DOCUMENTS, 5, pipeline="keycloak-events", result="dlq")
        path.settled()
        stay(path, (0, 0))
    wait_until(lambda: path.stored("keycloak.rejected") == refused + 5, 10, "each left why, and where from")
    assert path.stored("keycloak.user_event") == stored


def test_while_opensearch_is_frozen_the_consume_lag_is_there_and_the_rest_says_why_not(path: LogPath) -> None:
    path.carrier.stop_reading()
    path.opensearch.freeze_all()
    try:
        send(path, some(11))
        probe = {"probe": "log_lag"}
        path.exporter.until(lambda s: s.value("keywatch_probe_success", **probe) == 0, 20, "the search fails")
        scrape = path.exporter.until(lambda s: lags(s)[0] == 11, 10, "what is not read is known all the same")
        assert scrape.value("keywatch_probe_failures_total", **probe, reason="timeout_response")
        runs = [scrape.total(f"keywatch_probe_duration_seconds_{one}", **probe) for one in ("sum", "count")]
        later = path.exporter.until(
            lambda s: s.total("keywatch_probe_duration_seconds_count", **probe) >= runs[1] + 3, 20, "three more looks"
        )
        spent = later.total("keywatch_probe_duration_seconds_sum", **probe) - runs[0]
        looks = later.total("keywatch_probe_duration_seconds_count", **probe) - runs[1]
        assert spent / looks <= LAG_TIMEOUT, "each ends by its deadline"
        assert later.value("keywatch_probe_success", **probe) == 0
        assert later.total("keywatch_probe_failures_total", **probe, reason="stuck") == 0
        path.exporter.until(lambda s: s.value("keywatch_elasticsearch_up") == 0, 20, "its own probe says so too")
    finally:
        path.opensearch.thaw_all()
    path.exporter.until(lambda s: lags(s) == (11, 0), 30, "both are known again")
    path.carrier.read()
    path.settled()


def test_a_topic_that_is_made_anew_has_no_lag_of_its_own_past(path: LogPath) -> None:
    send(path, some(30))
    path.settled()
    admin.delete_topic(path.kafka.bootstrap, USER)
    admin.create_topic(path.kafka.bootstrap, USER, partitions=log_path.PARTITIONS[USER])
    with Recorder(path.exporter) as recorder:
        path.settled(60)
        before = path.exporter.scrape()
        send(path, some(6))
        wait_grown(path, before, SEARCHABLE, 6, topic=USER)
        path.settled()
    found = path.exporter.scrape().total(WRITTEN, topic=USER) - before.total(WRITTEN, topic=USER)
    assert found == 6
    assert max(lags(scrape)[1] or 0 for scrape in recorder.scrapes) <= 6
    path.carrier.hold()
    send(path, some(9))
    path.exporter.until(lambda s: lags(s) == (0, 9), 20, "a lag of the new topic is told, not hidden by the old one")
    path.carrier.release()
    path.settled()
