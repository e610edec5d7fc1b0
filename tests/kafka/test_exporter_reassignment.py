"""A reassignment that takes its time is not told as partitions that lack replicas."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from functools import partial
from typing import Any

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # imported there for users, but not by its typing
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from tests.kafka import admin, raw, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Recorder
from tests.kafka.fixtures import kafka_required
from tests.kafka.waiting import wait_until

pytestmark = pytest.mark.kafka

TOPIC = "moved"
BROKERS = (1, 2, 3)


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(3) as made:
        yield made


def throttle(cluster: KafkaCluster, rate: int) -> None:
    """Let replicas of the topic be copied at so many bytes a second."""

    def entry(name: str, value: str) -> ConfigEntry:
        return ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)

    sides = ("leader", "follower")
    topic = [entry(f"{side}.replication.throttled.replicas", "*") for side in sides]
    resources = [ConfigResource(ResourceType.TOPIC, TOPIC, incremental_configs=topic)]
    for broker in BROKERS:
        limits = [entry(f"{side}.replication.throttled.rate", str(rate)) for side in sides]
        resources.append(ConfigResource(ResourceType.BROKER, str(broker), incremental_configs=limits))
    for resource in resources:
        admin.patiently(cluster.bootstrap, partial(_set, resource))


def _set(resource: ConfigResource, client: AdminClient, _: float) -> Mapping[Any, Future[Any]]:
    return client.incremental_alter_configs([resource])


def replicas(cluster: KafkaCluster) -> tuple[set[int], set[int]]:
    """Return the replicas of the topic's only partition, and those in sync."""
    client = AdminClient(admin.client_settings(cluster.bootstrap))
    found = client.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions[0]
    return set(found.replicas), set(found.isrs)


def test_a_throttled_reassignment_is_no_lack_of_replicas(cluster: KafkaCluster) -> None:
    admin.create_topic(cluster.bootstrap, TOPIC, replica_assignment=[[1, 2]])
    admin.produce(cluster.bootstrap, TOPIC, 200, value=bytes(10_000))
    throttle(cluster, 100_000)
    with ExporterProcess(scene.config(cluster.bootstrap, canary={"enabled": False}, topics={"watch": []})) as exporter:
        exporter.until(
            lambda s: s.value("keywatch_topic_partitions_under_replicated", topic=TOPIC) == 0, 30, "all is well"
        )
        with Recorder(exporter) as recorder:
            raw.reassign(cluster.node(1).address, TOPIC, [[1, 3]])
            wait_until(lambda: replicas(cluster) == ({1, 2, 3}, {1, 2}), 30, "it is under way")
            assert replicas(cluster) == ({1, 2, 3}, {1, 2}), "it is under way still"
            # Who is asked while it is under way knows it too.
            with ExporterProcess(scene.config(cluster.bootstrap, canary={"enabled": False})) as late:
                name = "keywatch_topic_partitions_under_replicated"
                first = late.until(lambda s: s.value(name, topic=TOPIC) is not None, 30, "it has looked")
                assert first.value(name, topic=TOPIC) == 0
            throttle(cluster, 100_000_000)
            wait_until(lambda: replicas(cluster) == ({1, 3}, {1, 3}), 60, "it has ended")
        told = [s.value("keywatch_topic_partitions_under_replicated", topic=TOPIC) for s in recorder.scrapes]
        assert len(told) > 5
        assert set(told) == {0.0}
        assert {s.value("keywatch_partition_replicas", topic=TOPIC, partition="0") for s in recorder.scrapes} == {2.0}
        assert not recorder.errors
