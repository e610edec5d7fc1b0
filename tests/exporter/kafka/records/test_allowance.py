"""Old records are read at a rate of bytes, whatever a batch weighs, and never none at all for good."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keywatch.kafka.records.allowance import Allowance


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


@given(st.integers(100, 2_000_000), st.integers(10_000, 10_000_000))
def test_whatever_a_read_weighs_the_bytes_keep_to_the_rate_and_are_used(each: int, rate: int) -> None:
    clock = Clock()
    allowance = Allowance(rate, clock)
    reads = 0
    for _ in range(300):
        for _ in range(100):
            if not allowance.left():
                break
            allowance.spend(each)
            reads += 1
        clock.now += 1.0
    # Two seconds' worth may be spent at once, and the last read may be the one too many.
    assert reads * each <= rate * 301 + each
    assert reads >= min(300 * 100, rate * 300 // each - 1)


def test_after_too_much_was_received_reading_pauses_until_it_is_made_up_for() -> None:
    clock = Clock()
    allowance = Allowance(1000.0, clock)
    assert allowance.left()
    allowance.spend(7000)
    paused = 0
    while not allowance.left():
        clock.now += 1.0
        paused += 1
    assert paused == 6
