"""The raw request that reads records, and of its reply the batches, not unpacked."""

from __future__ import annotations

from typing import NamedTuple

from keywatch.kafka.wire.batch import RecordBatch, batches_of
from keywatch.kafka.wire.codec import Reader, Writer
from keywatch.kafka.wire.request import Request
from keywatch.kafka.wire.requests import TopicPartition

FETCH = 1


class Fetched(NamedTuple):
    """A reply about one partition: its end, where the first open transaction begins, and batches from an offset on.

    `aborted` are producers with the first offset of each transaction of theirs that was rolled back.
    """

    error: int
    end: int
    settled_end: int
    aborted: tuple[tuple[int, int], ...]
    batches: tuple[RecordBatch, ...]
    size: int


def fetch(partition: TopicPartition, offset: int, most: int, *, committed: bool) -> Request:
    """Ask for batches of one partition from `offset` on, at least one and about `most` bytes of them, version 11.

    When `committed`, nothing behind the beginning of an open transaction is given.
    """
    body = Writer().int32(-1).int32(0).int32(0).int32(most).int8(int(committed))  # as a client, that waits for nothing
    body.int32(0).int32(-1)  # without a session
    body.int32(1).string(partition.topic).int32(1)
    body.int32(partition.partition).int32(-1).int64(offset).int64(-1).int32(most)
    return Request(FETCH, 11, False, body.array((), str).string("").done())


def read_fetch(reader: Reader) -> Fetched:
    """Read a reply to Fetch v11 about one partition."""
    whole = reader.left
    reader.int32()  # throttle time
    error = reader.int16()
    reader.int32()  # session
    end = settled_end = -1
    aborted: list[tuple[int, int]] = []
    batches: list[RecordBatch] = []
    for _ in range(reader.count()):
        reader.string()
        for _ in range(reader.count()):
            reader.int32()
            code = reader.int16()
            error = error or code
            end, settled_end = reader.int64(), reader.int64()
            reader.int64()  # start
            aborted += reader.array(lambda: (reader.int64(), reader.int64()))
            reader.int32()  # preferred replica
            batches += batches_of(reader.raw(max(reader.int32(), 0)))
    return Fetched(error, end, settled_end, tuple(aborted), tuple(batches), whole)
