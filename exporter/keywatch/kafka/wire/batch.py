"""A batch of records as brokers keep and send it: its header, and its records as far as they are not compressed."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from keywatch.engine.slices import Pieces
from keywatch.kafka.wire.codec import WireError

# Base offset, length, leader epoch, magic, checksum, attributes, last offset's delta, first and largest timestamp,
# producer, its epoch, its sequence, number of records (https://kafka.apache.org/documentation/#recordbatch).
HEADER = struct.Struct(">qiibIhiqqqhii")
# The same place holds the magic of formats before 0.11: offset, length, checksum, magic.
_MAGIC = struct.Struct(">qiib")
_LENGTH_ENDS = 12
_COMPRESSION = 0x07
_LOG_APPEND_TIME, _TRANSACTIONAL, _CONTROL, _DELETE_HORIZON = 0x08, 0x10, 0x20, 0x40
_RECORDS_PER_PIECE = 200
_VARINT_BYTES = 10


class RecordBatch(NamedTuple):
    """Where the records of a batch lie, whose they are, and when they were written, in milliseconds since 1970.

    `control` means that it holds no record but the marker that ends a transaction, `dense` that none of its records was
    compacted away. `first_time` is that of the first record, if the header tells it; `appended` when all of them were
    appended, if the broker stamps records. `base_time` is what their own times count from; `packed` are the records
    themselves, None when they are compressed.
    """

    first: int
    last: int
    size: int
    records: int
    producer: int
    control: bool
    dense: bool
    first_time: int | None
    appended: int | None
    base_time: int
    packed: bytes | None

    def time_at(self, offset: int) -> int | None:
        """Return the timestamp of the first record from `offset` on, negative for none; None: the header tells not."""
        if not self.dense:
            return None
        return self.appended if self.appended is not None or offset > self.first else self.first_time


def batches_of(records: bytes) -> Iterator[RecordBatch]:
    """Read the headers of batches, of which the last one may be cut short."""
    at = 0
    while at + HEADER.size <= len(records):
        base, length, _, magic = _MAGIC.unpack_from(records, at)
        size = length + _LENGTH_ENDS
        if size < HEADER.size or at + size > len(records):
            return
        if magic >= 2:
            yield _batch(HEADER.unpack_from(records, at), records[at + HEADER.size : at + size])
        else:
            # Of before Kafka 0.11, with the offset of its last record: others know how to read it.
            yield RecordBatch(-1, base, size, 1, -1, False, False, None, None, -1, None)
        at += size


def _batch(header: tuple[int, ...], packed: bytes) -> RecordBatch:
    first, _, _, _, _, attributes, delta, base_time, largest_time, producer, _, _, records = header
    return RecordBatch(
        first,
        first + delta,
        HEADER.size + len(packed),
        records,
        producer if attributes & _TRANSACTIONAL else -1,
        control=bool(attributes & _CONTROL),
        dense=records == delta + 1,
        # In its place may stand when tombstones may go.
        first_time=None if attributes & _DELETE_HORIZON else base_time,
        appended=largest_time if attributes & _LOG_APPEND_TIME else None,
        base_time=base_time,
        packed=None if attributes & _COMPRESSION else packed,
    )


def first_record(batch: RecordBatch, offset: int) -> Pieces[tuple[int, int] | None]:
    """Return offset and timestamp of the first record from `offset` on in an uncompressed batch; None: no more.

    Raises `WireError` when the records are none.
    """
    packed, at = batch.packed or b"", 0
    for number in range(batch.records):
        size, at = _varint(packed, at)
        time_delta, place = _varint(packed, at + 1)  # behind the attributes, which are not in use
        offset_delta, _ = _varint(packed, place)
        if batch.first + offset_delta >= offset:
            written = batch.base_time + time_delta if batch.appended is None else batch.appended
            return batch.first + offset_delta, written
        if size <= 0:
            raise WireError(f"a record of {size} bytes")
        at += size
        if number % _RECORDS_PER_PIECE == 0:
            yield
    return None


def values_of(batch: RecordBatch) -> Iterator[tuple[int, bytes]]:
    """Return offset and value of each record of an uncompressed batch, a value that is null as empty.

    Raises `WireError` when the records are none.
    """
    packed, at = batch.packed or b"", 0
    for _ in range(batch.records):
        size, at = _varint(packed, at)
        if size <= 0 or at + size > len(packed):
            raise WireError(f"a record of {size} bytes where {len(packed) - at} are left")
        _, place = _varint(packed, at + 1)  # its time
        offset_delta, place = _varint(packed, place)
        key, place = _varint(packed, place)
        length, place = _varint(packed, place + max(key, 0))
        yield batch.first + offset_delta, packed[place : place + max(length, 0)]
        at += size


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Read a signed variable-length integer, and give where it ends."""
    value = 0
    for index, byte in enumerate(data[at : at + _VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at + index + 1
    raise WireError("a record ends in the middle of a number")
