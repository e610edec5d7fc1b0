"""What topics must promise is compared with what a real Kafka tells of them, and told when somebody changes it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # imported there for users, but not by its typing
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from tests.kafka import admin, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Scrape
from tests.kafka.fixtures import kafka_required

pytestmark = pytest.mark.kafka

SETTINGS = ("min.insync.replicas", "replication.factor", "retention.ms", "cleanup.policy", "max.message.bytes")
# It is asked every ten seconds.
SEEN_WITHIN = 40.0


@pytest.fixture
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(1) as made:
        yield made


def state(scrape: Scrape, topic: str, severity: str) -> list[float | None]:
    labels = {"topic": topic, "severity": severity}
    return [scrape.value("keywatch_topic_as_expected", setting=setting, **labels) for setting in SETTINGS]


def set_retention(bootstrap: str, topic: str, milliseconds: int) -> None:
    entry = ConfigEntry("retention.ms", str(milliseconds), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin.patiently(
        bootstrap, lambda client, timeout: client.incremental_alter_configs([resource], request_timeout=timeout)
    )


def test_each_setting_is_told_and_a_change_is_seen(cluster: KafkaCluster) -> None:
    expect = [
        {"topics": "audit", "replication_factor": 2, "min_insync_replicas": 1, "severity": "critical"},
        {"retention": 3600, "cleanup_policy": ["delete"], "max_message_bytes": 1000},
    ]
    for topic in ("audit", "work"):
        admin.create_topic(cluster.bootstrap, topic)
    with ExporterProcess(scene.config(cluster.bootstrap, topics={"expect": expect})) as exporter:
        seen = exporter.until(lambda s: state(s, "audit", "critical")[1] == 0, SEEN_WITHIN, "one replica is too few")
        assert state(seen, "audit", "critical") == [1, 0, None, None, None]
        assert state(seen, "work", "warning") == [None, None, 1, 1, 1]
        set_retention(cluster.bootstrap, "work", 3_599_999)
        exporter.until(lambda s: state(s, "work", "warning") == [None, None, 0, 1, 1], SEEN_WITHIN, "it is less now")
        set_retention(cluster.bootstrap, "work", -1)
        exporter.until(lambda s: state(s, "work", "warning") == [None, None, 1, 1, 1], SEEN_WITHIN, "for ever is more")
