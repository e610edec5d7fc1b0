"""What the flags mean is what is meant."""

from __future__ import annotations

from typing import Any

import pytest

from keywatch.probes.dead_letters.letter import DeadLetterReason, Sources
from keywatch.redrive.dialects import letter_of
from keywatch.redrive.letter import Place, Raw
from keywatch.redrive.selection import Selection

LETTER = letter_of(
    Place("dlq", 2, 40),
    Raw(
        b"k",
        b'{"realmId":"shop","type":"LOGIN"}',
        [("__connect.errors.exception.class.name", b"X.DataException")],
        5000,
    ),
)


@pytest.mark.parametrize(
    ("which", "meant"),
    [
        ({}, True),
        ({"since": 5000, "until": 5000}, True),
        ({"since": 5001}, False),
        ({"until": 4999}, False),
        ({"reasons": frozenset({DeadLetterReason.SERIALIZATION})}, True),
        ({"reasons": frozenset({DeadLetterReason.TIMEOUT})}, False),
        ({"realm": "shop", "type": "LOGIN"}, True),
        ({"realm": "shop", "type": "LOGOUT"}, False),
        ({"key": b"k"}, True),
        ({"key": b""}, False),
        ({"partitions": frozenset({2})}, True),
        ({"partitions": frozenset({1})}, False),
        ({"offsets": (40, 40)}, True),
        ({"offsets": (41, 50)}, False),
        ({"file": "x"}, False),
    ],
)
def test_a_letter_is_meant_or_not(which: dict[str, Any], meant: bool) -> None:
    selection = Selection(**which)
    assert selection.meant(LETTER, Sources()) is meant
    assert selection.everything is (which == {})


def test_a_key_does_not_reach_the_trail() -> None:
    words = Selection(key=b"realm:LOGIN:alice", partitions=frozenset({1, 0}), offsets=(4, 9)).words()
    assert words == "key given partition=0,1 offset=4-9"
