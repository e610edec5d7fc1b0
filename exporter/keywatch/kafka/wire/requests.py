"""The requests that keywatch speaks raw: how each is written and what its reply says (https://kafka.apache.org/protocol).

Each request is a function that builds a `Request`, and one that reads the reply; versions are the newest that is not
flexible, unless something needed came later. They reach from Kafka 2.4 to 4.x.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from keywatch.engine.slices import Pieces, at_once
from keywatch.kafka.wire.codec import Reader, Writer
from keywatch.kafka.wire.reply_memory import ReplyMemory
from keywatch.kafka.wire.request import Request

LIST_OFFSETS, METADATA, OFFSET_FETCH, FIND_COORDINATOR = 2, 3, 9, 10
DESCRIBE_GROUPS, LIST_GROUPS, CREATE_TOPICS = 15, 16, 19
DESCRIBE_CONFIGS, CREATE_PARTITIONS, ELECT_LEADERS, LIST_PARTITION_REASSIGNMENTS = 32, 37, 43, 46
DESCRIBE_QUORUM, DESCRIBE_CLUSTER, CONSUMER_GROUP_DESCRIBE = 55, 60, 69
SHARE_GROUP_DESCRIBE, DESCRIBE_SHARE_GROUP_OFFSETS = 77, 90

END, START = -1, -2  # the timestamps of ListOffsets that mean the high watermark and the oldest record
_TOPIC_RESOURCE = 2
_ROWS_PER_PIECE = 1000
_ID_BYTES = 16
MOST_BROKERS = 2000
"""Brokers that a cluster can have, and replicas that a partition can: the largest that are known have some hundred."""
_PARTITION = struct.Struct(">hiii")  # error code, index, leader, leader epoch
_ASKED = struct.Struct(">iiq")  # index, leader epoch, timestamp
OFFSET_ROW = struct.Struct(">ihqqi")  # index, error code, timestamp, offset, leader epoch


class TopicPartition(NamedTuple):
    """A partition of a topic."""

    topic: str
    partition: int


class BrokerNode(NamedTuple):
    """A broker as the cluster names it."""

    id: int
    host: str
    port: int
    rack: str
    fenced: bool


class PartitionState(NamedTuple):
    """A partition as metadata shows it; `leader` is -1 when it has none."""

    error: int
    leader: int
    epoch: int
    replicas: tuple[int, ...]
    in_sync: tuple[int, ...]


class Metadata(NamedTuple):
    """A reply to Metadata: brokers, who the cluster is, and topic → partition → state (or the topic's error code).

    `ids` are the topics' ids where the version tells them: a topic that was deleted and made again has another one.
    """

    brokers: tuple[BrokerNode, ...]
    cluster_id: str
    controller: int
    topics: dict[str, dict[int, PartitionState]]
    errors: dict[str, int]
    ids: dict[str, bytes]


def metadata(topics: Sequence[str] | None = None, version: int = 8) -> Request:
    """Ask for brokers and topics (None: all), version 8, or 10, which tells topics' ids (Kafka 2.8, KIP-516)."""
    flexible = version >= 10
    body = Writer(flexible=flexible)
    unknown_id = bytes(_ID_BYTES) if flexible else b""
    body.array(topics, lambda topic: body.raw(unknown_id).string(topic).tags())
    body.boolean(False).boolean(False).boolean(False).tags()
    return Request(METADATA, version, flexible, body.done())


def read_metadata(reader: Reader) -> Metadata:
    """Read a reply to Metadata v8 or v10."""
    return at_once(reading_metadata(reader, ReplyMemory(), {}))


def reading_metadata(
    reader: Reader, memory: ReplyMemory[dict[int, PartitionState]], before: Mapping[str, dict[int, PartitionState]]
) -> Pieces[Metadata]:
    """Read a reply to Metadata in pieces; a topic that is as in `memory` or as `before` stays the same object.

    Each broker needs a memory of its own, because each names partitions in an order of its own.
    """
    reader.int32()  # throttle time
    brokers = tuple(reader.array(lambda: _metadata_broker(reader), MOST_BROKERS))
    cluster_id = reader.string()
    controller = reader.int32()
    topics: dict[str, dict[int, PartitionState]] = {}
    errors: dict[str, int] = {}
    ids: dict[str, bytes] = {}
    for _ in range(reader.count()):
        error = reader.int16()
        name = reader.string()
        if reader.flexible:
            ids[name] = reader.raw(_ID_BYTES)
        start = reader.position
        partitions = memory.recall(reader, name)
        if partitions is None:
            reader.boolean()  # internal
            partitions = {}
            for _ in range(reader.count()):
                index, state = _metadata_partition(reader)
                partitions[index] = state
                if len(partitions) % _ROWS_PER_PIECE == 0:
                    yield
            reader.int32()  # authorized operations
            reader.tags()
            former = before.get(name)
            partitions = former if former == partitions else partitions
            memory.record(reader, name, start, partitions)
        if error:
            errors[name] = error
        else:
            topics[name] = partitions
        yield
    memory.retain(topics)
    return Metadata(brokers, cluster_id, controller, topics, errors, ids)


def _metadata_broker(reader: Reader) -> BrokerNode:
    node = BrokerNode(reader.int32(), reader.string(), reader.int32(), reader.string(), fenced=False)
    reader.tags()
    return node


def _metadata_partition(reader: Reader) -> tuple[int, PartitionState]:
    error, index, leader, epoch = reader.fields(_PARTITION)
    state = PartitionState(error, leader, epoch, reader.int32s(MOST_BROKERS), reader.int32s(MOST_BROKERS))
    reader.int32s(MOST_BROKERS)  # offline replicas: told 7 to 12 s late, the broker probe knows better
    reader.tags()
    return index, state


def describe_cluster() -> Request:
    """Ask who should exist, dead brokers included: DescribeCluster v2 (Kafka 4.0, KIP-1073)."""
    body = Writer(flexible=True).boolean(False).int8(1).boolean(True).tags()
    return Request(DESCRIBE_CLUSTER, 2, True, body.done())


def read_describe_cluster(reader: Reader) -> tuple[int, tuple[BrokerNode, ...]]:
    """Read a reply to DescribeCluster v2: error code, brokers."""
    reader.int32()  # throttle time
    error = reader.int16()
    reader.nullable_string()  # message
    reader.int8()  # endpoint type
    reader.string()  # cluster id
    reader.int32()  # controller
    brokers = []
    for _ in range(reader.count(MOST_BROKERS)):
        node = BrokerNode(reader.int32(), reader.string(), reader.int32(), reader.string(), reader.boolean())
        reader.tags()
        brokers.append(node)
    return error, tuple(brokers)


def list_offsets(partitions: Iterable[TopicPartition], timestamp: int) -> Request:
    """Ask a leader for offsets, version 4: `END`, `START`, or the first at or after a time in milliseconds."""
    topics: dict[str, list[int]] = {}
    for topic, partition in partitions:
        topics.setdefault(topic, []).append(partition)
    body = Writer().int32(-1).int8(0)  # as a client; read uncommitted: the high watermark

    def write(item: tuple[str, list[int]]) -> None:
        body.string(item[0]).int32(len(item[1])).raw(b"".join([_ASKED.pack(i, -1, timestamp) for i in item[1]]))

    body.array(topics.items(), write)
    return Request(LIST_OFFSETS, 4, False, body.done())


def read_list_offsets(reader: Reader) -> dict[TopicPartition, tuple[int, int]]:
    """Read a reply to ListOffsets v4: partition → error code, offset."""
    found: dict[TopicPartition, tuple[int, int]] = {}

    def take(topic: str, index: int, error: int, offset: int) -> None:
        found[TopicPartition(topic, index)] = (error, offset)

    at_once(reading_list_offsets(reader, ReplyMemory(), take))
    return found


def reading_list_offsets(
    reader: Reader, memory: ReplyMemory[int], take: Callable[[str, int, int, int], None]
) -> Pieces[int]:
    """Read a reply to ListOffsets v4 in pieces, and hand over topic, partition, error code and offset to `take`.

    Topics that `memory` knows from the last reply, word for word, are passed over. Returns the number of partitions
    that were answered for.
    """
    reader.int32()  # throttle time
    total = 0
    for _ in range(reader.count()):
        topic = reader.string()
        start = reader.position
        count = memory.recall(reader, topic)
        if count is None:
            whole = True
            count = reader.count()
            for row, (index, error, _, offset, _) in enumerate(reader.rows(OFFSET_ROW, count)):
                take(topic, index, error, offset)
                whole = whole and not error and offset >= 0
                if row % _ROWS_PER_PIECE == 0:
                    yield
            if whole:
                memory.record(reader, topic, start, count)
            else:  # told each time, because each time it means an unread partition
                memory.drop(topic)
        total += count
        yield
    return total


def describe_configs(topics: Iterable[str], names: Sequence[str]) -> Request:
    """Ask for the effective value of some settings of topics, version 1."""
    body = Writer()
    body.array(topics, lambda topic: body.int8(_TOPIC_RESOURCE).string(topic).array(names, body.string))
    body.boolean(False)  # synonyms
    return Request(DESCRIBE_CONFIGS, 1, False, body.done())


def read_describe_configs(reader: Reader) -> dict[str, tuple[int, dict[str, str]]]:
    """Read a reply to DescribeConfigs v1: topic → error code, name → value."""
    reader.int32()  # throttle time
    found: dict[str, tuple[int, dict[str, str]]] = {}
    for _ in range(reader.count()):
        error = reader.int16()
        reader.nullable_string()  # message
        reader.int8()  # resource type
        topic = reader.string()
        found[topic] = (error, dict(_config(reader) for _ in range(reader.count())))
    return found


def _config(reader: Reader) -> tuple[str, str]:
    name, value = reader.string(), reader.string()
    reader.boolean()  # read only
    reader.int8()  # source
    reader.boolean()  # sensitive
    for _ in range(reader.count()):  # synonyms
        reader.string()
        reader.nullable_string()
        reader.int8()
    return name, value


def create_topic(
    name: str, assignment: Mapping[int, Sequence[int]], configs: Mapping[str, str], timeout_ms: int
) -> Request:
    """Create a topic with replicas where they are wanted (partition → brokers), version 4."""
    body = Writer()

    def write(topic: str) -> None:
        body.string(topic).int32(-1).int16(-1)
        body.array(assignment.items(), lambda item: body.int32(item[0]).array(item[1], body.int32))
        body.array(configs.items(), lambda item: body.string(item[0]).string(item[1]))

    body.array([name], write).int32(timeout_ms).boolean(False)
    return Request(CREATE_TOPICS, 4, False, body.done())


def read_create_topic(reader: Reader) -> tuple[int, str]:
    """Read a reply to CreateTopics v4 or CreatePartitions v1 for one topic: error code, message."""
    reader.int32()  # throttle time
    error, message = 0, ""
    for _ in range(reader.count()):
        reader.string()
        error, message = reader.int16(), reader.string()
    return error, message


def create_partitions(name: str, count: int, added: Sequence[Sequence[int]], timeout_ms: int) -> Request:
    """Raise a topic to `count` partitions, the added ones with replicas where they are wanted, version 1."""
    body = Writer()

    def write(topic: str) -> None:
        body.string(topic).int32(count)
        body.array(added, lambda brokers: body.array(brokers, body.int32))

    body.array([name], write).int32(timeout_ms).boolean(False)
    return Request(CREATE_PARTITIONS, 1, False, body.done())


def elect_preferred_leaders(topic: str, partitions: Sequence[int], timeout_ms: int) -> Request:
    """Return the leadership of partitions back to their first replica, version 1 (KIP-460)."""
    body = Writer().int8(0)
    body.array([topic], lambda name: body.string(name).array(partitions, body.int32)).int32(timeout_ms)
    return Request(ELECT_LEADERS, 1, False, body.done())


def read_elect_leaders(reader: Reader) -> dict[int, tuple[int, str]]:
    """Read a reply to ElectLeaders v1 for one topic: partition → error code, message."""
    reader.int32()  # throttle time
    error = reader.int16()
    found: dict[int, tuple[int, str]] = {-1: (error, "")} if error else {}
    for _ in range(reader.count()):
        reader.string()
        for _ in range(reader.count()):
            index = reader.int32()
            found[index] = (reader.int16(), reader.string())
    return found
