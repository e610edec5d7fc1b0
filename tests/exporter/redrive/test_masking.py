"""Names, addresses and secrets do not show, wherever they stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from keywatch.redrive.masking import decoded, header_shown, masked

RECORDED = Path(__file__).parents[1] / "recorded"


def test_json_in_json_is_read_and_hidden() -> None:
    event = {"type": "LOGIN", "realmId": "shop", "userId": "alice", "details": {"username": "alice", "n": [1, "x"]}}
    value = json.dumps({"eventData": json.dumps(event), "destination": "events"}).encode()
    found = decoded(value)
    assert found["eventData"]["details"]["username"] == "alice"
    shown = masked(found)
    assert shown["destination"] == "events"
    assert (shown["eventData"]["type"], shown["eventData"]["realmId"]) == ("LOGIN", "shop")
    assert "alice" not in json.dumps(shown)
    assert "1" not in json.dumps(shown["eventData"]["details"])


@pytest.mark.parametrize("value", [b"text of alice", b"\xffalice", b'"alice"', b'["alice"]', b"42"])
def test_what_is_no_object_is_hidden_whole(value: bytes) -> None:
    assert "alice" not in json.dumps(masked(decoded(value)))
    assert "42" not in json.dumps(masked(decoded(value)))


def test_a_shown_field_that_holds_more_shows_none_of_it() -> None:
    assert masked({"error": {"user": "alice"}, "type": ["alice"]}) == {
        "error": {"user": "**********"},
        "type": ["**********"],
    }


def test_depth_is_bounded() -> None:
    value: object = "alice"
    for _ in range(500):
        value = {"error": value}
    assert "alice" not in json.dumps(masked(value))
    assert decoded(b'{"a":' * 100_000) is not None


def test_headers_that_quote_the_record_are_hidden() -> None:
    assert header_shown("__connect.errors.exception.class.name")
    assert not header_shown("__connect.errors.exception.message")
    assert not header_shown("__connect.errors.exception.stacktrace")
    assert not header_shown("kafka_dlt-exception-message")
    assert not header_shown("mine")
