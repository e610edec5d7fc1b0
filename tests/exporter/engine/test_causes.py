"""What follows from a cause is folded under it, wherever it is told, and stands for itself when the cause is over."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest

from keywatch.documents.probes import MODULES
from keywatch.engine.causes import Causes
from keywatch.engine.incident import Incident
from keywatch.engine.incident_data import as_data
from keywatch.engine.incidents import Incidents
from keywatch.engine.overview import Overview, sentence
from keywatch.engine.probe import Sample
from keywatch.engine.slices import at_once
from keywatch.engine.store import Key
from keywatch.metrics import (
    canary,
    cluster,
    dead_letters,
    groups,
    keycloak,
    lag,
    log_dirs,
    logs,
    quorum,
    reconciliation,
    retention,
)
from keywatch.metrics import probe as probe_metrics
from keywatch.metrics.metric import Metric

DOWN = "down, refused: nobody listens"


def incident(metric: Metric, *labels: str, since: float = 100.0, note: str = DOWN, value: float = 0.0) -> Incident:
    return Incident(metric, ("kafka", *labels), since, note, value)


BROKER = incident(cluster.BROKER_UP, "2")
CLUSTER = incident(cluster.CLUSTER_UP)
FENCED = incident(quorum.BROKER_FENCED, "2", note="it answers, and the controllers do not hear it", value=1.0)
DISK = incident(log_dirs.LOG_DIR_UP, "2", "/data", note="the broker took it out of use")


def follows(one: Incident, *causes: Incident) -> Incident | None:
    return Causes([*causes, one]).of(one)


@pytest.mark.parametrize(
    "one",
    [
        incident(cluster.TOPIC_PARTITIONS_UNDER_REPLICATED, "t", note="3 of 6 under-replicated", value=3),
        incident(cluster.TOPIC_PARTITIONS_ELECTING, "t", since=95.0, note="electing: 1", value=1),
        incident(canary.CANARY_UP, "2", note="down, replica_down: no"),
        incident(groups.GROUP_UP, "g", note="coordinator: broker 2 is down"),
        incident(dead_letters.DLQ_UP, "dead", note="no_leader: partition 1"),
        incident(dead_letters.DLQ_UNREADABLE, "dead", note="cannot be read, no_leader: 1", value=1),
        incident(reconciliation.EVENTS_MISSING, "l", "r", "login", "success", note="missing: 3", value=3),
        incident(probe_metrics.PROBE_SUCCESS, "offsets", note="no_leader: partition 1"),
    ],
    ids=lambda one: one.metric.name,
)
def test_what_a_dead_broker_explains_follows_from_it(one: Incident) -> None:
    assert follows(one, BROKER) is BROKER
    assert follows(one, FENCED) is FENCED
    assert follows(one, DISK) is DISK
    assert follows(one, replace(FENCED, value=0.0)) is None
    assert follows(one) is None


@pytest.mark.parametrize(
    "one",
    [
        incident(cluster.TOPIC_PARTITIONS_UNDER_REPLICATED, "t", since=80.0, note="long before", value=3),
        incident(groups.GROUP_LAG_RECORDS, "g", "t", since=99.0, note="lag: it grew before", value=300),
        incident(dead_letters.DLQ_RECORDS, "dead", note="4 dead letters lie in it", value=4),
        incident(reconciliation.EVENTS_LOST_TOTAL, "l", "r", "login", "success", note="3 events were lost", value=3),
        incident(cluster.TOPIC_EXISTS, "t", note="the watched topic does not exist"),
        incident(keycloak.KEYCLOAK_UP, "kc"),
        incident(logs.LOGSTASH_UP, "ls"),
        incident(probe_metrics.PROBE_SUCCESS, "groups", note="authorization: Describe on Group:* is missing"),
        incident(dead_letters.DLQ_UNREADABLE, "dead", note="cannot be read, authorization: 1", value=1),
        incident(cluster.BROKER_UP, "3"),
        incident(log_dirs.LOG_DIR_UP, "2", "/data", note="the broker took it out of use"),
        incident(log_dirs.LOG_DIR_FREE_BYTES, "2", "/data", note="4.0% of the volume is free", value=4),
        incident(lag.GROUP_REWOUND_TIMESTAMP_SECONDS, "g", "t", note="its commits went back", value=90),
        incident(retention.TOPIC_AS_EXPECTED, "t", "min.insync.replicas", "critical", note="is 1, expected at least 2"),
        Incident(cluster.TOPIC_PARTITIONS_ELECTING, ("other", "t"), 100.0, "electing: 1", 1.0),
    ],
    ids=lambda one: f"{one.metric.name} {one.labels}",
)
def test_what_it_does_not_explain_or_has_to_be_acted_on_stands_for_itself(one: Incident) -> None:
    assert follows(one, BROKER) is None


def test_a_broker_that_could_not_be_asked_explains_nothing() -> None:
    unasked = incident(cluster.BROKER_UP, "2", note="could not be asked, exhausted: no file descriptor", value=1)
    assert follows(incident(cluster.TOPIC_PARTITIONS_ELECTING, "t", note="electing: 1", value=1), unasked) is None


def test_of_several_causes_it_is_the_same_object_or_the_one_that_explains_most() -> None:
    third = incident(cluster.BROKER_UP, "3", since=90.0)
    assert follows(incident(canary.CANARY_UP, "2", note="down, no_leader: no"), third, BROKER) is BROKER
    assert follows(incident(groups.GROUP_UP, "g", note="coordinator: no"), third, BROKER, CLUSTER) is CLUSTER
    assert follows(BROKER, CLUSTER) is CLUSTER


def test_a_keycloak_that_is_down_is_not_ready_and_its_counters_are_not_read() -> None:
    down = incident(keycloak.KEYCLOAK_UP, "kc")
    assert follows(incident(keycloak.KEYCLOAK_READY, "kc", note="not ready: no answer"), down) is down
    assert follows(incident(keycloak.KEYCLOAK_READY, "other", note="not ready: no answer"), down) is None
    assert follows(incident(probe_metrics.PROBE_SUCCESS, "reconciliation", note="refused: kc"), down) is down


def overview(*given: Incident, most: int = 10) -> Overview:
    found = Overview()
    found.add(given, Causes(given), most)
    return found


def test_the_overview_counts_things_and_what_follows_and_hands_on_what_follows_twice() -> None:
    topics = [incident(cluster.TOPIC_PARTITIONS_OFFLINE, f"t{n}", note="offline: 1", value=1) for n in range(5)]
    letters = incident(dead_letters.DLQ_RECORDS, "dead", note="4 dead letters lie in it", value=4, since=1.0)
    canaries = incident(canary.CANARY_UP, "2", note="down, no_leader: no")
    found = overview(letters, *topics, canaries, BROKER, CLUSTER, most=3)
    assert found.words == "2 things are wrong, 7 follow from them."
    assert found.first == [CLUSTER, letters]
    assert found.follow(CLUSTER).count == 7
    assert len(found.follow(CLUSTER).first) == 3
    assert found.follow(letters).count == 0
    data = as_data(found, 160.0)["incidents"]
    assert [one["follows_from"] is None for one in data] == [True, False, False, False, True]
    assert data[0]["since_seconds"] == 60.0
    assert data[1]["follows_from"] == {"metric": "keywatch_cluster_up", "labels": {"cluster": "kafka"}}


@pytest.mark.parametrize(
    ("things", "following", "words"),
    [
        (0, 0, "Nothing is wrong."),
        (1, 0, "1 thing is wrong."),
        (1, 1, "1 thing is wrong, 1 follows from it."),
        (1, 18, "1 thing is wrong, 18 follow from it."),
        (3, 2, "3 things are wrong, 2 follow from them."),
    ],
)
def test_the_sentence_counts_as_people_do(things: int, following: int, words: str) -> None:
    assert sentence(things, following) == words


TOPICS, BROKERS = Key("kafka", "topics", ""), Key("kafka", "broker", "2")


def electing(*topics: str) -> list[Sample]:
    return [Sample(cluster.TOPIC_PARTITIONS_ELECTING, ("kafka", topic), 1.0, "electing: 1") for topic in topics]


def broker(note: str | None) -> Sequence[Sample]:
    return [Sample(cluster.BROKER_UP, ("kafka", "2"), float(note is None), note)]


def test_the_log_folds_too_and_says_what_is_left_when_the_cause_is_over(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "keywatch.engine.incidents")
    incidents = Incidents()
    incidents.observe(BROKERS, broker(DOWN), 100.0)
    incidents.observe(TOPICS, electing("a", "b", "c", "d"), 100.5)
    named = [f"cluster=kafka topic={topic}: electing: 1" for topic in "abc"]
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", f"cluster=kafka broker=2: {DOWN}"),
        (
            "INFO",
            f"cluster=kafka broker=2: 4 things follow from it: {'; '.join(named)}; …",
        ),
    ]
    assert at_once(incidents.overview(10)).words == "1 thing is wrong, 4 follow from it."
    caplog.clear()
    incidents.observe(TOPICS, electing("a"), 101.0)
    assert "3 things that followed from it are well again" in caplog.text
    caplog.clear()
    incidents.observe(BROKERS, broker(None), 102.0)
    incidents.observe(TOPICS, electing("a"), 102.5)
    incidents.observe(TOPICS, electing("a"), 103.0)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", f"cluster=kafka broker=2: over after 2.0 s: {DOWN}"),
        ("WARNING", "cluster=kafka topic=a: still wrong, though its cause is over: electing: 1"),
    ]
    assert at_once(incidents.overview(10)).words == "1 thing is wrong."


def test_every_probe_that_asks_kafka_may_follow_from_a_cluster_that_is_down() -> None:
    elsewhere = {"keycloak", "logstash", "elasticsearch"}
    for probe in MODULES.keys() - elsewhere - {"broker", "cluster"}:
        failed = incident(probe_metrics.PROBE_SUCCESS, probe, "", note="no_metadata: never read")
        assert Causes([incident(cluster.CLUSTER_UP), failed]).of(failed) is not None, probe
