"""Lag is the truth where offsets are not records and records are not what they say: each case says what is true.

In records, lag is what Kafka calls so: offsets from the commit, or from the oldest record that is left, to the end. In
seconds it is the age of the first record that a reader would still be given: no marker, none that was rolled back, none
that compaction or retention removed; and no younger than since it was first seen.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined] # imported there for users, but not by its typing
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from tests.kafka import admin, raw, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Recorder, Scrape
from tests.kafka.fixtures import kafka_required
from tests.kafka.test_exporter_groups import consuming
from tests.kafka.waiting import wait_until

pytestmark = pytest.mark.kafka

RIGHT_TO = 1.0
SEEN_WITHIN = 10.0
AGO = 3600.0
# Kafka looks for what to remove or to compact every few minutes, and not in the first half of one.
EAGER = {
    "log.initial.task.delay.ms": "500",
    "log.retention.check.interval.ms": "500",
    "log.cleaner.backoff.ms": "200",
    "offsets.retention.check.interval.ms": "500",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(1, extra=EAGER) as made:
        yield made


@pytest.fixture(scope="module")
def exporter(cluster: KafkaCluster) -> Iterator[ExporterProcess]:
    with ExporterProcess(scene.config(cluster.bootstrap, canary={"enabled": False}, groups={"period": 0.5})) as process:
        yield process


@dataclass(frozen=True)
class Lag:
    """What is told of a group's lag on a topic; `since` is the moment (Unix time) at which its age began."""

    records: float | None
    seconds: float | None
    since: float | None
    certain: bool
    out_of_range: float | None


def told(scrape: Scrape, group: str, topic: str) -> Lag:
    """Read a lag."""
    labels = {"group": group, "topic": topic}
    seconds = scrape.value("keywatch_group_lag_seconds", **labels)
    found = scrape.value("keywatch_probe_frame_timestamp_seconds", probe="groups")
    estimated = scrape.value("keywatch_group_lag_seconds_estimated", group=group)
    unknown = scrape.value("keywatch_group_partitions_unknown", **labels)
    uncommitted = scrape.value("keywatch_group_partitions_uncommitted", **labels) or 0
    return Lag(
        scrape.value("keywatch_group_lag_records", **labels),
        seconds,
        None if seconds is None or found is None else found - seconds,
        estimated == 0 and unknown == uncommitted,
        scrape.value("keywatch_group_partitions_out_of_range", **labels),
    )


def is_true(
    exporter: ExporterProcess,
    name: str,
    records: int,
    since: float | None,
    *,
    out_of_range: int = 0,
    within: float = SEEN_WITHIN,
) -> Scrape:
    """Wait until the lag of the group on the topic, both called `name`, is this: its age since when, None for none."""

    def right(scrape: Scrape) -> bool:
        lag = told(scrape, name, name)
        if lag.records != records or not lag.certain or lag.out_of_range != out_of_range or lag.since is None:
            return False
        return lag.seconds == 0 if since is None else abs(lag.since - since) <= RIGHT_TO

    try:
        return exporter.until(right, within, "the lag is the truth")
    except TimeoutError as error:
        lag = told(exporter.scrape(), name, name)
        words = f"the truth is {records} records since {since}, out of range {out_of_range}; told is {lag}"
        raise AssertionError(words) from error


def stamps(count: int, first: float, step: float = 60.0) -> list[int]:
    """Return so many timestamps in milliseconds, the first one at `first` (Unix time)."""
    return [int((first + index * step) * 1000) for index in range(count)]


@contextmanager
def transactions(cluster: KafkaCluster, name: str) -> Iterator[Producer]:
    """Return a producer that is ready for transactions."""
    settings: admin.Settings = {"transactional.id": name, "linger.ms": 0, "transaction.timeout.ms": 60_000}
    producer = Producer(admin.client_settings(cluster.bootstrap, settings))
    producer.init_transactions(admin.SETUP_SECONDS)
    yield producer


def put(producer: Producer, topic: str, written: Sequence[int]) -> None:
    """Write records into the open transaction."""
    for milliseconds in written:
        producer.produce(topic, b"x", partition=0, timestamp=milliseconds)
    assert producer.flush(admin.SETUP_SECONDS) == 0


def transact(producer: Producer, topic: str, written: Sequence[int], *, abort: bool = False) -> None:
    """Write records in a transaction of their own, which adds a marker after them."""
    producer.begin_transaction()
    put(producer, topic, written)
    if abort:
        producer.abort_transaction(60)
    else:
        producer.commit_transaction(60)


def first_from(cluster: KafkaCluster, topic: str, offset: int) -> int | None:
    """Return the offset of the first record from `offset` on as a reader is given it; None when there is none."""
    settings: admin.Settings = {
        "group.id": "truth",
        "enable.auto.commit": False,
        "enable.partition.eof": True,
        "auto.offset.reset": "earliest",
    }
    consumer = Consumer(admin.client_settings(cluster.bootstrap, settings))
    try:
        consumer.assign([TopicPartition(topic, 0, offset)])
        message = consumer.poll(60)
        assert message is not None
        return None if message.error() else message.offset()
    finally:
        consumer.close()


def configure(cluster: KafkaCluster, topic: str, name: str, value: str) -> None:
    """Change one setting of a topic."""
    entry = ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin.patiently(cluster.bootstrap, lambda client, _: client.incremental_alter_configs([resource]))


def test_after_the_last_record_of_a_transaction_only_its_marker_is_left_which_has_no_age(
    cluster: KafkaCluster, exporter: ExporterProcess
) -> None:
    name, began = "committed", time.time() - AGO
    admin.create_topic(cluster.bootstrap, name)
    with transactions(cluster, name) as producer:
        transact(producer, name, stamps(3, began))
        admin.commit(cluster.bootstrap, name, {(name, 0): 1})
        is_true(exporter, name, 3, began + 60)
        # What a client commits that adds one to the last record's offset.
        admin.commit(cluster.bootstrap, name, {(name, 0): 3})
        is_true(exporter, name, 1, None)
        transact(producer, name, stamps(2, began + 600))
        is_true(exporter, name, 4, began + 600)


def test_records_that_were_rolled_back_are_not_late(cluster: KafkaCluster, exporter: ExporterProcess) -> None:
    name, began = "aborted", time.time() - AGO
    admin.create_topic(cluster.bootstrap, name)
    with transactions(cluster, name) as producer:
        transact(producer, name, stamps(3, began))
        transact(producer, name, stamps(3, began + 600), abort=True)
        admin.commit(cluster.bootstrap, name, {(name, 0): 4})
        is_true(exporter, name, 4, None)
        admin.produce(cluster.bootstrap, name, 2, timestamps=stamps(2, began + 1200))
        is_true(exporter, name, 6, began + 1200)


def test_records_of_an_open_transaction_are_late_until_it_is_rolled_back(
    cluster: KafkaCluster, exporter: ExporterProcess
) -> None:
    name, began = "open", time.time() - AGO
    admin.create_topic(cluster.bootstrap, name)
    with transactions(cluster, name) as producer:
        admin.produce(cluster.bootstrap, name, 2, timestamps=stamps(2, began))
        producer.begin_transaction()
        put(producer, name, stamps(2, began + 300))
        # Behind the open transaction, out of reach for those who read committed records only.
        admin.produce(cluster.bootstrap, name, 2, timestamps=stamps(2, began + 900))
        with consuming(cluster, name, name, **{"isolation.level": "read_committed"}):
            # It has read and committed all that it is given: two records of six.
            is_true(exporter, name, 4, began + 300)
            # Nothing but the end of the transaction can be waited for by those who read behind its beginning.
            admin.commit(cluster.bootstrap, "dirty", {(name, 0): 5})
            exporter.until(
                lambda s: abs((told(s, "dirty", name).since or 0) - (began + 960)) < RIGHT_TO, SEEN_WITHIN, "is read"
            )
            producer.abort_transaction(60)
            is_true(exporter, name, 0, None)
        assert told(exporter.scrape(), "dirty", name).records == 2


def test_in_a_compaction_hole_the_next_record_that_is_left_counts(
    cluster: KafkaCluster, exporter: ExporterProcess
) -> None:
    name, began = "compacted", time.time() - AGO
    # Each record comes alone, a minute after the one before, and so begins a segment of its own.
    rolling = {"cleanup.policy": "compact", "segment.ms": "1000", "min.cleanable.dirty.ratio": "1.0"}
    admin.create_topic(cluster.bootstrap, name, configs=rolling)
    keys = [b"a", b"b", b"c", b"d", b"e", b"b", b"c", b"d", b"end"]
    producer = Producer(admin.client_settings(cluster.bootstrap))
    for key, stamp in zip(keys, stamps(len(keys), began), strict=True):
        producer.produce(name, b"x", key=key, partition=0, timestamp=stamp)
        assert producer.flush(admin.SETUP_SECONDS) == 0
    admin.commit(cluster.bootstrap, name, {(name, 0): 1})
    is_true(exporter, name, 8, began + 60)
    configure(cluster, name, "min.cleanable.dirty.ratio", "0.01")
    wait_until(lambda: first_from(cluster, name, 1) == 4, 30, "b, c and d are compacted away")
    is_true(exporter, name, 8, began + 4 * 60, within=40)
    admin.commit(cluster.bootstrap, name, {(name, 0): 3})
    is_true(exporter, name, 6, began + 4 * 60)


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_within_a_batch_each_record_has_its_own_age_whatever_compressed_it_and_in_whatever_order_they_are(
    cluster: KafkaCluster, exporter: ExporterProcess, codec: str
) -> None:
    name, began = f"packed-{codec}", time.time() - AGO
    admin.create_topic(cluster.bootstrap, name)
    settings: admin.Settings = {"compression.type": codec, "linger.ms": 200}
    producer = Producer(admin.client_settings(cluster.bootstrap, settings))
    written = [0.0, 0.4, -600.0, 900.0]
    for index, age in enumerate(written):
        # Every other one is a tombstone, as compacted topics have them: also that is a record.
        value = bytes(500) if index % 2 else None
        producer.produce(name, value, key=b"k", partition=0, timestamp=int((began + age) * 1000))
    assert producer.flush(admin.SETUP_SECONDS) == 0
    for committed, age in enumerate(written):
        admin.commit(cluster.bootstrap, name, {(name, 0): committed})
        is_true(exporter, name, len(written) - committed, began + age)


def test_where_the_broker_stamps_records_their_age_is_since_they_were_appended(
    cluster: KafkaCluster, exporter: ExporterProcess
) -> None:
    name = "appended"
    admin.create_topic(cluster.bootstrap, name, configs={"message.timestamp.type": "LogAppendTime"})
    admin.commit(cluster.bootstrap, name, {(name, 0): 0})
    is_true(exporter, name, 0, None)
    admin.produce(cluster.bootstrap, name, 1, timestamps=stamps(1, time.time() - AGO))
    appended = time.time()
    is_true(exporter, name, 1, appended)
    admin.produce(cluster.bootstrap, name, 4)
    is_true(exporter, name, 5, appended)


def test_a_record_from_the_future_is_as_old_as_it_has_been_there(
    cluster: KafkaCluster, exporter: ExporterProcess
) -> None:
    name = "future"
    admin.create_topic(cluster.bootstrap, name)
    admin.commit(cluster.bootstrap, name, {(name, 0): 0})
    is_true(exporter, name, 0, None)
    written = time.time()
    # Kafka refuses what is more than an hour ahead (message.timestamp.after.max.ms).
    admin.produce(cluster.bootstrap, name, 3, timestamps=stamps(3, written + 1800))
    exporter.until(lambda s: (told(s, name, name).seconds or 0) > 2, SEEN_WITHIN, "it grows older")
    # It was seen in the cycle after it was written, and a cycle takes a second.
    is_true(exporter, name, 3, written + 0.5)


def test_a_record_from_the_far_past_is_as_old_as_it_says(cluster: KafkaCluster, exporter: ExporterProcess) -> None:
    name, began = "past", 86_400.0
    admin.create_topic(cluster.bootstrap, name, configs={"retention.ms": "-1"})
    admin.produce(cluster.bootstrap, name, 3, timestamps=stamps(3, began))
    admin.commit(cluster.bootstrap, name, {(name, 0): 1})
    is_true(exporter, name, 2, began + 60)


def test_a_topic_that_was_made_again_begins_anew_and_its_lag_is_never_negative(
    cluster: KafkaCluster, exporter: ExporterProcess
) -> None:
    name, began = "again", time.time() - AGO
    admin.create_topic(cluster.bootstrap, name)
    admin.produce(cluster.bootstrap, name, 20, timestamps=stamps(20, began, 1))
    admin.commit(cluster.bootstrap, name, {(name, 0): 10})
    is_true(exporter, name, 10, began + 10)
    with Recorder(exporter) as recorder:
        for count, age in ((15, 600.0), (30, 60.0)):  # once lower, once beyond what was there before
            admin.delete_topic(cluster.bootstrap, name)
            admin.create_topic(cluster.bootstrap, name)
            renewed = time.time() - age
            admin.produce(cluster.bootstrap, name, count, timestamps=stamps(count, renewed, 1))
            admin.commit(cluster.bootstrap, name, {(name, 0): 10})
            is_true(exporter, name, count - 10, renewed + 10)
    lags = [told(scrape, name, name) for scrape in recorder.scrapes]
    assert all(lag.records >= 0 for lag in lags if lag.records is not None)
    assert not recorder.errors


def test_a_commit_beyond_the_end_is_no_lag_but_is_told(cluster: KafkaCluster, exporter: ExporterProcess) -> None:
    name, began = "beyond", time.time() - AGO
    admin.create_topic(cluster.bootstrap, name)
    admin.produce(cluster.bootstrap, name, 5, timestamps=stamps(5, began))
    admin.commit(cluster.bootstrap, name, {(name, 0): 8})
    is_true(exporter, name, 0, None, out_of_range=1)
    assert "beyond the end" in exporter.log.read_text(encoding="utf-8")
    admin.produce(cluster.bootstrap, name, 5, timestamps=stamps(5, began + 600))
    is_true(exporter, name, 2, began + 600 + 3 * 60)


def test_what_was_removed_before_it_was_read_is_no_lag_but_is_told(
    cluster: KafkaCluster, exporter: ExporterProcess
) -> None:
    name, began = "removed", time.time() - AGO
    admin.create_topic(cluster.bootstrap, name)
    admin.produce(cluster.bootstrap, name, 20, timestamps=stamps(20, began))
    admin.commit(cluster.bootstrap, name, {(name, 0): 2})
    is_true(exporter, name, 18, began + 2 * 60)
    admin.delete_records(cluster.bootstrap, name, 0, before=12)
    is_true(exporter, name, 8, began + 12 * 60, out_of_range=1)
    assert "removed" in exporter.log.read_text(encoding="utf-8")
    admin.commit(cluster.bootstrap, name, {(name, 0): 12})
    is_true(exporter, name, 8, began + 12 * 60)


def test_when_retention_removed_everything_nothing_is_left_to_read(
    cluster: KafkaCluster, exporter: ExporterProcess
) -> None:
    name, began = "expired", time.time() - AGO
    admin.create_topic(cluster.bootstrap, name)
    admin.produce(cluster.bootstrap, name, 5, timestamps=stamps(5, began))
    admin.commit(cluster.bootstrap, name, {(name, 0): 1})
    is_true(exporter, name, 4, began + 60)
    configure(cluster, name, "retention.ms", "600000")
    is_true(exporter, name, 0, None, out_of_range=1, within=20)


def test_a_commit_that_expired_leaves_no_lag_behind(cluster: KafkaCluster, exporter: ExporterProcess) -> None:
    name = "forgotten"
    admin.create_topic(cluster.bootstrap, name, partitions=2)
    for partition in range(2):
        admin.produce(cluster.bootstrap, name, 5, partition=partition)
    admin.commit(cluster.bootstrap, name, {(name, 1): 2})
    raw.commit_for(cluster.node(1).address, name, {(name, 0): 1}, seconds=3)
    raw.commit_for(cluster.node(1).address, "all-forgotten", {(name, 0): 1}, seconds=3)
    with Recorder(exporter) as recorder:
        exporter.until(lambda s: told(s, name, name).records == 4 + 3, SEEN_WITHIN, "both commits are seen")
        # A commit that is gone may be one that keywatch may not see any more: for a while it counts as unknown.
        seen = exporter.until(
            lambda s: told(s, name, name).certain and told(s, name, name).records == 3, 20, "one commit is left"
        )
        assert seen.value("keywatch_group_uncommitted_records", group=name, topic=name) == 5, "where there is none now"
        assert seen.value("keywatch_group_lag_known", group=name) == 1
        exporter.until(lambda s: not s.all("keywatch_group_up", group="all-forgotten"), 20, "the group is gone")
        assert not told(exporter.scrape(), "all-forgotten", name).records
    assert {told(s, name, name).records for s in recorder.scrapes} <= {None, 3, 7}


def test_of_a_group_that_has_not_committed_yet_no_lag_is_claimed_and_that_is_told(
    cluster: KafkaCluster, exporter: ExporterProcess
) -> None:
    name = "fresh"
    admin.create_topic(cluster.bootstrap, name)
    admin.produce(cluster.bootstrap, name, 5)
    with consuming(cluster, name, name, **{"enable.auto.commit": False}):
        seen = exporter.until(lambda s: s.value("keywatch_group_members", group=name) == 1, 20, "it has a member")
        assert seen.value("keywatch_group_up", group=name) == 1
        assert seen.value("keywatch_group_lag_known", group=name) == 0
        assert not seen.all("keywatch_group_lag_records", group=name)
        assert not seen.all("keywatch_group_lag_seconds", group=name)
    admin.commit(cluster.bootstrap, name, {(name, 0): 4})
    seen = exporter.until(lambda s: told(s, name, name).records == 1, SEEN_WITHIN, "the first commit is seen")
    assert seen.value("keywatch_group_lag_known", group=name) == 1
