"""The raw request for the reassignments that are under way: which partitions get replicas that they are yet to have."""

from __future__ import annotations

from collections.abc import Mapping

from keywatch.engine.slices import Pieces, at_once
from keywatch.kafka.wire.codec import Reader, Writer
from keywatch.kafka.wire.request import Request
from keywatch.kafka.wire.requests import LIST_PARTITION_REASSIGNMENTS

Adding = Mapping[str, Mapping[int, frozenset[int]]]
"""Topic → partition → the brokers that are given a replica."""


def list_reassignments(timeout_ms: int) -> Request:
    """Ask for all reassignments that are under way: ListPartitionReassignments v0 (Kafka 2.4, KIP-455)."""
    body = Writer(flexible=True).int32(timeout_ms).array(None, str).tags()
    return Request(LIST_PARTITION_REASSIGNMENTS, 0, True, body.done())


def read_list_reassignments(reader: Reader) -> tuple[int, Adding]:
    """Read a reply to ListPartitionReassignments v0: error code, replicas that are being added."""
    return at_once(reading_list_reassignments(reader))


def reading_list_reassignments(reader: Reader) -> Pieces[tuple[int, Adding]]:
    """Read a reply to ListPartitionReassignments v0 in pieces."""
    reader.int32()  # throttle time
    error = reader.int16()
    reader.nullable_string()  # message
    found: dict[str, dict[int, frozenset[int]]] = {}
    for _ in range(reader.count()):
        topic = reader.string()
        for _ in range(reader.count()):
            index = reader.int32()
            reader.int32s()  # replicas
            adding = frozenset(reader.int32s())
            reader.int32s()  # replicas that are being removed
            reader.tags()
            if adding:
                found.setdefault(topic, {})[index] = adding
            yield
        reader.tags()
    return error, found
