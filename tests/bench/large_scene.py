"""A large cluster: 10,000 partitions, 1,000 groups with ten commits each; and traffic on all of it or on some."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined] # exported, but not by its typing

from tests.kafka import admin
from tests.kafka.cluster import KafkaCluster
from tests.kafka.waiting import wait_until

_AT_ONCE = 200
_TOPICS_AT_ONCE = 20
_REQUEST_SECONDS = 60.0


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
        some = new[start : start + _TOPICS_AT_ONCE]
        for future in client.create_topics(some, operation_timeout=_REQUEST_SECONDS).values():
            future.result()
    wait_until(lambda: _led(client, size), 120.0, "every partition has a leader")
    partitions = [(topic.topic, partition) for topic in new for partition in range(size.partitions)]
    produce(bootstrap, dict.fromkeys(partitions, records))
    admin.commit(bootstrap, "group-0", {(new[0].topic, 0): 0}, deadline=60)
    wanted = {index: records - (index % late == 0) for index in range(size.groups)}
    commit(bootstrap, size, wanted)


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
    client = AdminClient(admin.client_settings(bootstrap))
    for some in _chunks(list(offsets.items())):
        under_way = [_commit(client, size, index, offset) for index, offset in some]
        for future in under_way:
            for one in future.result().topic_partitions or []:
                if one.error is not None:
                    raise RuntimeError(f"a commit was refused: {one.error}")


def _commit(client: AdminClient, size: Size, index: int, offset: int) -> Future[Any]:
    group, topic, partitions = size.group(index)
    wanted = [TopicPartition(topic, partition, offset) for partition in partitions]
    found: dict[str, Future[Any]] = client.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, wanted)])
    return found[group]


def _chunks(items: list[tuple[int, int]]) -> Iterable[list[tuple[int, int]]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]


def _led(client: AdminClient, size: Size) -> bool:
    topics = client.list_topics(timeout=30).topics
    found = [topics[name] for name in topics if name.startswith("topic-")]
    return len(found) == size.topics and all(one.leader >= 0 for topic in found for one in topic.partitions.values())
