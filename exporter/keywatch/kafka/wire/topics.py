"""The raw request for topics' ids, by which a topic made anew is told from the one before it (KIP-516)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from keywatch.kafka.wire.codec import Reader, Writer
from keywatch.kafka.wire.request import Request
from keywatch.kafka.wire.requests import METADATA, MOST_BROKERS

VERSION: Final = 10
"""Of Metadata, the first that tells ids: Kafka 2.8."""
_NO_ID: Final = bytes(16)


def topic_ids(topics: Sequence[str]) -> Request:
    """Ask for topics by name, version 10."""
    body = Writer(flexible=True)
    body.array(topics, lambda topic: body.raw(_NO_ID).string(topic).tags())
    body.boolean(False).boolean(False).boolean(False).tags()  # nothing made, no operations told
    return Request(METADATA, VERSION, True, body.done())


def read_topic_ids(reader: Reader) -> dict[str, tuple[int, bytes]]:
    """Read a reply to Metadata v10: topic → error code, id; the id is empty where Kafka has none."""
    reader.int32()  # throttle time
    for _ in range(reader.count(MOST_BROKERS)):
        reader.int32()  # broker
        reader.string()
        reader.int32()
        reader.nullable_string()
        reader.tags()
    reader.nullable_string()  # cluster id
    reader.int32()  # controller
    found: dict[str, tuple[int, bytes]] = {}
    for _ in range(reader.count()):
        error, name, identity = reader.int16(), reader.string(), reader.raw(16)
        reader.boolean()  # internal
        for _ in range(reader.count()):
            reader.raw(14)  # error code, index, leader, leader epoch
            for _ in range(3):  # replicas, in-sync ones, offline ones
                reader.int32s(MOST_BROKERS)
            reader.tags()
        reader.int32()  # authorized operations
        reader.tags()
        found[name] = (error, identity if identity != _NO_ID else b"")
    return found
