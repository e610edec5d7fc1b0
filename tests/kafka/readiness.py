"""Tells when a cluster serves: each broker leads and takes records, and every group coordinator takes commits."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.kafka import admin
from tests.kafka.node import KafkaNode
from tests.kafka.waiting import wait_until

_TOPIC = "keywatch-harness-probe"


def wait_serving(nodes: Sequence[KafkaNode], offsets_partitions: int, timeout: float) -> None:
    """Wait until `nodes` serve, and leave neither topic nor group behind.

    Serving means: each broker knows all of them; each leads a partition of a probe topic, replicated to all, that takes
    a record with acks=all; and the coordinator of each of the `offsets_partitions` takes a commit, which brings
    `__consumer_offsets` into being. Raises `TimeoutError` after `timeout` seconds and `KafkaException` when the
    cluster refuses.
    """
    end = time.monotonic() + timeout

    def left() -> float:
        # Never zero or less, which librdkafka refuses instead of timing out.
        return max(0.1, end - time.monotonic())

    bootstrap = ",".join(node.address for node in nodes)
    ids = {node.id for node in nodes}
    for node in nodes:
        client = AdminClient(admin.client_settings(node.address))
        wait_until(partial(_knows, client, ids), left(), f"node {node.id} knows nodes {sorted(ids)}")
    # Partition n is led by the n-th broker.
    assignment = [[node.id, *sorted(ids - {node.id})] for node in nodes]
    admin.create_topic(bootstrap, _TOPIC, replica_assignment=assignment, deadline=left())
    try:
        for number in range(len(nodes)):
            admin.produce(bootstrap, _TOPIC, 1, partition=number, deadline=left())
        groups = covering_groups(offsets_partitions)
        for group in groups:
            admin.commit(bootstrap, group, {(_TOPIC, 0): 1}, deadline=left())
        admin.delete_groups(bootstrap, groups, deadline=left())
    finally:
        admin.delete_topic(bootstrap, _TOPIC)


def covering_groups(partitions: int) -> list[str]:
    """Give group names such that each partition of `__consumer_offsets` coordinates one of them."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < partitions:
        name = f"keywatch-harness-{number}"
        found.setdefault(coordinating_partition(name, partitions), name)
        number += 1
    return [found[partition] for partition in range(partitions)]


def coordinating_partition(group: str, partitions: int) -> int:
    """Return the partition of `__consumer_offsets` that keeps `group`: Java's hash of its name, made positive."""
    value = 0
    for unit in group.encode("utf-16-be")[1::2] if group.isascii() else ():
        value = (value * 31 + unit) & 0xFFFFFFFF
    return min(value, 2**32 - value) % partitions if value != 2**31 else 0


def _knows(client: AdminClient, ids: set[int]) -> bool:
    try:
        return set(client.list_topics(timeout=2).brokers) == ids
    except KafkaException:
        return False
