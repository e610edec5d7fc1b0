"""Whatever stands in a topic of events is an event or has a named reason why it is none, and costs little."""

from __future__ import annotations

import json
import random
import time
import tracemalloc
from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keywatch.listeners.known import KNOWN
from keywatch.listeners.parser import MAX_BYTES, Parser
from keywatch.listeners.profile import Event, Malformed, MalformedReason
from tests.exporter.listeners.records import REALM, TIME, admin, recorded, user

A = Parser(KNOWN["scriptonbasestar"])
TOPIC, ADMIN_TOPIC = "keycloak.events", "keycloak.admin.events"
GOOD = user("scriptonbasestar")


def changed(**fields: Any) -> bytes:
    return user("scriptonbasestar", **fields).value


def without(*names: str) -> bytes:
    return json.dumps({key: value for key, value in json.loads(GOOD.value).items() if key not in names}).encode()


def padded(value: bytes, size: int) -> bytes:
    return value[:-1] + b',"x":"' + b"x" * (size - len(value) - 7) + b'"}'


BAD: dict[str, tuple[bytes | None, MalformedReason]] = {
    "null value": (None, MalformedReason.TOMBSTONE),
    "empty value": (b"", MalformedReason.EMPTY),
    "10 MB": (padded(GOOD.value, 10_000_000), MalformedReason.TOO_LARGE),
    "one byte more than allowed": (padded(GOOD.value, MAX_BYTES + 1), MalformedReason.TOO_LARGE),
    "not UTF-8 in a field that is read": (GOOD.value.replace(b"LOGIN", b"LOG\xffN"), MalformedReason.NOT_UTF8),
    "not UTF-8 in a field that is not": (GOOD.value.replace(b"alice", b"al\xc3\x28ce"), MalformedReason.NOT_UTF8),
    "UTF-16": (GOOD.value.decode().encode("utf-16"), MalformedReason.NOT_UTF8),
    "latin-1": (GOOD.value.replace(b"alice", "Zoë".encode("latin-1")), MalformedReason.NOT_UTF8),
    "a byte order mark": (b"\xef\xbb\xbf" + GOOD.value, MalformedReason.NOT_JSON),
    "a schema registry's frame": (b"\0\0\0\0\x07" + GOOD.value, MalformedReason.NOT_JSON),
    "cut short": (GOOD.value[:-10], MalformedReason.NOT_JSON),
    "two objects": (GOOD.value + GOOD.value, MalformedReason.NOT_JSON),
    "a line of the log": (b'type="LOGIN", realmId="x"', MalformedReason.NOT_JSON),
    "spaces": (b"  \n ", MalformedReason.NOT_JSON),
    "NaN": (GOOD.value.replace(str(TIME).encode(), b"NaN"), MalformedReason.NOT_JSON),
    "a lone surrogate": (GOOD.value.replace(b"alice", b"\\ud800"), MalformedReason.NOT_JSON),
    "a broken array": (b"[1, 2", MalformedReason.NOT_JSON),
    "nested arrays": (b'{"details":' + b"[" * 100_000 + b"]" * 100_000 + b"}", MalformedReason.TOO_DEEP),
    "nested objects": (b'{"x":' * 100_000 + b"1" + b"}" * 100_000, MalformedReason.TOO_DEEP),
    "nested where a text belongs": (b'{"id":' + b"[" * 300_000 + b"]" * 300_000 + b"}", MalformedReason.TOO_DEEP),
    "nested arrays alone": (b"[" * 100_000 + b"]" * 100_000, MalformedReason.TOO_DEEP),
    "an array": (b"[" + GOOD.value + b"]", MalformedReason.NOT_OBJECT),
    "a text": (b'"LOGIN"', MalformedReason.NOT_OBJECT),
    "null": (b" null ", MalformedReason.NOT_OBJECT),
    "a number": (b"1767000000123", MalformedReason.NOT_OBJECT),
    "an envelope that nobody knows": (b'{"payload":' + GOOD.value + b"}", MalformedReason.KIND_UNKNOWN),
    "an empty object": (b"{}", MalformedReason.KIND_UNKNOWN),
    "user and admin at once": (changed(operationType="CREATE"), MalformedReason.KIND_UNKNOWN),
    "a type of somebody else": (changed(type="order"), MalformedReason.KIND_UNKNOWN),
    "a type of somebody else with dots": (changed(type="org.keycloak.LOGIN"), MalformedReason.KIND_UNKNOWN),
    "a type too long for Keycloak": (changed(type="T" * 65), MalformedReason.KIND_UNKNOWN),
    "an admin event among user events": (admin("scriptonbasestar").value, MalformedReason.WRONG_TOPIC),
    "no time": (without("time"), MalformedReason.FIELD_MISSING),
    "no realm": (changed(realmId=None), MalformedReason.FIELD_MISSING),
    "an empty realm": (changed(realmId=""), MalformedReason.FIELD_MISSING),
    "an empty type": (changed(type=""), MalformedReason.FIELD_MISSING),
    "time as text": (changed(time=str(TIME)), MalformedReason.FIELD_TYPE),
    "time as fraction": (changed(time=TIME + 0.5), MalformedReason.FIELD_TYPE),
    "time as true": (changed(time=True), MalformedReason.FIELD_TYPE),
    "time of 5,000 digits": (GOOD.value.replace(str(TIME).encode(), b"9" * 5000), MalformedReason.FIELD_TYPE),
    "time beyond all numbers": (GOOD.value.replace(str(TIME).encode(), b"1e999"), MalformedReason.FIELD_TYPE),
    "type as number": (changed(type=5), MalformedReason.FIELD_TYPE),
    "realm as object": (changed(realmId={"id": REALM}), MalformedReason.FIELD_TYPE),
    "id as number": (changed(id=7), MalformedReason.FIELD_TYPE),
    "a realm of 256 letters": (changed(realmId="r" * 256), MalformedReason.FIELD_LENGTH),
    "an id of 256 letters": (changed(id="i" * 256), MalformedReason.FIELD_LENGTH),
    "a type of 256 letters": (changed(type="T" * 256), MalformedReason.FIELD_LENGTH),
    "time in seconds": (changed(time=TIME // 1000), MalformedReason.TIME_RANGE),
    "time in microseconds": (changed(time=TIME * 1000), MalformedReason.TIME_RANGE),
    "time in the far future": (changed(time=4_200_000_000_000), MalformedReason.TIME_RANGE),
    "time before 2001": (changed(time=-1), MalformedReason.TIME_RANGE),
    "time of 30 digits": (changed(time=10**30), MalformedReason.TIME_RANGE),
}  # fmt: skip


@pytest.mark.parametrize(("value", "reason"), BAD.values(), ids=BAD.keys())
def test_each_kind_of_bad_record_has_its_reason(value: bytes | None, reason: MalformedReason) -> None:
    assert A.parse(TOPIC, GOOD.key, value) == Malformed(reason)


def test_the_table_of_bad_records_has_every_reason() -> None:
    assert {reason for _, reason in BAD.values()} == set(MalformedReason)


def test_a_user_event_among_admin_events_and_any_event_elsewhere_are_in_the_wrong_topic() -> None:
    wrong = Malformed(MalformedReason.WRONG_TOPIC)
    assert A.parse(ADMIN_TOPIC, GOOD.key, GOOD.value) == wrong
    assert A.parse("orders", GOOD.key, GOOD.value) == wrong


def test_one_topic_may_hold_both_kinds() -> None:
    parser = Parser(KNOWN["snuk87"].on(["all"], ["all"]))
    kinds = [parser.parse("all", None, record.value) for record in (user("snuk87"), admin("snuk87"))]
    assert [found.kind for found in kinds if isinstance(found, Event)] == ["user", "admin"]


def test_the_largest_allowed_record_and_a_larger_limit_are_read() -> None:
    assert isinstance(A.parse(TOPIC, None, padded(GOOD.value, MAX_BYTES)), Event)
    large = Parser(KNOWN["scriptonbasestar"], max_bytes=20_000_000)
    assert isinstance(large.parse(TOPIC, None, padded(GOOD.value, 10_000_000)), Event)


def test_a_future_that_a_wrong_clock_could_mean_is_an_event() -> None:
    assert isinstance(A.parse(TOPIC, None, changed(time=int((time.time() + 86_400) * 1000))), Event)


def test_a_megabyte_that_would_be_a_million_objects_takes_no_memory() -> None:
    value = b'{"time":1,"details":[' + b"{}," * 340_000 + b"1]}"
    A.parse(TOPIC, None, value)
    tracemalloc.start()
    try:
        assert A.parse(TOPIC, None, value) == Malformed(MalformedReason.KIND_UNKNOWN)
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
FIELDS = ["time", "type", "operationType", "realmId", "realmName", "id", "error", "eventType", "details"]
TOPICS = [TOPIC, ADMIN_TOPIC, "keycloak-events", "keycloak.user.events", "keycloak.events.user.login", "else"]
PARSERS = [Parser(profile) for profile in KNOWN.values()]


def is_named(found: Event | Malformed) -> bool:
    """Return whether it is an event that may be counted, or malformed for a reason of the enum."""
    if isinstance(found, Malformed):
        return isinstance(found.reason, MalformedReason)
    found.realm_id.encode()
    (found.realm_name or "").encode()
    return 9e8 < found.time < 4.2e9 and 0 < len(found.realm_id) <= 255 and found.event_id != ""


@settings(max_examples=500, deadline=None)
@given(st.sampled_from(TOPICS), st.none() | st.binary(max_size=50), st.none() | st.binary(max_size=300))
@example(TOPIC, None, b"\xff")
def test_arbitrary_bytes_never_raise(topic: str, key: bytes | None, value: bytes | None) -> None:
    assert all(is_named(parser.parse(topic, key, value)) for parser in PARSERS)


@settings(max_examples=1000, deadline=None)
@given(
    st.sampled_from(TOPICS), st.none() | st.binary(max_size=20), JSON | st.dictionaries(st.sampled_from(FIELDS), JSON)
)
def test_arbitrary_json_never_raises(topic: str, key: bytes | None, value: object) -> None:
    written = json.dumps(value).encode()
    assert all(is_named(parser.parse(topic, key, written)) for parser in PARSERS)


@settings(max_examples=500, deadline=None)
@given(
    st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=3),
    st.sampled_from(["user", "admin"]),
    st.sampled_from(list(KNOWN)),
)
def test_good_records_with_fields_that_hold_anything_never_raise(
    fields: dict[str, object], kind: str, listener: str
) -> None:
    good = user(listener) if kind == "user" else admin(listener)
    value = json.dumps(json.loads(good.value) | fields).encode()
    assert is_named(Parser(KNOWN[listener]).parse(good.topic, good.key, value))


_PIECES = [b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"null", b"1e9", b"\\u0000"]


def mutated(value: bytes, lot: random.Random) -> bytes:
    """Break a record in one of the ways in which records get broken."""
    at, other = sorted((lot.randrange(len(value)), lot.randrange(len(value))))
    size = lot.randrange(1, 8)
    return lot.choice(
        [
            value[:at],
            value[at:],
            value[:at] + bytes([lot.randrange(256)]) + value[at + 1 :],
            value[:at] + lot.randbytes(size) + value[at:],
            value[:at] + value[at + size :],
            value[:other] + value[at:],
            value[:at] + lot.choice(_PIECES) + value[at:],
            value[:at] + bytes([value[at] ^ (1 << lot.randrange(8))]) + value[at + 1 :],
        ]
    )  # fmt: skip


@pytest.mark.parametrize("listener", ["scriptonbasestar", "snuk87"])
def test_ten_thousand_mutated_real_records_are_events_or_have_a_reason(listener: str) -> None:
    lot, records, parser = random.Random(5), recorded(listener), Parser(KNOWN[listener])  # noqa: S311 - not a secret
    seen: Counter[str] = Counter()
    for _ in range(10_000):
        record = lot.choice(records)
        value = record.value
        for _ in range(lot.randrange(1, 4)):
            value = mutated(value, lot) if value else value
        found = parser.parse(record.topic, record.key, value)
        assert is_named(found)
        seen["event" if isinstance(found, Event) else found.reason] += 1
    assert seen["event"] > 100
    assert {MalformedReason.NOT_JSON, MalformedReason.NOT_UTF8, MalformedReason.FIELD_MISSING} <= seen.keys()
