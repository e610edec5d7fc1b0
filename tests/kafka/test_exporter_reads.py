"""What a group reads, left, and never committed on is told apart as it is on a real Kafka, by both kinds of groups."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import (  # type: ignore[attr-defined] # imported there for users, but not by its typing
    AdminClient,
    NewPartitions,
)

from tests.kafka import admin, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Recorder, Scrape
from tests.kafka.fixtures import kafka_required
from tests.kafka.workers import workers

pytestmark = pytest.mark.kafka

SEEN_WITHIN = 20.0
PROTOCOLS = pytest.mark.parametrize("protocol", ["classic", "consumer"])


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(1) as made:
        yield made


@pytest.fixture(scope="module")
def exporter(cluster: KafkaCluster) -> Iterator[ExporterProcess]:
    groups = {"period": 0.5, "watch": ["watched"], "limits": [{"groups": "skipped-limited", "records": 1000}]}
    with ExporterProcess(scene.config(cluster.bootstrap, canary={"enabled": False}, groups=groups)) as process:
        yield process


@contextlib.contextmanager
def member(
    cluster: KafkaCluster, group: str, topics: Sequence[str], protocol: str, *, hang: bool = False
) -> Iterator[None]:
    """Keep a member in a group that reads and commits all that it gets; one that is to `hang` commits nothing."""
    settings: dict[str, Any] = {"group.id": group, "auto.offset.reset": "earliest", "group.protocol": protocol}
    settings |= {"enable.auto.commit": not hang}
    if protocol == "classic":
        settings |= {"session.timeout.ms": 6000}
    consumer = Consumer(admin.client_settings(cluster.bootstrap, settings | {"auto.commit.interval.ms": 200}))
    consumer.subscribe(list(topics))
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            consumer.poll(0.1)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(30)
        consumer.close()


def value(scrape: Scrape, what: str, group: str, topic: str) -> float | None:
    return scrape.value(f"keywatch_group_{what}", group=group, topic=topic)


def members(scrape: Scrape, group: str) -> float | None:
    return scrape.value("keywatch_group_members", group=group)


@PROTOCOLS
def test_a_topic_that_a_group_reads_no_more_is_left_until_the_group_has_no_members(
    cluster: KafkaCluster, exporter: ExporterProcess, protocol: str
) -> None:
    group, a, b = f"left-{protocol}", f"left-{protocol}-a", f"left-{protocol}-b"
    for topic in (a, b):
        admin.create_topic(cluster.bootstrap, topic, partitions=2)
        for partition in range(2):
            admin.produce(cluster.bootstrap, topic, 5, partition=partition)
    with member(cluster, group, [a, b], protocol), member(cluster, group, [a, b], protocol):
        exporter.until(
            lambda s: members(s, group) == 2 and {value(s, "lag_records", group, topic) for topic in (a, b)} == {0},
            60,
            "both topics are read to their end",
        )
        assert not exporter.scrape().all("keywatch_group_left_records", group=group)
    with member(cluster, group, [a], protocol):
        exporter.until(lambda s: value(s, "left_records", group, b) == 0, SEEN_WITHIN + 20, "b is left")
        with Recorder(exporter) as recorder:
            admin.produce(cluster.bootstrap, b, 7)
            seen = exporter.until(lambda s: value(s, "left_records", group, b) == 7, SEEN_WITHIN, "what came is told")
        assert all(value(s, "lag_records", group, b) is None for s in recorder.scrapes)
        assert not recorder.errors
        for name in ("lag_records", "lag_seconds", "partitions_unknown", "partitions_out_of_range"):
            assert value(seen, name, group, b) is None
        assert value(seen, "lag_records", group, a) == 0
    seen = exporter.until(lambda s: members(s, group) == 0, 60, "the group is empty")
    seen = exporter.until(lambda s: value(s, "lag_records", group, b) == 7, SEEN_WITHIN, "both count again")
    assert value(seen, "lag_records", group, a) == 0
    assert value(seen, "left_records", group, b) is None


@PROTOCOLS
def test_a_partition_that_was_added_and_hangs_in_a_member_is_told(
    cluster: KafkaCluster, exporter: ExporterProcess, protocol: str
) -> None:
    name = f"grown-{protocol}"
    admin.create_topic(cluster.bootstrap, name)
    admin.produce(cluster.bootstrap, name, 5)
    admin.commit(cluster.bootstrap, name, {(name, 0): 5})
    exporter.until(lambda s: value(s, "lag_records", name, name) == 0, SEEN_WITHIN, "all is read")
    client = AdminClient(admin.client_settings(cluster.bootstrap))
    client.create_partitions([NewPartitions(name, 2)])[name].result()
    exporter.until(lambda s: s.value("keywatch_topic_partitions", topic=name) == 2, SEEN_WITHIN, "the second is seen")
    admin.produce(cluster.bootstrap, name, 400, partition=1)
    seen = exporter.until(
        lambda s: value(s, "uncommitted_records", name, name) == 400, SEEN_WITHIN, "what waits is told"
    )
    assert value(seen, "partitions_uncommitted", name, name) == 1
    assert value(seen, "partitions_unknown", name, name) == 1
    assert value(seen, "lag_records", name, name) == 0
    assert value(seen, "partitions_assigned_uncommitted", name, name) == 0, "nobody is assigned it"
    with member(cluster, name, [name], protocol, hang=True):
        exporter.until(
            lambda s: value(s, "partitions_assigned_uncommitted", name, name) == 1, 60, "somebody has it, and hangs"
        )
    with member(cluster, name, [name], protocol):
        exporter.until(
            lambda s: (
                value(s, "partitions_uncommitted", name, name) is None and value(s, "lag_records", name, name) == 0
            ),
            60,
            "it is read and committed on",
        )


def test_old_records_are_none_of_the_business_of_a_member_that_begins_at_the_end(
    cluster: KafkaCluster, exporter: ExporterProcess
) -> None:
    name = "begins-at-the-end"
    admin.create_topic(cluster.bootstrap, name)
    admin.produce(cluster.bootstrap, name, 10)
    with member(cluster, name, [name], "classic", hang=True):
        seen = exporter.until(lambda s: value(s, "partitions_uncommitted", name, name) == 1, 60, "it is assigned")
        assert value(seen, "partitions_assigned_uncommitted", name, name) == 0
        assert seen.value("keywatch_group_lag_known", group=name) == 0
        admin.produce(cluster.bootstrap, name, 1)
        exporter.until(
            lambda s: value(s, "partitions_assigned_uncommitted", name, name) == 1, SEEN_WITHIN, "one came since"
        )


def test_workers_of_connect_are_no_consumers_that_never_commit(
    cluster: KafkaCluster, exporter: ExporterProcess
) -> None:
    with workers(cluster.node(1).address, "connect-cluster", "connect", 2):
        seen = exporter.until(lambda s: members(s, "connect-cluster") == 2, 60, "both workers are there")
        assert not seen.all("keywatch_group_lag_known", group="connect-cluster")
        assert len(seen.all("keywatch_group_info", group="connect-cluster", type="connect")) == 1
        assert seen.value("keywatch_group_up", group="connect-cluster") == 1


def test_records_that_an_abandoned_group_did_not_read_are_told_and_call_nobody(
    cluster: KafkaCluster, exporter: ExporterProcess
) -> None:
    groups = ("abandoned", "skipped-limited", "watched")
    for group in groups:
        admin.create_topic(cluster.bootstrap, group)
        admin.produce(cluster.bootstrap, group, 10)
        admin.commit(cluster.bootstrap, group, {(group, 0): 2})
        admin.delete_records(cluster.bootstrap, group, 0, before=8)
    seen = exporter.until(
        lambda s: [value(s, "partitions_out_of_range", group, group) for group in groups] == [1, 1, 1],
        SEEN_WITHIN,
        "it is told of each",
    )
    told_of = {"keywatch_group_watched": "watched", "keywatch_group_lag_records_limit": "skipped-limited"}
    for metric, group in told_of.items():
        assert [dict(labels)["group"] for labels in seen.all(metric)] == [group]
