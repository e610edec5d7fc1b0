"""The raw request for the controllers' quorum: who leads, who votes, and how far each has come (KIP-595, KIP-836)."""

from __future__ import annotations

from typing import NamedTuple

from keywatch.kafka.wire.codec import Reader, Writer
from keywatch.kafka.wire.request import Request
from keywatch.kafka.wire.requests import DESCRIBE_QUORUM

_TOPIC, _PARTITION = "__cluster_metadata", 0
_UNKNOWN = -1
_MOST_REPLICAS = 2000


class QuorumReplica(NamedTuple):
    """A voter or an observer: the end of its log, and when it last fetched, in Unix seconds; None where unknown."""

    id: int
    end_offset: int | None
    fetched: float | None


class Quorum(NamedTuple):
    """What the leader says, or the error code in its place; `leader` is -1 where there is none."""

    error: int
    leader: int
    epoch: int
    voters: tuple[QuorumReplica, ...]
    observers: tuple[QuorumReplica, ...]


def describe_quorum() -> Request:
    """Ask for the quorum: DescribeQuorum v1 (Kafka 3.3), which a broker hands on to the active controller."""
    body = Writer(flexible=True)
    body.array([_TOPIC], lambda topic: _partition(body.string(topic)).tags())
    return Request(DESCRIBE_QUORUM, 1, True, body.tags().done())


def _partition(body: Writer) -> Writer:
    return body.array([_PARTITION], lambda one: body.int32(one).tags())


def read_describe_quorum(reader: Reader) -> Quorum:
    """Read a reply to DescribeQuorum v1, which has no throttle time."""
    error = reader.int16()
    found = Quorum(error, _UNKNOWN, _UNKNOWN, (), ())
    for _ in range(reader.count(1)):
        reader.string()
        for _ in range(reader.count(1)):
            reader.int32()
            error = error or reader.int16()
            leader, epoch = reader.int32(), reader.int32()
            reader.int64()  # high watermark
            voters, observers = _replicas(reader), _replicas(reader)
            reader.tags()
            found = Quorum(error, leader, epoch, voters, observers)
        reader.tags()
    return found


def _replicas(reader: Reader) -> tuple[QuorumReplica, ...]:
    return tuple(reader.array(lambda: _replica(reader), _MOST_REPLICAS))


def _replica(reader: Reader) -> QuorumReplica:
    number, end, fetched = reader.int32(), reader.int64(), reader.int64()
    reader.int64()  # when it had last caught up
    reader.tags()
    return QuorumReplica(number, end if end >= 0 else None, fetched / 1000 if fetched >= 0 else None)
