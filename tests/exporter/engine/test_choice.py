"""What is kept stays kept: important names first, and nobody puts out an equal, however many are offered."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keywatch.engine.choice import ALWAYS, Choice


def kept(choice: Choice, *names: str) -> str:
    return "".join(name for name in names if name in choice)


def test_who_was_there_before_stays_and_what_is_made_beside_is_left_out() -> None:
    choice = Choice(2, 100)
    assert [choice.offer(name, 4) for name in "abcd"] == [True, True, False, False]
    assert [choice.offer(name, 4) for name in "dcba"] == [False, False, True, True]
    choice.release("a")
    assert choice.offer("d", 4)
    assert kept(choice, *"abcd") == "bd"


def test_a_better_one_takes_the_place_of_the_worst_that_came_last() -> None:
    choice = Choice(3, 100)
    for name, rank in (("a", 4), ("b", 3), ("c", 4)):
        choice.offer(name, rank)
    assert choice.offer("d", 2)
    assert kept(choice, *"abcd") == "abd"
    assert choice.offer("e", 3)
    assert kept(choice, *"abcde") == "bde"
    assert not choice.offer("f", 3)


def test_a_rank_only_ever_gets_better_so_that_two_cannot_take_turns() -> None:
    choice = Choice(1, 100)
    assert choice.offer("a", 3)
    assert choice.offer("a", 4)
    assert not choice.offer("b", 3)
    assert choice.offer("a", 2)
    assert not choice.offer("b", 2)
    assert choice.offer("b", 1)
    assert kept(choice, "a", "b") == "b"


def test_what_is_named_is_always_kept_and_takes_nobodys_room() -> None:
    choice = Choice(1, 10)
    assert choice.offer("a", 4, 10)
    assert choice.offer("named", ALWAYS, 1_000)
    assert choice.offer("a", 4, 10)
    assert not choice.offer("b", 4)


def test_what_has_become_too_heavy_goes_and_a_lighter_one_finds_room() -> None:
    choice = Choice(10, 10)
    assert choice.offer("a", 4, 3)
    assert choice.offer("b", 4, 3)
    assert not choice.offer("c", 4, 5)
    assert not choice.offer("b", 4, 8)
    assert choice.offer("c", 4, 5)
    assert choice.offer("d", 3, 6)
    assert kept(choice, *"abcd") == "ad"


def test_only_weight_is_lacking_so_what_weighs_nothing_stays() -> None:
    choice = Choice(10, 10)
    choice.offer("light", 4)
    choice.offer("heavy", 4, 9)
    assert choice.offer("better", 3, 9)
    assert kept(choice, "light", "heavy", "better") == "lightbetter"


OFFERS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 4), st.integers(0, 6)), max_size=40)


@given(OFFERS, st.integers(1, 4), st.integers(0, 12))
def test_the_bounds_hold_and_nobody_is_put_out_by_an_equal(
    offers: list[tuple[str, int, int]], most: int, most_weight: int
) -> None:
    choice = Choice(most, most_weight)
    held: dict[str, tuple[int, int]] = {}
    for name, offered, weight in offers:
        rank = min(offered, held[name][0]) if name in held else offered
        version = choice.version
        is_kept = choice.offer(name, rank, weight)
        before = dict(held)
        if is_kept:
            held[name] = (rank, weight)
        held = {one: found for one, found in held.items() if one in choice}
        for gone in before.keys() - held.keys():
            assert gone == name or before[gone][0] > rank
            assert choice.version > version
        bounded = [found for found in held.values() if found[0] != ALWAYS]
        assert len(choice) == len(held)
        assert len(bounded) <= most
        assert sum(found[1] for found in bounded) <= most_weight
        assert is_kept or rank != ALWAYS
