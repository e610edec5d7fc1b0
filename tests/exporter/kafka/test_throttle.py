"""What a broker asks for is waited for, told while it is fresh, and bounded."""

from __future__ import annotations

from keywatch.kafka.throttle import Throttle


def test_a_broker_is_left_alone_for_as_long_as_it_asks_and_told_a_little_longer() -> None:
    now = 100.0
    throttle = Throttle(lambda: now)
    throttle.record("1", 0.0)
    assert (throttle.wait("1"), throttle.lately("1"), throttle.take("1")) == (0.0, 0.0, 0.0)
    throttle.record("1", 2.0)
    throttle.record("1", 0.5)  # on another connection: the longer rest holds
    assert (throttle.wait("1"), throttle.lately("1"), throttle.wait("2")) == (2.0, 0.5, 0.0)
    now = 102.0
    assert throttle.wait("1") == 0.0
    assert throttle.take("1") == 2.5
    assert throttle.take("1") == 0.0
    now = 110.1
    assert throttle.lately("1") == 0.0


def test_nobody_makes_keywatch_go_away() -> None:
    throttle = Throttle(lambda: 0.0)
    throttle.record("1", 2**31 / 1000)
    throttle.record("1", -5.0)
    assert throttle.wait("1") == 30.0


def test_brokers_that_are_gone_leave_nothing_behind() -> None:
    throttle = Throttle(lambda: 0.0)
    throttle.record("1", 1.0)
    throttle.record("2", 1.0)
    throttle.retain(frozenset({"2"}))
    assert (throttle.wait("1"), throttle.lately("1"), throttle.take("1")) == (0.0, 0.0, 0.0)
    assert throttle.wait("2") == 1.0
