"""Old records are read at a rate of bytes, whatever a batch weighs, and never none at all for good."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keywatch.allowance import Allowance


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


@given(st.integers(100, 2_000_000), st.integers(10_000, 10_000_000))
def test_whatever_a_read_weighs_the_bytes_keep_to_the_rate_in_the_long_run(each: int, rate: int) -> None:
    clock = Clock()
    allowance = Allowance(rate, clock)
    total = reads = 0
    for _ in range(300):
        count = allowance.reads(100)
        assert 0 <= count <= 100
        allowance.spent(count, count * each)
        total, reads = total + count * each, reads + count
        clock.now += 1.0
    # The first reads may be heavier than anybody could know.
    assert total <= rate * 302 + 100 * each
    assert reads >= min(300 * 100, rate * 300 // each) * 0.2


def test_small_reads_are_bounded_by_their_number_only() -> None:
    clock = Clock()
    allowance = Allowance(5_000_000, clock)
    for _ in range(10):
        assert allowance.reads(100) == 100
        allowance.spent(100, 100 * 40)
        clock.now += 1.0


def test_after_too_much_was_received_reading_pauses_until_it_is_made_up_for() -> None:
    clock = Clock()
    allowance = Allowance(1000.0, clock)
    allowance.spent(allowance.reads(100), 7000)
    paused = 0
    while not allowance.reads(100):
        clock.now += 1.0
        paused += 1
    assert 5 <= paused <= 7
