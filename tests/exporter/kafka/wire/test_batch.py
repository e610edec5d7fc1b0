"""Of batches the headers are read, and as far as they are not compressed each record's own place and time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywatch.engine.slices import at_once
from keywatch.kafka.wire.batch import RecordBatch, batches_of, first_record
from keywatch.kafka.wire.codec import WireError
from tests.exporter.fakes.batches import APPENDED, HORIZON, LZ4, batch

NOON = 1_700_000_000_000


def one(data: bytes) -> RecordBatch:
    (found,) = batches_of(data)
    return found


@given(
    st.integers(0, 2**40),
    st.dictionaries(st.integers(0, 1000), st.integers(-1, 2**45), min_size=1),
    st.integers(0, 2**45),
    st.integers(0, 1100),
)
def test_the_first_record_from_any_offset_on_is_found_whatever_was_compacted_and_in_whatever_order_times_are(
    first: int, times: dict[int, int], base: int, offset: int
) -> None:
    written = {first + delta: time for delta, time in sorted(times.items())}
    left = [(place, time) for place, time in written.items() if place >= first + offset]
    read = one(batch(first, first + 1000, written, base=base))
    assert at_once(first_record(read, first + offset)) == (left[0] if left else None)


def test_where_the_broker_stamps_records_all_of_a_batch_have_its_time() -> None:
    read = one(batch(5, 7, [NOON, NOON - 50_000, NOON - 90_000], kind=APPENDED))
    assert at_once(first_record(read, 6)) == (6, NOON)
    assert read.time_at(6) == NOON


def test_records_count_from_the_base_also_where_that_is_when_tombstones_may_go() -> None:
    read = one(batch(5, 6, [NOON, NOON + 1], base=NOON + 86_400_000, kind=HORIZON))
    assert at_once(first_record(read, 5)) == (5, NOON)
    assert read.time_at(5) is None


@pytest.mark.parametrize(
    ("data", "offset", "expected"),
    [
        pytest.param(batch(5, 7, [NOON, NOON + 9, NOON + 10], kind=LZ4), 5, NOON, id="the first"),
        pytest.param(batch(5, 7, [NOON, NOON + 9, NOON + 10], kind=LZ4), 6, None, id="another"),
        pytest.param(batch(5, 7, {5: NOON, 7: NOON}, kind=LZ4), 5, None, id="with holes"),
        pytest.param(batch(5, 7, [NOON] * 3, kind=LZ4 | HORIZON), 5, None, id="another time in its place"),
        pytest.param(batch(5, 7, [NOON - 9, NOON, NOON], kind=LZ4 | APPENDED), 6, NOON, id="stamped"),
    ],
)
def test_of_a_compressed_batch_the_header_tells_the_time_of_the_first_record(
    data: bytes, offset: int, expected: int | None
) -> None:
    read = one(data)
    assert read.packed is None
    assert read.time_at(offset) == expected


def test_a_batch_that_is_cut_short_is_left_out_wherever_it_is_cut() -> None:
    whole = batch(0, 1, [NOON, NOON])
    for end in range(len(whole)):
        assert len(list(batches_of(whole + whole[:end]))) == 1
    assert not list(batches_of(whole[:8] + bytes(4) + whole[12:])), "it would never end"


@given(st.binary(max_size=40))
def test_records_that_are_none_are_an_error_and_never_an_endless_search(packed: bytes) -> None:
    read = one(batch(0, 3, [NOON] * 4, packed=packed))
    try:
        at_once(first_record(read, 4))
    except WireError:
        return
