"""A rate is kept, consumers are waited for, and others hear that the run goes on."""

from __future__ import annotations

from keywatch.redrive.pace import BEAT_SECONDS, Pace


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let it pass."""
        self.now += seconds


def waited(pace: Pace, clock: Clock, done: int, beats: list[float] | None = None) -> float:
    began = clock.now
    pace.wait(done, lambda: (beats if beats is not None else []).append(clock.now), lambda: False)
    return clock.now - began


def test_without_a_rate_nothing_is_waited_for() -> None:
    clock = Clock()
    assert waited(Pace(None, clock=clock, sleep=clock.sleep), clock, 10_000) == 0
    assert Pace().most(3000) == 3000


def test_a_rate_is_kept_and_beats_are_told() -> None:
    clock, beats = Clock(), list[float]()
    pace = Pace(2, clock=clock, sleep=clock.sleep)
    assert pace.most(3000) == 2
    assert abs(waited(pace, clock, 20, beats) - 10) < 0.3
    assert 3 <= len(beats) <= 10 / BEAT_SECONDS
    assert Pace(0.1).most(3000) == 1


def test_consumers_are_waited_for() -> None:
    clock = Clock()
    pace = Pace(None, lambda: clock.now < 107, clock=clock, sleep=clock.sleep)
    assert waited(pace, clock, 1) >= 7


def test_a_stop_ends_the_waiting() -> None:
    clock = Clock()
    pace = Pace(0.01, clock=clock, sleep=clock.sleep)
    pace.wait(1, lambda: None, lambda: clock.now > 101)
    assert clock.now < 102
