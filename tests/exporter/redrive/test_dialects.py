"""Each writer's letters tell where they came from, and what is put back is the record as it was."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywatch.redrive.dialects import letter_of
from keywatch.redrive.letter import Headers, Letter, Origin, Place, Raw

PLACE = Place("dlq", 0, 7)


def read(headers: Headers, value: bytes | None = b"v", key: bytes | None = b"k") -> Letter:
    return letter_of(PLACE, Raw(key, value, headers, 1))


@pytest.mark.parametrize(
    ("headers", "kind", "origin"),
    [
        (
            [("__connect.errors.topic", b"t"), ("__connect.errors.partition", b"3"), ("__connect.errors.offset", b"9")],
            "connect",
            Origin("t", 3, 9),
        ),
        (
            [
                ("kafka_dlt-original-topic", b"t"),
                ("kafka_dlt-original-partition", (3).to_bytes(4, "big")),
                ("kafka_dlt-original-offset", (900).to_bytes(8, "big")),
            ],
            "spring",
            Origin("t", 3, 900),
        ),
        ([("__streams.errors.topic", b"t"), ("__streams.errors.partition", b"1")], "streams", Origin("t", 1)),
        ([("__dlq.errors.topic", b"t"), ("__dlq.errors.offset", b"4")], "share_group", Origin("t", None, 4)),
        ([("dead-letter-topic", b"t"), ("dead-letter-reason", b"x")], "smallrye", Origin("t")),
        ([("x-original-topic", b"t"), ("x-exception-message", b"x")], "spring_cloud_stream", Origin("t")),
    ],
)
def test_a_writers_headers_are_read_and_taken_off(headers: Headers, kind: str, origin: Origin) -> None:
    letter = read([("mine", b"1"), *headers, ("keywatch.redrive.count", b"2"), ("keywatch.redrive.run", b"r")])
    assert (letter.kind, letter.origin) == (kind, origin)
    assert letter.headers == [("mine", b"1")]
    assert (letter.attempts, letter.run) == (2, "r")
    assert (letter.key, letter.value) == (b"k", b"v")


def test_of_two_writers_the_latest_counts_and_the_other_one_stays() -> None:
    spring = ("kafka_dlt-original-topic", b"first")
    letter = read([spring, ("__connect.errors.topic", b"second")])
    assert letter.origin == Origin("second")
    assert letter.headers == [spring]


def test_a_share_groups_pointer_is_hollow() -> None:
    assert read([("__dlq.errors.topic", b"t")], None, None).hollow
    assert not read([("__dlq.errors.topic", b"t")], b"v").hollow
    assert not read([("__connect.errors.topic", b"t")], None, None).hollow


def test_the_listeners_envelope_gives_the_event_as_text() -> None:
    event = '{"id": "1",  "name": "\\u00e9 é"}'
    envelope = {"eventData": event, "destination": "keycloak.events", "metadata": {"key": "r:LOGIN:u"}}
    letter = read([], json.dumps(envelope).encode())
    assert (letter.kind, letter.origin) == ("listener", Origin("keycloak.events"))
    assert (letter.key, letter.value) == (b"r:LOGIN:u", event.encode())


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{",
        b'{"eventData": 1}',
        b'{"eventData": "\\ud800"}',
        b'["eventData"]',
        b'{"eventData":' * 2000,
        b'"eventData"',
    ],
)
def test_what_is_no_envelope_is_a_plain_letter(value: bytes | None) -> None:
    letter = read([], value)
    assert (letter.kind, letter.value, letter.key) == ("plain", value, b"k")


@given(st.lists(st.tuples(st.text(max_size=30), st.none() | st.binary(max_size=30)), max_size=5), st.binary())
def test_nothing_that_is_written_raises(headers: Headers, value: bytes) -> None:
    assert read([("__connect.errors.topic", b"t"), *headers], value).value is not None
    assert 0 <= read([*headers, ("keywatch.redrive.count", value)], value).attempts <= 1_000_000
