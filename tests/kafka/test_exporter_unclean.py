"""A replica that lacks records comes to lead on a real Kafka: counted where it lost some, and nowhere else."""

from __future__ import annotations

import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.kafka import admin, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Scrape
from tests.kafka.fixtures import kafka_required
from tests.kafka.settings import QUICK_SESSIONS

pytestmark = pytest.mark.kafka

LOOSE, ELIGIBLE, STRICT = "loose", "eligible", "strict"
TOTAL, AT = "keywatch_topic_unclean_elections_total", "keywatch_topic_unclean_election_timestamp_seconds"
LEADER, IN_SYNC = "keywatch_partition_leader", "keywatch_partition_in_sync_replicas"
LACKING = "keywatch_topic_metadata_partitions_under_replicated"


def end(address: str) -> int:
    """Return the end offset of the topic that allows unclean elections."""
    consumer = Consumer({"bootstrap.servers": address, "group.id": "ends"})
    try:
        return int(consumer.get_watermark_offsets(TopicPartition(LOOSE, 0), timeout=30)[1])
    finally:
        consumer.close()


def test_an_unclean_election_is_counted_and_that_of_an_eligible_replica_is_not() -> None:
    kafka_required()
    with KafkaCluster(2, controllers=1, extra=QUICK_SESSIONS) as cluster:
        first, second = cluster.nodes
        for topic, least, unclean in ((LOOSE, "1", "true"), (ELIGIBLE, "2", "true"), (STRICT, "1", "false")):
            settings = {"min.insync.replicas": least, "unclean.leader.election.enable": unclean}
            admin.create_topic(cluster.bootstrap, topic, replica_assignment=[[1, 2]], configs=settings)
            admin.produce(cluster.bootstrap, topic, 3)
        with ExporterProcess(scene.config(cluster.bootstrap, topics={"watch": []})) as exporter:

            def led_by(scrape: Scrape, topic: str, broker: int) -> bool:
                return scrape.value(LEADER, topic=topic, partition="0") == broker

            exporter.until(
                lambda s: (
                    s.value(TOTAL, topic=LOOSE) == s.value(TOTAL, topic=ELIGIBLE) == 0
                    and s.value("keywatch_cluster_feature_level", feature="eligible.leader.replicas.version") == 1
                    and s.total(IN_SYNC, topic=LOOSE) == 2
                ),
                120,
                "topics that allow it stand at 0",
            )
            second.stop()
            exporter.until(
                lambda s: all(s.value(LACKING, topic=topic) == 1 for topic in (LOOSE, ELIGIBLE, STRICT)),
                60,
                "Kafka knows only the first to be in sync",
            )
            admin.produce(first.address, LOOSE, 5)
            assert end(first.address) == 8
            first.stop()
            second.start()
            seen = exporter.until(
                lambda s: s.value(TOTAL, topic=LOOSE) == 1 and led_by(s, ELIGIBLE, 2), 120, "the second leads"
            )
            assert led_by(seen, LOOSE, 2)
            assert led_by(seen, STRICT, -1), "who allows none waits"
            assert seen.value(TOTAL, topic=ELIGIBLE) == 0, "it was eligible: nothing was acknowledged without it"
            assert not seen.all(TOTAL, topic=STRICT)
            assert [dict(labels)["topic"] for labels in seen.all(AT)] == [LOOSE]
            assert end(second.address) == 3, "what it lacked is lost"
            first.start()
            after = exporter.until(
                lambda s: led_by(s, STRICT, 1) and s.total(IN_SYNC, topic=LOOSE) == 2, 120, "both are back"
            )
            assert after.total(TOTAL) == 1
            log = exporter.log.read_text(encoding="utf-8")
            assert "partition 0 was led by broker 2, which was not in sync" in log
