"""The raw requests that read records, and of their replies the batches, not unpacked."""

from __future__ import annotations

from collections.abc import Mapping
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


class FetchedPartition(NamedTuple):
    """A reply about one of several partitions: the offset of its oldest record, and batches from an offset on."""

    error: int
    start: int
    batches: tuple[RecordBatch, ...]


def fetch_tails(topic: str, positions: Mapping[int, int], wait_ms: int, most: int) -> Request:
    """Ask for batches of partitions from their positions on, waiting for the first to come, version 11.

    Of each partition at least one batch is given and about `most` bytes, and four times as many in all.
    """
    body = Writer().int32(-1).int32(wait_ms).int32(1).int32(4 * most).int8(0).int32(0).int32(-1)

    def partition(item: tuple[int, int]) -> None:
        body.int32(item[0]).int32(-1).int64(item[1]).int64(-1).int32(most)

    body.array([topic], lambda name: body.string(name).array(positions.items(), partition))
    return Request(FETCH, 11, False, body.array((), str).string("").done())


def read_fetch_tails(reader: Reader) -> tuple[int, dict[int, FetchedPartition]]:
    """Read a reply to Fetch v11 about one topic: error code, and each partition."""
    reader.int32()  # throttle time
    error = reader.int16()
    reader.int32()  # session
    found: dict[int, FetchedPartition] = {}
    for _ in range(reader.count()):
        reader.string()
        for _ in range(reader.count()):
            index, code = reader.int32(), reader.int16()
            reader.raw(16)  # its end, and where the first open transaction begins
            start = reader.int64()
            reader.array(lambda: reader.raw(16))  # transactions that were rolled back
            reader.int32()  # preferred replica
            found[index] = FetchedPartition(code, start, tuple(batches_of(reader.raw(max(reader.int32(), 0)))))
    return error, found


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
