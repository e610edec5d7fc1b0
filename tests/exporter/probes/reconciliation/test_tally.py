"""What Keycloak's counters grew by is taken once, whatever stands in their place at times, and no more than that."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from keywatch.probes.reconciliation.tally import CountKey, KeycloakTally, Moment, is_count

LOGIN = CountKey("shop", "login", "success")
LOGOUT = CountKey("shop", "logout", "success")
NAN, INF = float("nan"), float("inf")


class Node:
    """A process that started at 100 and is read once a second from 1000 on."""

    def __init__(self, **counts: float) -> None:
        self.tally = KeycloakTally()
        self.now = 999.0
        self.words = ""
        self.read(**counts)

    def read(self, *, started: float = 100.0, seconds: float = 1.0, **counts: float) -> int:
        """Read what the counters of two series say; returns how many logins were counted."""
        self.now += seconds
        kinds: Mapping[str, CountKey] = {"a": LOGIN, "b": LOGIN, "other": LOGOUT}
        self.words = self.tally.record("node", started, self.now, counts, kinds=kinds)
        return self.tally.counted[LOGIN]


@pytest.mark.parametrize("value", [NAN, INF, -INF, -1.0, 0.5, 1e308])
def test_what_is_no_count_costs_only_itself(value: float) -> None:
    assert not is_count(value)
    node = Node(a=50, other=7)
    assert node.read(a=value, other=9) == 0
    assert node.tally.counted[LOGOUT] == 2
    assert node.tally.unread == {LOGIN}
    assert node.read(a=value, other=9) == 0
    assert node.tally.counted[LOGOUT] == 2, "the others are counted once"
    assert node.read(a=53, other=9) == 3
    assert node.tally.unread == set()


def test_a_counter_that_was_no_count_from_the_beginning_counts_from_what_it_says_first() -> None:
    node = Node(a=NAN, b=1)
    assert node.read(a=1000, b=1) == 0
    assert node.tally.take_begun_anew() == {LOGIN}
    assert node.read(a=1002, b=1) == 2


def test_series_of_which_nobody_knows_whose_they_are_are_passed_over_when_they_can_be_read() -> None:
    node = Node(a=1)
    node.tally.record("node", 100, 1001, {"a": 1}, kinds={"a": LOGIN}, nameless=True)
    assert node.read(a=1, b=500) == 0
    assert node.read(a=1, b=501) == 1


def test_the_first_event_of_a_kind_makes_its_counter_and_counts() -> None:
    node = Node(a=50)
    node.read(a=50, other=2)
    assert node.tally.counted[LOGOUT] == 2


@pytest.mark.parametrize("low", [49, 1, 0])
def test_a_counter_that_falls_counts_again_when_it_is_higher_than_it_was(low: float) -> None:
    node = Node(a=50)
    assert node.read(a=low) == 0
    assert node.words == "its counter of shop login success fell"
    assert node.tally.unread == {LOGIN}
    assert node.read(a=50) == 0
    assert node.words == ""
    assert node.read(a=51) == 1


@pytest.mark.parametrize("seconds", [1, 59])
def test_a_counter_that_is_away_and_returns_counts_what_it_grew_by(seconds: float) -> None:
    node = Node(a=50, b=0)
    node.read(b=0)
    assert node.tally.unread == {LOGIN}
    assert node.read(a=52, b=0, seconds=seconds) == 2
    assert node.tally.take_begun_anew() == set()


def test_a_counter_that_is_away_for_long_is_not_waited_for_and_passed_over_when_it_returns() -> None:
    node = Node(a=50, b=0)
    node.read(b=0)
    node.read(b=1, seconds=60)
    assert node.tally.unread == set()
    assert node.tally.take_begun_anew() == {LOGIN}
    assert node.read(a=80, b=1) == 1
    assert node.tally.take_begun_anew() == {LOGIN}
    assert node.read(a=81, b=1) == 2


def test_a_restart_counts_from_nothing_and_does_not_wait_for_what_the_former_process_counted() -> None:
    node = Node(a=50, b=3)
    assert node.tally.trouble("node", 1000.5, 1001.0) == ""
    assert node.read(a=2, started=1000.5) == 2
    assert node.tally.unread == set()


def test_two_processes_behind_one_address_are_told_and_not_counted_over_and_over() -> None:
    node = Node(a=50)
    for started in (900.0, 100.0, 900.0):
        assert "in turn" in node.tally.trouble("node", started, node.now + 1)
        assert node.read(a=40, started=started) == 0
    assert node.tally.trouble("node", 900.0, node.now + 1) == ""
    assert node.read(a=41, started=900.0) == 1


def test_a_node_with_another_clock_that_is_seen_later_and_is_older_than_the_watching_is_passed_over() -> None:
    node = Node(a=50)
    hour = 3600.0
    node.tally.record("fast", 900 + hour, node.now + 1 + hour, {LOGIN: 7}, at=Moment(node.now + 1, node.now + 1))
    assert node.tally.counted[LOGIN] == 0


def test_an_uptime_that_leaps_is_told_as_long_as_it_does_but_not_after_keywatch_slept() -> None:
    tally, far = KeycloakTally(), 1e6
    tally.record("node", 100, 1000, {LOGIN: 1}, at=Moment(10, 1000))
    assert tally.trouble("node", 100, 1001 + far, Moment(11, 1001))
    assert tally.trouble("node", 100, 1002 + far, Moment(12, 1002))
    assert tally.trouble("node", 100, 1003, Moment(13, 1003)) == ""
    assert tally.trouble("node", 100, 1003 + far, Moment(13, 1003 + far)) == "", "its monotonic clock stood still"


def test_counters_that_come_and_go_for_ever_are_not_all_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keywatch.probes.reconciliation.tally._MOST_COUNTERS", 100)
    tally = KeycloakTally()
    for second in range(50):
        names = [f"{second}-{number}" for number in range(10)]
        tally.record("node", 100, 1000 + second, dict.fromkeys(names, 5.0), kinds=dict.fromkeys(names, LOGIN))
    (process,) = tally._processes.values()
    assert max(len(process.last), len(process.kinds), len(process.unread), len(process.gone)) <= 110


def take(tally: KeycloakTally, node: str, started: float, now: float, value: float) -> int:
    tally.record(node, started, now, {LOGIN: value})
    return tally.counted[LOGIN]


def test_what_was_counted_before_is_passed_over_and_a_new_node_counts_from_nothing() -> None:
    tally = KeycloakTally()
    assert take(tally, "a", 100, 1000, 50) == 0
    assert take(tally, "a", 100, 1001, 53) == 3
    assert take(tally, "b", 1001, 1002, 4) == 7


def test_an_old_node_that_is_seen_later_counts_from_what_it_says_first() -> None:
    tally = KeycloakTally()
    take(tally, "a", 100, 1000, 50)
    assert take(tally, "b", 100, 1002, 40) == 0


def test_a_restart_begins_at_nothing() -> None:
    tally = KeycloakTally()
    take(tally, "a", 100, 1000, 50)
    assert take(tally, "a", 1005, 1010, 60) == 60
    assert take(tally, "a", 1005.4, 1011, 61) == 61, "the start is not told to the last digit"


def test_what_a_node_counted_while_it_was_left_out_is_passed_over() -> None:
    tally = KeycloakTally()
    take(tally, "a", 100, 1000, 50)
    tally.leave_out("a")
    assert take(tally, "a", 100, 1100, 90) == 0
    assert take(tally, "a", 100, 1101, 91) == 1
