"""Each listener's records are read as what they are: real ones, and those that its source says it writes."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from keywatch.config.events import EventsSection
from keywatch.listeners.event_types import ADMIN_EVENTS, OTHER, USER_EVENTS, admin_event, user_event
from keywatch.listeners.known import KNOWN
from keywatch.listeners.parser import Parser
from keywatch.listeners.profile import DeadLetterPlace, Event, MalformedReason, Profile
from tests.exporter.listeners.records import (
    ADMIN,
    ERROR,
    REALM,
    SUCCESS,
    TIME,
    UNKNOWN,
    USER,
    admin,
    parsed,
    recorded,
    user,
)


@pytest.mark.parametrize("listener", ["scriptonbasestar", "snuk87"])
def test_every_recorded_record_is_the_event_that_its_own_json_says(listener: str) -> None:
    records = recorded(listener)
    assert len(records) > 25
    for record in records:
        event, body = parsed(listener, record), json.loads(record.value)
        written = body.get("type") or body["operationType"]
        assert event.kind is (USER if "type" in body else ADMIN)
        assert event.event == (
            written.lower().removesuffix("_error") if event.kind is USER else f"admin_{written.lower()}"
        )
        assert (event.event_id, event.realm_id, event.realm_name) == (
            body["id"],
            body["realmId"],
            body.get("realmName"),
        )
        assert event.time == body["time"] / 1000
        assert event.key_fits
        assert 0 <= record.timestamp / 1000 - event.time < 60


def test_recorded_records_hold_what_the_listeners_differ_in() -> None:
    seen = {
        listener: Counter((e.event, e.outcome) for e in (parsed(listener, record) for record in recorded(listener)))
        for listener in ("scriptonbasestar", "snuk87")
    }
    common = {("login", SUCCESS), ("login", ERROR), ("logout", SUCCESS), ("refresh_token", SUCCESS)}
    assert common | {("refresh_token", ERROR), ("register", SUCCESS)} <= seen["scriptonbasestar"].keys()
    assert common <= seen["snuk87"].keys()
    operations = ("admin_create", "admin_update", "admin_delete", "admin_action")
    for listener, outcome in (("scriptonbasestar", UNKNOWN), ("snuk87", SUCCESS)):
        assert {e for e in seen[listener] if e[0].startswith("admin")} == {(each, outcome) for each in operations}


@pytest.mark.parametrize("listener", KNOWN)
def test_users_and_admins_are_told_apart_with_their_outcomes(listener: str) -> None:
    named = None if listener == "scriptonbasestar" else "shop"
    identified = listener != "cinezy"
    knows_errors = listener not in {"scriptonbasestar", "cinezy"}
    well = parsed(listener, user(listener))
    assert well == Event(USER, "login", SUCCESS, "e-1" if identified else None, REALM, named, TIME / 1000, True)
    assert parsed(listener, user(listener, "LOGIN_ERROR")).outcome is ERROR
    made = parsed(listener, admin(listener))
    outcome = SUCCESS if knows_errors else UNKNOWN
    assert made == Event(ADMIN, "admin_create", outcome, "a-1" if identified else None, REALM, named, TIME / 1000, True)
    if knows_errors:
        assert parsed(listener, admin(listener, error="conflict")).outcome is ERROR


def test_an_allowed_type_is_itself_and_any_other_is_other() -> None:
    assert {user_event(event.upper()) for event in USER_EVENTS} == {(event, SUCCESS) for event in USER_EVENTS}
    assert {user_event(f"{event}_ERROR".upper()) for event in USER_EVENTS} == {(event, ERROR) for event in USER_EVENTS}
    assert user_event("login_error") == ("login", ERROR)
    assert user_event("NEVER_HEARD_OF") == (OTHER, UNKNOWN)
    assert user_event("NEVER_HEARD_OF_ERROR") == (OTHER, ERROR)
    assert {admin_event(event.removeprefix("admin_").upper()) for event in ADMIN_EVENTS} == ADMIN_EVENTS
    assert admin_event("delete") == "admin_delete"
    assert admin_event("MERGE") == "admin_other"
    assert len(USER_EVENTS) == 67


def test_unknown_fields_and_types_are_no_reason_to_refuse_a_record() -> None:
    event = parsed("snuk87", user("snuk87", "FUTURE_THING_ERROR", organizationId="o", nested={"a": [1, {"b": None}]}))
    assert (event.event, event.outcome) == ("other", ERROR)


@pytest.mark.parametrize(
    ("listener", "key", "fits"),
    [
        ("scriptonbasestar", b"realm:LOGIN:anonymous", True),
        ("scriptonbasestar", b"realm:LOGIN:with:colons\nand lines", True),
        ("scriptonbasestar", b"realm:LOGIN:", False),
        ("scriptonbasestar", None, False),
        ("snuk87", None, True),
        ("snuk87", b"", True),
        ("snuk87", b"key", False),
        ("yusufemrebilgin", b"\xff\x00", True),
        ("yusufemrebilgin", None, False),
        ("cinezy", b"shop:LOGIN:anon", True),
        ("cinezy", b"shop", False),
        ("cinezy", b"shop:LOGIN:" + b"x" * 5000, False),
    ],
)
def test_a_key_that_the_listener_would_not_write_is_noted_but_the_event_counts(
    listener: str, key: bytes | None, fits: bool
) -> None:
    assert parsed(listener, user(listener)._replace(key=key)).key_fits is fits


def test_only_one_listener_leaves_dead_letters() -> None:
    assert {name for name, profile in KNOWN.items() if profile.dead_letters is DeadLetterPlace.FILES} == {
        "scriptonbasestar"
    }


def test_topics_may_be_names_or_patterns_and_a_name_is_no_pattern() -> None:
    profile = KNOWN["snuk87"].on(["keycloak.events", "prod-[a-z]+-events"], [])
    topics = profile.topics()
    assert "keycloak.events" in topics
    assert "prod-eu-events" in topics
    assert "keycloak-events" not in topics
    assert "keycloakXevents" not in topics
    assert profile.names == ("keycloak.events",)
    assert KNOWN["snuk87"].on([], []) is KNOWN["snuk87"]


def custom(**keys: Any) -> Profile:
    section = {"listener": "custom", "topics": {"user": ["u"], "admin": ["a"]}, **keys}
    return EventsSection.model_validate(section).profile()


def test_a_custom_listener_is_read_by_what_the_configuration_says() -> None:
    record = {
        "time": "meta.at", "time_unit": "s", "type": "event.what", "operation": "event.did", "realm_id": "meta.realm",
        "realm_name": None, "id": "meta.id", "error": "event.why", "key": "k[0-9]",
    }  # fmt: skip
    parser = Parser(custom(record=record))
    value = {"meta": {"at": 1767000000.5, "realm": "r", "id": "1"}, "event": {"what": "LOGOUT_ERROR"}}
    assert parser.parse("u", b"k1", json.dumps(value).encode()) == Event(
        USER, "logout", ERROR, "1", "r", None, 1767000000.5, True
    )
    value["event"] = {"did": "DELETE", "why": "forbidden"}
    found = parser.parse("a", b"other", json.dumps(value).encode())
    assert found == Event(ADMIN, "admin_delete", ERROR, "1", "r", None, 1767000000.5, False)
    for broken, reason in (
        ({"event": {"did": "DELETE"}}, MalformedReason.FIELD_MISSING),
        ({"meta": 1, "event": {"did": "DELETE"}}, MalformedReason.FIELD_TYPE),
        ({"meta": value["meta"]}, MalformedReason.KIND_UNKNOWN),
    ):
        assert parser.parse("a", None, json.dumps(broken).encode()) == (reason,)


def test_a_custom_listener_may_tell_kinds_by_topic_alone() -> None:
    parser = Parser(custom(record={"kind": "topic", "type": "name", "operation": None, "id": None, "time_unit": "us"}))
    value = json.dumps({"time": TIME * 1000, "realmId": "r", "name": "UPDATE"}).encode()
    assert parser.parse("a", b"any", value) == Event(ADMIN, "admin_update", SUCCESS, None, "r", None, TIME / 1000, True)
    assert parser.parse("u", None, value) == Event(USER, "other", UNKNOWN, None, "r", None, TIME / 1000, True)
    assert parser.parse("x", None, value) == (MalformedReason.WRONG_TOPIC,)
    both = Parser(custom(topics={"user": ["e.*"], "admin": [".*e"]}, record={"kind": "topic"}))
    assert both.parse("ee", None, value) == (MalformedReason.KIND_UNKNOWN,)


def test_a_custom_listeners_fields_may_have_any_names() -> None:
    record = {"time": "class", "type": "a b", "realm_id": "ü", "operation": "__init__"}
    parser = Parser(custom(record=record))
    value = json.dumps({"class": TIME, "a b": "LOGIN", "ü": "r"}, ensure_ascii=False).encode()
    assert parser.parse("u", None, value) == Event(USER, "login", SUCCESS, None, "r", None, TIME / 1000, True)


def test_an_error_makes_any_event_of_a_user_a_failure() -> None:
    assert parsed("snuk87", user("snuk87", error="x")).outcome is ERROR
    assert parsed("snuk87", user("snuk87", error="")).outcome is SUCCESS
    assert parsed("snuk87", user("snuk87", "FUTURE_THING")).outcome is UNKNOWN
    assert parsed("snuk87", user("snuk87", "FUTURE_THING", error="x")).outcome is ERROR


def test_beside_an_operation_a_word_of_the_listeners_own_is_no_type() -> None:
    made = parsed("snuk87", admin("snuk87", type="admin.USER-CREATE"))
    assert (made.kind, made.event) == (ADMIN, "admin_create")
    for type_ in ("LOGIN", "login", "FUTURE", 5):
        record = admin("snuk87", type=type_)
        found = Parser(KNOWN["snuk87"]).parse(record.topic, None, record.value)
        assert found == (MalformedReason.KIND_UNKNOWN,)


def test_a_custom_listener_may_put_something_before_its_types() -> None:
    parser = Parser(custom(record={"type_prefix": "access.", "id": "uid"}))

    def read(topic: str, **fields: Any) -> Any:
        return parser.parse(topic, None, json.dumps({"time": TIME, "realmId": "r", "uid": "1", **fields}).encode())

    assert read("u", type="access.LOGIN_ERROR") == Event(USER, "login", ERROR, "1", "r", None, TIME / 1000, True)
    assert read("a", type="admin.USER-CREATE", operationType="CREATE").event == "admin_create"
    assert read("u", type="LOGIN") == (MalformedReason.KIND_UNKNOWN,)
    assert read("u", type="access.") == (MalformedReason.FIELD_MISSING,)
    assert read("u", type=7) == (MalformedReason.KIND_UNKNOWN,)


def test_a_custom_listener_may_write_cloud_events_with_times_as_text() -> None:
    parser = Parser(custom(record={"envelope": "data", "time_unit": "iso8601"}))

    def read(time: Any, **outer: Any) -> Any:
        event = {"id": "1", "type": "LOGIN", "realmId": "r", "time": time}
        return parser.parse("u", None, json.dumps({"specversion": "1.0", "type": "x", "data": event, **outer}).encode())

    assert read("2026-01-01T00:00:00.5+01:00") == Event(USER, "login", SUCCESS, "1", "r", None, 1767222000.5, True)
    for time in ("2026-01-01", "2026-01-01T00:00:00", "2026-13-01T00:00:00Z", "soon", "", 5, True):
        assert read(time) == (MalformedReason.FIELD_TYPE,)
    assert read(None) == (MalformedReason.FIELD_MISSING,)
    assert read("1999-01-01T00:00:00Z") == (MalformedReason.TIME_RANGE,)
    assert read("2026-01-01T00:00:00Z", data=[]) == (MalformedReason.FIELD_TYPE,)
