"""Increments of counters that somebody else keeps: never more than they grew by."""

from __future__ import annotations

from collections.abc import Hashable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywatch.probes.logs import deltas as module
from keywatch.probes.logs.deltas import Deltas

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("seen", "grown"),
    [
        ((2, 7, 1), [0, 5, 1]),
        ((1000, 0, 0, 1), [0, 0, 0, 1]),
        ((1000, 999, 1000, 1001), [0, 0, 0, 1]),
        ((1000, 0, 1000, 1003), [0, 0, 0, 3]),
        ((10, 0, 50), [0, 0, 40]),
        ((1000, 0, 5, 7, 9, 2000), [0, 0, 5, 2, 2, 1991]),
        ((1000, 700, 700, 700, 700, 701), [0, 0, 0, 0, 0, 1]),
        ((5, NAN, -1, INF, -INF, 1e308, 6), [0, 0, 0, 0, 0, 0, 1]),
    ],
)
def test_a_counter_gives_what_it_grew_by(seen: tuple[float, ...], grown: list[float]) -> None:
    deltas = Deltas()
    assert [deltas.step("counter", value) for value in seen] == grown


def test_counters_of_several_sources_are_told_apart() -> None:
    deltas = Deltas()
    seen: list[dict[Hashable, float]] = [{"a": 1000, "b": 400}, {"a": 1000}, {"a": 1001, "b": 402}]
    assert [deltas.total(values) for values in seen] == [0, 0, 3]


def test_so_many_counters_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_COUNTERS", 10)
    deltas = Deltas()
    for number in range(100):
        deltas.step("kept", number)
        deltas.step(number, number)
    assert len(deltas._known) == 10
    assert deltas.step("kept", 100) == 1


WRONG = [NAN, INF, -1.0, 1e308, 0.0]


@given(st.lists(st.tuples(st.integers(0, 50), st.none() | st.sampled_from(WRONG)), max_size=60))
def test_no_more_is_taken_than_was_counted_whatever_a_look_shows(looks: list[tuple[int, float | None]]) -> None:
    deltas, true, taken, low = Deltas(), 100.0, 0.0, False
    deltas.step("counter", true)
    for grown, fault in looks:
        true += grown
        wrong = None if fault == 0.0 and low else fault  # one that stays at nothing has begun anew
        low = wrong == 0.0 or (low and wrong is not None)
        taken += deltas.step("counter", true if wrong is None else wrong)
        assert taken <= true - 100
    taken += deltas.step("counter", true)
    assert taken == true - 100
