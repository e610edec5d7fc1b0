"""What was settled is known, however it is spread, and a chunk of the ledger is taken only whole."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywatch.redrive.settled import CHUNK, Settled


@given(st.integers(0, 3 * CHUNK), st.sets(st.integers(0, 4 * CHUNK), max_size=50))
def test_it_knows_what_was_added_also_after_a_way_through_the_ledger(upto: int, offsets: set[int]) -> None:
    settled = Settled()
    changed = settled.add(offsets)
    gone = settled.advance(upto)
    kept = {number: settled.packed(number) for number in changed - gone}
    again = Settled(upto, kept)
    for one in (settled, again):
        assert all(offset in one for offset in offsets)
        assert all((offset in one) == (offset < upto or offset in offsets) for offset in range(0, 4 * CHUNK, 997))
        assert one.beyond() == sum(offset >= upto for offset in offsets)
    assert gone == {number for number in changed if (number + 1) * CHUNK <= upto}


def test_it_never_goes_back_unless_somebody_says_so() -> None:
    settled = Settled(10)
    settled.add([20])
    settled.advance(5)
    assert settled.upto == 10
    settled.reset(3)
    assert settled.stale == {0}
    assert 20 not in settled
    assert 3 not in settled


@pytest.mark.parametrize("packed", [b"", b"x", zlib.compress(b"short"), zlib.compress(bytes(10_000_000))])
def test_a_broken_chunk_is_told(packed: bytes) -> None:
    with pytest.raises(ValueError, match="a chunk of the ledger"):
        Settled(0, {0: packed})
