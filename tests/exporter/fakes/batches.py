"""Writes batches of records as Kafka keeps them, so that tests can have what no client would write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keywatch.kafka.wire.batch import HEADER

APPENDED, TRANSACTIONAL, MARKER, HORIZON = 0x08, 0x10, 0x30, 0x40
LZ4 = 3


def varint(value: int) -> bytes:
    """Write a signed variable-length integer."""
    left = (value << 1) ^ (value >> 63)
    out = bytearray()
    while left > 0x7F:
        out.append(left & 0x7F | 0x80)
        left >>= 7
    return bytes([*out, left])


def record(time_delta: int, offset_delta: int, value: bytes = b"x") -> bytes:
    """Write a record without a key."""
    body = b"\0" + varint(time_delta) + varint(offset_delta) + varint(-1) + varint(len(value)) + value + varint(0)
    return varint(len(body)) + body


def batch(
    first: int,
    last: int,
    written: Mapping[int, int] | Sequence[int] = (),
    *,
    base: int | None = None,
    kind: int = 0,
    producer: int = -1,
    packed: bytes | None = None,
) -> bytes:
    """Write a batch of offsets `first` to `last`: offset → timestamp, or the timestamps of all.

    Their times count from `base`, or from the first one; `packed` is written in place of the records.
    """
    if not isinstance(written, Mapping):
        written = dict(enumerate(written, start=first))
    times = [*written.values()]
    start = base if base is not None else times[0] if times else 0
    records = b"".join(record(time - start, offset - first) for offset, time in written.items())
    body = records if packed is None else packed
    length = HEADER.size - 12 + len(body)
    largest = max(times, default=0)
    fields = (first, length, 0, 2, 0, kind, last - first, start, largest, producer, 0, 0, len(times))
    return HEADER.pack(*fields) + body
