"""A large cluster: 10,000 partitions, 1,000 groups with ten commits each; and traffic on all of it or on some."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, Producer
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined] # exported, but not by its typing

from tests.kafka import admin
from tests.kafka.cluster import KafkaCluster
from tests.kafka.waiting import wait_until

_TOPICS_AT_ONCE = 20
_EXISTS = KafkaError.TOPIC_ALREADY_EXISTS


@dataclass(frozen=True)
class Size:
    """How large: each group commits the `commits` partitions of its own place in a topic."""

    topics: int = 100
    partitions: int = 100
    groups: int = 1000
    commits: int = 10

    def group(self, index: int) -> tuple[str, str, range]:
        """Return a group's name, its topic and its partitions."""
        first = index // self.topics * self.commits % self.partitions
        return f"group-{index}", f"topic-{index % self.topics}", range(first, first + self.commits)


def cluster() -> KafkaCluster:
    """Make three nodes that have room for it."""
    return KafkaCluster(3, extra={"log.index.size.max.bytes": "65536", "group.max.size": "100"})


def build(bootstrap: str, size: Size, records: int = 2, late: int = 10) -> None:
    """Make the topics, `records` in each partition, and the commits; every `late`-th group is a record behind."""
    client = AdminClient(admin.client_settings(bootstrap))
    new = [NewTopic(f"topic-{index}", size.partitions, 1) for index in range(size.topics)]
    for start in range(0, len(new), _TOPICS_AT_ONCE):
        admin.patiently(bootstrap, partial(_create, new[start : start + _TOPICS_AT_ONCE]), done=_EXISTS)
    wait_until(lambda: _led(client, size), 120.0, "every partition has a leader")
    partitions = [(topic.topic, partition) for topic in new for partition in range(size.partitions)]
    produce(bootstrap, dict.fromkeys(partitions, records))
    admin.commit(bootstrap, "group-0", {(new[0].topic, 0): 0}, deadline=60)
    wanted = {index: records - (index % late == 0) for index in range(size.groups)}
    commit(bootstrap, size, wanted)


def _create(topics: list[NewTopic], client: AdminClient, seconds: float) -> dict[str, Future[Any]]:
    found: dict[str, Future[Any]] = client.create_topics(topics, operation_timeout=seconds, request_timeout=seconds)
    return found


def produce(bootstrap: str, counts: Mapping[tuple[str, int], int]) -> None:
    """Produce so many records to each partition and wait until all are acknowledged."""
    producer = Producer(admin.client_settings(bootstrap, {"linger.ms": 20, "message.timeout.ms": 60_000}))
    for (topic, partition), count in counts.items():
        for _ in range(count):
            producer.produce(topic, b"x", partition=partition)
        producer.poll(0)
    if producer.flush(60):
        raise TimeoutError("records were not acknowledged")


def commit(bootstrap: str, size: Size, offsets: Mapping[int, int]) -> None:
    """Commit an offset on all partitions of each of these groups."""
    wanted = {}
    for index, offset in offsets.items():
        group, topic, partitions = size.group(index)
        wanted[group] = {(topic, partition): offset for partition in partitions}
    admin.commit_groups(bootstrap, wanted)


def _led(client: AdminClient, size: Size) -> bool:
    topics = client.list_topics(timeout=30).topics
    found = [topics[name] for name in topics if name.startswith("topic-")]
    return len(found) == size.topics and all(one.leader >= 0 for topic in found for one in topic.partitions.values())
