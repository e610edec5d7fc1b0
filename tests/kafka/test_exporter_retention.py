"""When unread records will be deleted is told before, and a real Kafka deletes them then."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.kafka import admin, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Scrape
from tests.kafka.fixtures import kafka_required
from tests.kafka.waiting import wait_until

pytestmark = pytest.mark.kafka

LEFT = "keywatch_group_retention_left_seconds"
TOPIC, GROUP = "kept-briefly", "slow"
KEPT = 30.0
# Kafka looks for what is too old every five minutes; here every second.
EAGER = {"log.retention.check.interval.ms": "1000", "log.initial.task.delay.ms": "1000"}
CHECKED_WITHIN = 1.0
# What a busy machine may take to get to it.
SLACK = 6.0
APART = 8.0


@pytest.fixture
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(1, extra=EAGER) as made:
        yield made


def left(scrape: Scrape) -> float | None:
    return scrape.value(LEFT, group=GROUP, topic=TOPIC)


def test_what_is_left_ends_when_kafka_deletes_the_records(cluster: KafkaCluster) -> None:
    settings = {"retention.ms": str(int(KEPT * 1000)), "segment.ms": "4000", "file.delete.delay.ms": "1000"}
    admin.create_topic(cluster.bootstrap, TOPIC, configs=settings)
    admin.create_topic(cluster.bootstrap, "kept-for-ever", configs={"retention.ms": "-1"})
    admin.commit(cluster.bootstrap, GROUP, {(TOPIC, 0): 0, ("kept-for-ever", 0): 0})
    limits = [{"groups": GROUP, "retention_left": 15.0}]
    with ExporterProcess(scene.config(cluster.bootstrap, groups={"watch": [GROUP], "limits": limits})) as exporter:
        exporter.until(lambda s: left(s) == KEPT, 60, "nothing is unread")
        begun = time.time()
        admin.produce(cluster.bootstrap, TOPIC, 5)
        time.sleep(APART)  # longer than a segment, so that the next records begin another one
        admin.produce(cluster.bootstrap, TOPIC, 5)

        def shrinks(scrape: Scrape) -> bool:
            found = left(scrape)
            return found is not None and found < KEPT - APART + 2

        told = exporter.until(shrinks, 60, "the first records are told")
        shown = time.time() - (time.monotonic() - told.at)
        predicted = shown + (left(told) or 0.0)
        # The probe looks every five seconds, so what it tells is up to so much older than the scrape.
        assert begun + KEPT <= predicted <= begun + KEPT + 7.0
        assert told.value(f"{LEFT}_limit", group=GROUP) == 15.0
        assert told.value(LEFT, group=GROUP, topic="kept-for-ever") is None
        promised = {"retention_seconds": KEPT, "replication_factor": 1.0, "unclean_leader_election": 0.0}
        assert {name: told.value(f"keywatch_topic_{name}", topic=TOPIC) for name in promised} == promised
        deleted = _start_moves(cluster, 5)
        assert begun + KEPT <= deleted <= begun + KEPT + CHECKED_WITHIN + SLACK
        # The next ones were written so much later, and last so much longer.
        after = exporter.until(
            lambda s: s.value("keywatch_group_lag_records", group=GROUP, topic=TOPIC) == 5, 30, "five are left"
        )
        exporter.until(lambda s: s.at > after.at + 6 and 0 < (left(s) or 0) <= APART, 15, "the next ones are told")


def _start_moves(cluster: KafkaCluster, offset: int) -> float:
    """Return when the oldest record kept is the one at `offset`, in Unix time."""
    client = Consumer(admin.client_settings(cluster.bootstrap, {"group.id": "nobody", "enable.auto.commit": False}))

    def moved() -> bool:
        start, _ = client.get_watermark_offsets(TopicPartition(TOPIC, 0), timeout=10)
        return start == offset

    try:
        wait_until(moved, KEPT + 30, "the first segment is gone")
        return time.time()
    finally:
        client.close()
