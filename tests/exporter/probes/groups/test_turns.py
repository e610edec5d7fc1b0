"""An idle group has its turn in time, whatever the number of groups does, and the turns are spread."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keywatch.probes.groups.turns import Turns

NAMES = [f"group-{index}" for index in range(50)]


@given(st.integers(1, 20), st.lists(st.integers(0, 5000), min_size=60, max_size=120))
def test_nobody_waits_longer_than_promised(longest: int, counts: list[int]) -> None:
    turns = Turns(longest)
    last = dict.fromkeys(NAMES, 0)
    for count in counts:
        turns.begin(count)
        for name in NAMES:
            if turns.due(name, last[name]):
                last[name] = turns.cycle
            assert turns.cycle - last[name] < longest


def test_few_groups_have_their_turn_in_every_cycle() -> None:
    turns = Turns(10)
    for _ in range(20):
        turns.begin(100)
        assert all(turns.due(name, turns.cycle - 1) for name in NAMES)


def test_many_groups_are_spread_evenly_over_the_cycles() -> None:
    turns = Turns(10)
    names = [f"group-{index}" for index in range(1000)]
    last = dict.fromkeys(names, 0)
    asked = []
    for _ in range(40):
        turns.begin(len(names))
        due = [name for name in names if turns.due(name, last[name])]
        last.update(dict.fromkeys(due, turns.cycle))
        asked.append(len(due))
    assert max(asked[10:]) <= 150
    assert sum(asked[10:20]) == 1000


def test_with_one_cycle_nobody_waits() -> None:
    turns = Turns(1)
    turns.begin(100_000)
    assert all(turns.due(name, 0) for name in NAMES)
