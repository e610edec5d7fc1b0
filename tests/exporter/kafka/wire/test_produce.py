"""A record that is written is the one that is read back, under the checksum that brokers compare."""

from __future__ import annotations

import pytest

from keywatch.kafka.wire import produce
from keywatch.kafka.wire.batch import batches_of, values_of
from keywatch.kafka.wire.codec import Reader, WireError, Writer
from tests.exporter.fakes.batches import batch


@pytest.mark.parametrize(
    ("data", "checksum"),
    # The second is RFC 3720's own example, appendix B.4.
    [(b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA), (b"", 0)],
)
def test_the_checksum_is_that_of_the_standard(data: bytes, checksum: int) -> None:
    assert produce.crc32c(data) == checksum


@pytest.mark.parametrize("value", [b"", b"x", b"y" * 1000])
def test_a_record_is_read_back(value: bytes) -> None:
    (read,) = batches_of(produce.single(b"7", value, 1_764_000_000_000))
    assert (read.records, read.first_time, read.dense) == (1, 1_764_000_000_000, True)
    assert list(values_of(read)) == [(0, value)]


def test_several_records_have_each_their_offset() -> None:
    (read,) = batches_of(batch(10, 12, [5, 6, 7]))
    assert list(values_of(read)) == [(10, b"x"), (11, b"x"), (12, b"x")]


@pytest.mark.parametrize("packed", [b"\x80", b"\x00", b"\x7f\x00\x00"])
def test_what_is_no_record_is_refused(packed: bytes) -> None:
    (read,) = batches_of(batch(0, 0, [1], packed=packed))
    with pytest.raises(WireError):
        list(values_of(read))


def test_an_answer_tells_of_each_partition() -> None:
    body = Writer().int32(1).string("t").int32(2)
    body.int32(0).int16(0).int64(41).int64(-1).int64(0)
    body.int32(3).int16(19).int64(-1).int64(-1).int64(0).int32(0)
    assert produce.read_produce(Reader(body.done())) == {0: (0, 41), 3: (19, -1)}
