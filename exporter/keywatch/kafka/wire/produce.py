"""The raw request that writes records, one to a batch, and the checksum that each batch must carry."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import NamedTuple

from keywatch.kafka.wire.batch import HEADER
from keywatch.kafka.wire.codec import Reader, Writer, uvarint
from keywatch.kafka.wire.request import Request

PRODUCE = 0
VERSION = 7
_ACKS_ALL = -1
_MAGIC = 2
_CHECKED_FROM = 21  # the first byte behind the checksum
_CHECKSUM = struct.Struct(">I")
_CASTAGNOLI = 0x82F63B78
_ROW = struct.Struct(">ihqqq")  # index, error code, base offset, time of appending, start offset


def _table() -> tuple[int, ...]:
    rows = []
    for byte in range(256):
        value = byte
        for _ in range(8):
            value = value >> 1 ^ _CASTAGNOLI * (value & 1)
        rows.append(value)
    return tuple(rows)


_TABLE = _table()


class Produced(NamedTuple):
    """What became of one partition's record: Kafka's error code, and its offset."""

    error: int
    offset: int


def crc32c(data: bytes) -> int:
    """Return the CRC-32C of some bytes (RFC 3720, appendix B.4), which batches carry."""
    value = 0xFFFFFFFF
    for byte in data:
        value = _TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF


def single(key: bytes, value: bytes, written: int) -> bytes:
    """Write a batch of one record, uncompressed, of a time in milliseconds since 1970 (magic 2, KIP-98)."""
    body = b"\0\0\0" + _signed(len(key)) + key + _signed(len(value)) + value + _signed(0)
    record = _signed(len(body)) + body
    length = HEADER.size - 12 + len(record)
    batch = HEADER.pack(0, length, -1, _MAGIC, 0, 0, 0, written, written, -1, -1, -1, 1) + record
    checksum = _CHECKSUM.pack(crc32c(batch[_CHECKED_FROM:]))
    return batch[: _CHECKED_FROM - 4] + checksum + batch[_CHECKED_FROM:]


def produce(topic: str, batches: Mapping[int, bytes], timeout_ms: int) -> Request:
    """Write batches to partitions that one broker leads, with acks=all within some milliseconds, version 7."""
    body = Writer().string(None).int16(_ACKS_ALL).int32(timeout_ms)

    def partition(item: tuple[int, bytes]) -> None:
        body.int32(item[0]).int32(len(item[1])).raw(item[1])

    body.array([topic], lambda name: body.string(name).array(batches.items(), partition))
    return Request(PRODUCE, VERSION, False, body.done())


def read_produce(reader: Reader) -> dict[int, Produced]:
    """Read a reply to Produce v7 about one topic: partition → what became of its record."""
    found: dict[int, Produced] = {}
    for _ in range(reader.count()):
        reader.string()
        for index, error, offset, _, _ in reader.rows(_ROW, reader.count()):
            found[index] = Produced(error, offset)
    return found


def _signed(value: int) -> bytes:
    return uvarint(value << 1 ^ value >> 31)
