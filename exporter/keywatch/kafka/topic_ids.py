"""Which topic is it? Kafka gives each a number of its own, so that one deleted and made again is told from the old."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from keywatch.kafka import wire
from keywatch.kafka.codec import Reader, Writer
from keywatch.kafka.connection import Request
from keywatch.kafka.peers import Peers, first
from keywatch.kafka.topology import Topology
from keywatch.probe import Reason

_SIZE = 16
_NOBODY = b"\0" * _SIZE
_ASKED_AT_ONCE = 2


async def read_topic_ids(
    topology: Topology, peers: Peers, topics: Collection[str], timeout: float
) -> Mapping[str, bytes | None]:
    """Ask two living brokers for the ids of topics within `timeout` seconds, and take the answer that came first.

    What is left out is not there, or nobody answered; None stands for what brokers are too old to know (before 2.8).
    """
    labels = [broker.label for broker in topology.living()][:_ASKED_AT_ONCE]
    answers, errors = await first([peers.ask(label, _request(topics), timeout, _read) for label in labels], 0.0)
    if answers:
        return answers[0]
    return dict.fromkeys(topics) if any(error.reason is Reason.UNSUPPORTED for error in errors) else {}


def _request(topics: Collection[str]) -> Request:
    """Ask for topics by name: Metadata version 10 (KIP-516)."""
    body = Writer(flexible=True)
    body.array(sorted(topics), lambda name: body.raw(_NOBODY).string(name).tags())
    # Nothing is to be created, and nobody's rights are wanted.
    body.boolean(False).boolean(False).boolean(False).tags()
    return Request(wire.METADATA, 10, True, body.done())


def _read(reader: Reader) -> dict[str, bytes]:
    """Read a reply to Metadata v10: topic → id."""
    reader.int32()  # throttle time
    for _ in range(reader.count()):  # brokers
        reader.int32()
        reader.string()
        reader.int32()
        reader.nullable_string()
        reader.tags()
    reader.nullable_string()  # cluster id
    reader.int32()  # controller
    found: dict[str, bytes] = {}
    for _ in range(reader.count()):
        error = reader.int16()
        name = reader.string()
        number = reader.take(_SIZE)
        reader.boolean()  # internal
        for _ in range(reader.count()):
            _pass_partition(reader)
        reader.int32()  # authorized operations
        reader.tags()
        if not error and number != _NOBODY:
            found[name] = number
    return found


def _pass_partition(reader: Reader) -> None:
    reader.int16()
    for _ in range(3):  # index, leader, leader epoch
        reader.int32()
    for _ in range(3):  # replicas, those in sync, those offline
        reader.int32s()
    reader.tags()
