"""Patterns mean whole names: at least one that includes, none that excludes."""

from __future__ import annotations

import pytest

from keywatch.patterns import Patterns


@pytest.mark.parametrize(
    ("include", "exclude", "name", "meant"),
    [
        ([".*"], [], "events", True),
        ([".*"], [], "", True),
        (["events"], [], "events", True),
        (["events"], [], "events-2", False),
        (["events"], [], "my-events", False),
        (["events.*"], [], "events-2", True),
        (["a|b"], [], "b", True),
        (["a|b"], [], "ab", False),
        (["a", "b"], [], "b", True),
        (["a", "b"], [], "c", False),
        ([".*"], ["__.*"], "__consumer_offsets", False),
        ([".*"], ["__.*"], "a__b", True),
        (["events"], ["events"], "events", False),
        (["(?i)events"], [], "Events", True),
        ([".*"], [], "two\nlines", True),
        ([], [], "events", False),
    ],
)
def test_a_name_is_meant(include: list[str], exclude: list[str], name: str, meant: bool) -> None:
    assert (name in Patterns(include, exclude)) is meant


def test_by_default_every_name_is_meant() -> None:
    assert "events" in Patterns()


def test_asking_again_gives_the_same() -> None:
    patterns = Patterns(["a.*"])
    assert [name in patterns for name in ("ab", "ba", "ab", "ba")] == [True, False, True, False]
