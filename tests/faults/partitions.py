"""Partitions and topics that do not work, and brokers that take no records: H10 to H12 and H21."""

from __future__ import annotations

import random
from collections.abc import Sequence

from confluent_kafka.admin import (  # type: ignore[attr-defined] # imported there for users, but not by its typing
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from tests.faults.bed import AUDIT, CANARY, Bed, now
from tests.faults.brokers import down, started, victim
from tests.faults.fault import Case, Fault, Page
from tests.faults.network import done
from tests.kafka import admin

_KNOWN_WITHIN = 30.0


def faults() -> list[Fault]:
    """Return the faults of this family."""
    return [
        Fault("H10", "the only replica's broker killed", leaderless),
        Fault("H11", "below min.insync.replicas: a broker killed", below_min_isr),
        Fault("H12", "a watched topic deleted", deleted),
        Fault("H21", "records refused while metadata is fine", unwritable, held_back=True),
    ]


def leaderless(bed: Bed, chance: random.Random) -> Case:
    """Kill the node that has the only replica of a partition."""
    node = victim(bed, chance)
    return _killed_with_topic(bed, node.id, "single", "KafkaPartitionsOffline", [[node.id]], {})


def below_min_isr(bed: Bed, chance: random.Random) -> Case:
    """Kill one of the three nodes that must all have a record."""
    node = victim(bed, chance)
    demand = {"min.insync.replicas": "3"}
    return _killed_with_topic(bed, node.id, "strict", "KafkaPartitionsBelowMinIsr", [[1, 2, 3], [2, 3, 1]], demand)


def _killed_with_topic(
    bed: Bed, victim_id: int, topic: str, alert: str, replicas: Sequence[Sequence[int]], demand: dict[str, str]
) -> Case:
    node = bed.kafka.node(victim_id)
    admin.create_topic(bed.kafka.bootstrap, topic, replica_assignment=replicas, configs=demand)
    needed = float(demand.get("min.insync.replicas", 1))
    bed.exporter.until(
        lambda s: (
            s.value("keywatch_topic_min_insync_replicas", topic=topic) == needed
            and s.value("keywatch_topic_partitions_offline", topic=topic) == 0
        ),
        _KNOWN_WITHIN,
        f"keywatch knows topic {topic}",
    )
    pages = (Page(alert, {"cluster": bed.cluster, "topic": topic}), down(bed, node, "refused"))
    return Case(
        pages,
        node.kill,
        lambda: started(node),
        clean=lambda: admin.delete_topic(bed.kafka.bootstrap, topic),
    )


def deleted(bed: Bed, chance: random.Random) -> Case:  # noqa: ARG001 - there is one
    """Delete a topic that must exist."""
    return Case(
        (Page("KafkaTopicMissing", {"cluster": bed.cluster, "topic": AUDIT}),),
        lambda: done(lambda: admin.delete_topic(bed.kafka.bootstrap, AUDIT)),
        lambda: done(lambda: admin.create_topic(bed.kafka.bootstrap, AUDIT, partitions=3, replicas=3)),
    )


def unwritable(bed: Bed, chance: random.Random) -> Case:  # noqa: ARG001 - it concerns all brokers
    """Have the canary's topic take no record, whoever leads it."""
    pages = tuple(
        Page("KafkaCanaryFailing", {"cluster": bed.cluster, "broker": str(node.id)}, "rejected")
        for node in bed.kafka.nodes
    )
    topic = ConfigResource(ResourceType.TOPIC, CANARY)
    limit = ("max.message.bytes", "1")
    return Case(
        pages,
        lambda: alter(bed, topic, AlterConfigOpType.SET, limit),
        lambda: alter(bed, topic, AlterConfigOpType.DELETE, limit),
    )


def alter(bed: Bed, resource: ConfigResource, operation: AlterConfigOpType, setting: tuple[str, str]) -> float:
    """Change a setting of a topic or broker while it runs; give the time right before the request."""
    client = AdminClient(admin.client_settings(bed.kafka.bootstrap))
    client.list_topics(timeout=10)  # until it is connected nothing is broken
    resource = ConfigResource(resource.restype, resource.name)
    name, value = setting
    resource.add_incremental_config(ConfigEntry(name, value, incremental_operation=operation))
    moment = now()
    client.incremental_alter_configs([resource])[resource].result()
    return moment
