"""Numbers of things are said as people say them."""

from __future__ import annotations

import pytest

from keywatch.engine.counted import counted


@pytest.mark.parametrize(
    ("count", "verbs", "words"),
    [
        (0, (), "0 things"),
        (1.0, (), "1 thing"),
        (2000, (), "2000 things"),
        (1, ("follows", "follow"), "1 thing follows"),
        (2, ("follows", "follow"), "2 things follow"),
    ],
)
def test_one_is_one_and_others_are_many(count: float, verbs: tuple[str, ...], words: str) -> None:
    assert counted(count, "thing", *verbs) == words
