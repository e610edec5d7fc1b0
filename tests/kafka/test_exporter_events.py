"""Events on a real Kafka: each one counted once, whatever happens to leaders, topics, rights and the exporter."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.kafka import acls, admin, scene
from tests.kafka.acls import Right
from tests.kafka.cluster import KafkaCluster
from tests.kafka.event_source import REALM, EventSource, Sent, scriptonbasestar, snuk87
from tests.kafka.exporter_process import ExporterProcess, Recorder, Scrape
from tests.kafka.fixtures import kafka_required

pytestmark = pytest.mark.kafka

USER, PASSWORD = "watcher", "correct-horse"
RECEIVED, UP = "keywatch_events_received_total", "keywatch_events_up"
FETCH_WAIT = 0.25
"""Seconds after which a broker answers keywatch's request for events at the latest, whether there are any or not."""
QUIET = {"groups": {"enabled": False}, "canary": {"enabled": False}, "topics": {"detail": False}}


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with scene.cluster() as made:
        admin.create_topic(made.bootstrap, "keycloak-events", partitions=3, replicas=3)
        admin.create_topic(made.bootstrap, "keycloak-admin-events", partitions=1, replicas=3)
        yield made


@pytest.fixture(scope="module")
def guarded() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(1, listeners=["OUT:SASL_PLAINTEXT"], users={USER: PASSWORD}, extra=acls.AUTHORIZER) as made:
        yield made


def config(bootstrap: str, *events: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return {"clusters": [{"bootstrap": bootstrap.split(","), "events": list(events), **QUIET, **sections}]}


def up(scrape: Scrape) -> bool:
    series = scrape.all(UP)
    return bool(series) and all(value == 1 for value in series.values())


def test_events_of_two_listeners_are_counted_and_a_restart_does_not_replay_them(cluster: KafkaCluster) -> None:
    for topic in ("keycloak.events", "keycloak.admin.events"):
        admin.create_topic(cluster.bootstrap, topic, partitions=2, replicas=3)
    events: list[dict[str, Any]] = [
        {"listener": "scriptonbasestar", "realms": {REALM: "shop"}},
        {"listener": "snuk87", "name": "second"},
    ]
    malformed = [Sent("keycloak.events", value) for value in (b"", None, b"\xff", b"{", b"[]", b"{}", b"x" * 900_000)]
    with EventSource(cluster.bootstrap) as source, ExporterProcess(config(cluster.bootstrap, *events)) as exporter:
        source.send(snuk87(number) for number in range(5))  # before anything is up: they may count or not
        exporter.until(up, 120, "both are read")
        zero = {"listener": "scriptonbasestar", "realm": "shop", "event": "login", "outcome": "success"}
        exporter.until(lambda s: s.value(RECEIVED, **zero) == 0, 30, "a realm in the configuration stands at 0")
        began = time.monotonic()
        source.send(scriptonbasestar(number, "LOGIN_ERROR" if number % 3 == 0 else "LOGIN") for number in range(300))
        source.send(snuk87(1000 + number, "REFRESH_TOKEN") for number in range(200))
        source.send(malformed)
        exporter.until(
            lambda s: (
                s.total(RECEIVED, listener="scriptonbasestar") >= 300
                and s.total(RECEIVED, listener="second", event="refresh_token") == 200
                and s.total("keywatch_events_malformed_total") >= len(malformed)
            ),
            15,
            "all events are counted",
        )
        took = time.monotonic() - began  # no event can have been on its way for longer
        source.send(scriptonbasestar(number) for number in range(1, 11))
        duplicated = {"listener": "scriptonbasestar"}
        exporter.until(lambda s: s.value("keywatch_events_duplicated_total", **duplicated) == 10, 15, "ten came again")
        seen = exporter.scrape()
        login = {"listener": "scriptonbasestar", "realm": "shop", "event": "login"}
        assert seen.value(RECEIVED, **login, outcome="error") == 100
        assert seen.value(RECEIVED, **login, outcome="success") == 200
        assert seen.total(RECEIVED, listener="second", realm="shop", event="refresh_token", outcome="success") == 200
        reasons = seen.all("keywatch_events_malformed_total", listener="scriptonbasestar")
        assert {dict(labels)["reason"]: value for labels, value in reasons.items() if value} == {
            "empty": 1, "tombstone": 1, "not_utf8": 1, "not_json": 2, "not_object": 1, "kind_unknown": 1,
        }  # fmt: skip
        for delay in ("keywatch_event_delivery_delay_seconds", "keywatch_event_arrival_delay_seconds"):
            assert seen.value(f"{delay}_count", listener="scriptonbasestar") == 300
            assert (seen.value(f"{delay}_sum", listener="scriptonbasestar") or 0.0) < 300 * took
        newest = seen.value("keywatch_event_last_timestamp_seconds", listener="scriptonbasestar", realm="shop")
        assert newest is not None
        assert abs(newest - time.time()) < 15
        assert seen.total("keywatch_events_behind_records") == 0
        exporter.stop()
        exporter.start()
        exporter.until(up, 120, "both are read again")
        source.send(scriptonbasestar(number) for number in range(2000, 2003))
        again = exporter.until(lambda s: s.total(RECEIVED, listener="scriptonbasestar") >= 3, 15, "the new ones came")
        assert again.total(RECEIVED) == 3


def test_a_leader_that_is_killed_and_comes_back_costs_no_event_and_counts_none_twice(cluster: KafkaCluster) -> None:
    with (
        EventSource(cluster.bootstrap) as source,
        ExporterProcess(config(cluster.bootstrap, {"listener": "snuk87"})) as exporter,
    ):
        exporter.until(up, 120, "they are read")
        source.run(rate=100)
        exporter.until(lambda s: s.total(RECEIVED) > 200, 20, "events flow")
        with Recorder(exporter) as recorder:
            moment = cluster.node(2).kill()
            recorder.first(lambda s: s.total("keywatch_events_partitions_unread") > 0, moment, 10, "it is seen")
            exporter.until(up, 120, "the new leader is read")
            cluster.node(2).start()
            cluster.wait_ready()
            exporter.until(up, 120, "they are read again")
            source.end()
            exporter.until(lambda s: s.total(RECEIVED) >= source.sent, 30, "all events are counted")
        seen = exporter.until(lambda s: s.total("keywatch_events_behind_records") == 0, 10, "nothing is left")
        assert seen.total(RECEIVED) == source.sent > 1000
        assert seen.total("keywatch_events_duplicated_total") == 0
        assert recorder.errors == []


def test_an_outage_of_kafka_shows_in_the_arrival_delay_only(cluster: KafkaCluster) -> None:
    with (
        EventSource(cluster.bootstrap) as source,
        ExporterProcess(config(cluster.bootstrap, {"listener": "snuk87"})) as exporter,
    ):
        exporter.until(up, 120, "they are read")
        source.send([snuk87(0)])
        exporter.until(lambda s: s.total(RECEIVED) == 1, 10, "the first has come")
        for node in cluster.nodes:
            node.freeze()
        source.run(rate=20)
        down = exporter.until(lambda s: s.value(UP) == 0, 15, "nothing can be read")
        frozen_at = time.monotonic()
        exporter.until(lambda _: time.monotonic() - frozen_at > 4, 10, "the outage lasts")
        assert down.value("keywatch_probe_success", probe="events") == 0
        for node in cluster.nodes:
            node.thaw()
        exporter.until(up, 120, "they are read again")
        source.end()
        seen = exporter.until(lambda s: s.total(RECEIVED) >= source.sent, 30, "all events are counted")
        assert seen.total(RECEIVED) == source.sent

        def within(metric: str, bound: str) -> float:
            return seen.total(f"keywatch_event_{metric}_delay_seconds_bucket", le=bound)

        assert within("delivery", "1.0") == source.sent, "the listener's client stamps what it cannot send yet"
        assert within("arrival", "+Inf") == source.sent
        assert within("arrival", "2.5") < source.sent


def test_topics_that_come_later_or_are_made_anew_are_read_from_their_beginning(cluster: KafkaCluster) -> None:
    events = {"listener": "snuk87", "topics": {"user": ["late-[0-9]+"]}}
    with (
        EventSource(cluster.bootstrap) as source,
        ExporterProcess(config(cluster.bootstrap, events)) as exporter,
    ):
        exporter.until(lambda s: s.value(UP) == 0, 20, "there is no such topic")
        assert exporter.scrape().value("keywatch_probe_failures_total", probe="events", reason="unknown_topic")
        admin.create_topic(cluster.bootstrap, "late-1", partitions=2, replicas=3)
        source.send(snuk87(number, topic="late-1") for number in range(50))
        exporter.until(lambda s: s.total(RECEIVED) == 50 and up(s), 20, "the first events of a new topic are counted")
        admin.create_topic(cluster.bootstrap, "late-2", partitions=2, replicas=3)
        source.send(snuk87(100 + number, topic="late-2") for number in range(50))
        exporter.until(lambda s: s.total(RECEIVED) == 100 and up(s), 20, "and those of the next")
        admin.delete_topic(cluster.bootstrap, "late-1")
        admin.create_topic(cluster.bootstrap, "late-1", partitions=2, replicas=3)
    with (
        # Its own, because the first one knows the topic's old id.
        EventSource(cluster.bootstrap) as source,
        ExporterProcess(config(cluster.bootstrap, events)) as exporter,
    ):
        exporter.until(up, 120, "they are read")
        source.send(snuk87(200 + number, topic="late-1") for number in range(50))
        exporter.until(lambda s: s.total(RECEIVED) == 50, 20, "its events are counted")
        admin.delete_topic(cluster.bootstrap, "late-1")
        admin.create_topic(cluster.bootstrap, "late-1", partitions=2, replicas=3)
        with EventSource(cluster.bootstrap) as another:
            another.send(snuk87(300 + number, topic="late-1") for number in range(80))
        seen = exporter.until(lambda s: s.total(RECEIVED) >= 130 and up(s), 20, "those of the new one too")
        # The client may read some at the old place before the topic's id tells that it is another.
        assert seen.total(RECEIVED) == 130


def test_records_that_were_deleted_before_they_were_read_are_counted_as_skipped(cluster: KafkaCluster) -> None:
    admin.create_topic(cluster.bootstrap, "short", partitions=1, replicas=3)
    events = {"listener": "snuk87", "topics": {"user": ["short"]}}
    with (
        EventSource(cluster.bootstrap) as source,
        ExporterProcess(config(cluster.bootstrap, events)) as exporter,
    ):
        exporter.until(up, 120, "it is read")
        source.send([snuk87(0, topic="short")])
        exporter.until(lambda s: s.total(RECEIVED) == 1, 15, "the first is counted")
        os.kill(exporter.pid, signal.SIGSTOP)
        try:
            source.send([snuk87(1, topic="short")])  # answers the request that is under way
            time.sleep(4 * FETCH_WAIT)  # by when the broker has surely answered it, without those that follow
            source.send(snuk87(number, topic="short") for number in range(2, 101))
            admin.delete_records(cluster.bootstrap, "short", 0, before=101)
            source.send(snuk87(number, topic="short") for number in range(101, 106))
        finally:
            os.kill(exporter.pid, signal.SIGCONT)
        skipped = "keywatch_events_skipped_records_total"
        exporter.until(lambda s: s.total(RECEIVED) + s.total(skipped) >= 106 and up(s), 30, "reading goes on")
        seen = exporter.scrape()
        assert seen.total(RECEIVED) + seen.total(skipped) == 106
        assert seen.total(skipped) >= 99


def test_a_record_of_ten_megabytes_is_counted_and_those_after_it_are_read(cluster: KafkaCluster) -> None:
    admin.create_topic(cluster.bootstrap, "large", configs={"max.message.bytes": "20000000"})
    events = {"listener": "snuk87", "topics": {"user": ["large"]}}
    with (
        EventSource(cluster.bootstrap, **{"message.max.bytes": 20_000_000}) as source,
        ExporterProcess(config(cluster.bootstrap, events)) as exporter,
    ):
        exporter.until(up, 120, "it is read")
        source.send([snuk87(0, topic="large", padding="x" * 10_000_000), snuk87(1, topic="large")])
        seen = exporter.until(lambda s: s.total(RECEIVED) == 1, 20, "the second is counted")
        assert seen.value("keywatch_events_malformed_total", reason="too_large") == 1
        assert (seen.value("keywatch_events_bytes_total") or 0) > 10_000_000


def test_two_exporters_do_not_disturb_each_other(cluster: KafkaCluster) -> None:
    one, two = (ExporterProcess(config(cluster.bootstrap, {"listener": "snuk87"})) for _ in range(2))
    with EventSource(cluster.bootstrap) as source, one, two:
        for exporter in (one, two):
            exporter.until(up, 120, "they are read")
        source.send(snuk87(number) for number in range(100))
        for exporter in (one, two):
            exporter.until(lambda s: s.total(RECEIVED) == 100, 15, "each has all")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([Right("Describe", "Topic", "keycloak-events")], "Read on Topic:keycloak-events is missing"),
        ([], "Describe on Topic:keycloak-events is missing"),
    ],
    ids=["Read", "Describe"],
)
def test_a_right_that_is_missing_is_named_and_what_was_written_before_it_came_is_not_replayed(
    guarded: KafkaCluster, given: list[Right], words: str
) -> None:
    read = Right("Read", "Topic", "keycloak-events")
    admin.create_topic(guarded.bootstrap, "keycloak-events", partitions=2)
    if given:
        acls.allow(guarded.bootstrap, USER, given)
    sasl = {"mechanism": "PLAIN", "username": USER, "password": PASSWORD}
    # Of a topic that does not exist Kafka says, too, that it may not be described.
    events = {"listener": "snuk87", "topics": {"user": ["keycloak-events"]}}
    with EventSource(guarded.bootstrap) as source:
        source.send(snuk87(number) for number in range(20))
        with ExporterProcess(config(guarded.bootstrap_for("OUT"), events, sasl=sasl)) as exporter:
            failures = {"probe": "events", "reason": "authorization"}
            exporter.until(lambda s: s.value("keywatch_probe_failures_total", **failures), 20, "it is seen")
            exporter.until(lambda _: words in exporter.log.read_text(encoding="utf-8"), 10, words)
            assert exporter.scrape().value(UP) == 0
            source.send(snuk87(100 + number) for number in range(20))
            acls.allow(guarded.bootstrap, USER, [read])
            exporter.until(up, 120, "with the right they are read")
            source.send(snuk87(200 + number) for number in range(10))
            seen = exporter.until(lambda s: s.total(RECEIVED) >= (30 if given else 10), 15, "new events are counted")
            # Where the topic could be described, reading stood at its end all the time.
            assert seen.total(RECEIVED) == (30 if given else 10)
    acls.revoke(guarded.bootstrap, USER, [*given, read])
    admin.delete_topic(guarded.bootstrap, "keycloak-events")
