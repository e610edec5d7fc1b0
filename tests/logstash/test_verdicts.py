"""The pipelines and keywatch's own parser give the same verdict on every record: what it is, or why it is no event."""

from __future__ import annotations

import json
import random
import re
from datetime import datetime
from typing import Any, NamedTuple

import pytest

from keywatch.listeners.custom import custom
from keywatch.listeners.event_types import ADMIN_EVENTS
from keywatch.listeners.known import KNOWN
from keywatch.listeners.parser import Parser
from keywatch.listeners.profile import Event, Fields, Profile, TimeUnit
from tests.exporter.listeners import records
from tests.exporter.listeners.test_bad_input import BAD, GOOD, mutated
from tests.logstash.model.pipeline import Pipeline
from tests.logstash.ours import event, pipeline, samples
from tests.logstash.ruby import Ruby
from tests.logstash.test_cases import RECORDS, record

_OUTCOMES = {"success": "success", "failure": "error", "unknown": "unknown"}
_PROFILES = {topic: profile for profile in KNOWN.values() for topic in (*profile.user, *profile.admin)}
_PROFILES |= dict.fromkeys(("keycloak.events", "keycloak.admin.events"), KNOWN["scriptonbasestar"])
# What one parser of JSON refuses as such, the other has read and finds too deep, or a number beyond all bounds.
_ALIKE = {"too_deep": "not_json"}
_BEYOND = re.compile(r"\d{400}|1e999")
# Elasticsearch takes no other for a document's own.
_ID = re.compile(r"[A-Za-z0-9_.:-]{1,128}")


class Verdict(NamedTuple):
    """What a record is: kind, label, outcome, id, realm and milliseconds of an event; or the reason why it is none."""

    kind: str
    event: str = ""
    outcome: str = ""
    id: str | None = None
    realm: str = ""
    time: int = 0


def parsed(profile: Profile, topic: str, text: str) -> Verdict:
    """Judge by keywatch's parser, whatever belongs into the topic."""
    found = Parser(profile.on([topic], [topic])).parse(topic, None, text.encode())
    if not isinstance(found, Event):
        return Verdict("not_json" if _BEYOND.search(text) else _ALIKE.get(found.reason, found.reason))
    time = int(found.time * 1000 + 0.0005)
    identity = found.event_id if found.event_id and _ID.fullmatch(found.event_id) else None
    return Verdict(found.kind, found.event, found.outcome, identity, found.realm_id, time)


def stored(ran: Pipeline, topic: str, text: str) -> Verdict:
    """Judge by the document that the pipelines make."""
    [document] = ran.run(event(record(text, topic)))
    dataset, said = document["data_stream"]["dataset"], document["event"]
    if dataset == "keycloak.unparsed":
        assert document["tags"] == ["_unparsed"]
        return Verdict(said["reason"])
    assert said["outcome"] != "success" or dataset == "keycloak.admin_event" or said["action"] != "unknown"
    kind = {"keycloak.user_event": "user", "keycloak.admin_event": "admin"}[dataset]
    if kind == "user":
        label = "other" if said["action"] == "unknown" else said["action"].replace("-", "_")
    else:
        label = f"admin_{document['keycloak']['admin'].get('operation', 'other').lower()}"
        assert label in ADMIN_EVENTS | {"admin_other"}
    identity = None if document["event"]["id"] == document["_id"] and len(said["id"]) == 64 else said["id"]
    time = round(datetime.fromisoformat(document["@timestamp"]).timestamp() * 1000)
    return Verdict(kind, label, _OUTCOMES[said["outcome"]], identity, document["keycloak"]["realm"]["id"], time)


@pytest.fixture(scope="module")
def events(ruby: Ruby) -> Pipeline:
    """Return the pipeline of events."""
    return pipeline("keycloak-events", ruby)


def _texts() -> list[tuple[Profile, str, str]]:
    # Some samples of ours have errors in topics of the listener that writes none.
    snuk87 = KNOWN["snuk87"]
    found = [
        (snuk87 if '"error"' in sample["text"] else _PROFILES[sample["topic"]], sample["topic"], sample["text"])
        for name in ("user-events", "admin-events", "unparsed-records")
        for sample in samples(name)
    ]
    found += [(snuk87, "keycloak-events", json.dumps(case["record"])) for case in RECORDS]
    for listener in ("scriptonbasestar", "snuk87"):
        found += [(KNOWN[listener], one.topic, one.value.decode()) for one in records.recorded(listener)]
    for listener, profile in KNOWN.items():
        made = [records.user(listener), records.user(listener, "LOGIN_ERROR"), records.admin(listener)]
        made += [records.user(listener, type_) for type_ in ("login_error", "Logout", "NEW_TYPE", "NEW_TYPE_ERROR")]
        made += [records.admin(listener, operation) for operation in ("delete", "EXPLODE", "USER-CREATE", "")]
        found += [(profile, one.topic, one.value.decode()) for one in made]
    return found


def _bad() -> list[tuple[str, str]]:
    readable = [value for value, _ in BAD.values() if value]
    lot = random.Random(19)  # noqa: S311 - the same ones each time
    readable += [mutated(GOOD.value, lot) for _ in range(150)]
    found = []
    for value in readable:
        try:
            text = value.decode()
        except UnicodeDecodeError:
            continue
        if len(text) < 2_000_000 and "\0" not in text:
            found.append(text)
    return [("keycloak.events", text) for text in found]


def test_on_every_sample_both_say_the_same(events: Pipeline) -> None:
    verdicts = [(stored(events, topic, text), parsed(profile, topic, text), text) for profile, topic, text in _texts()]
    assert len(verdicts) > 200
    assert {"user", "admin", "kind_unknown", "field_missing", "field_type", "time_range"} <= {
        one.kind for one, *_ in verdicts
    }
    for pipelines, parser, text in verdicts:
        assert pipelines == parser, text


def test_on_broken_records_both_say_the_same(events: Pipeline) -> None:
    profile = KNOWN["scriptonbasestar"]
    for topic, text in _bad():
        assert stored(events, topic, text) == parsed(profile, topic, text), text[:300]


_USER = {"id": "e-1", "time": 1758791787360, "type": "LOGIN", "realmId": "r", "error": None}
_CHANGES: list[dict[str, Any]] = [
    {},
    {"error": ""},
    {"error": "user_not_found"},
    {"type": "LOGIN_ERROR", "error": "x"},
    {"type": "order"},
    {"type": "ORDER_PLACED"},
    {"type": "org.keycloak.LOGIN_FAILED"},
    {"type": "lOGIN_error"},
    {"type": "A" * 64},
    {"type": "A" * 65},
    {"type": {}},
    {"type": False},
    {"type": [], "operationType": None},
    {"type": None, "eventType": "LOGOUT"},
    {"type": None, "operationType": "CREATE", "eventType": "ADMIN"},
    {"operationType": "CREATE"},
    {"type": "admin.USER-CREATE", "operationType": "CREATE"},
    {"type": "admin.USER-CREATE", "operationType": 5},
    {"operationType": ""},
    {"eventType": "USER"},
    {"time": 0},
    {"time": False},
    {"time": None},
    {"time": 1758791787},
    {"time": 1758791787360000},
    {"time": 978307200000},
    {"time": 978307199999},
    {"time": 4102444800000},
    {"time": 4102444800001},
    {"time": "2025-09-25T09:16:27.360Z"},
    {"time": 1758791787360.0},
    {"time": 10**30},
    {"realmId": 0},
    {"realmId": ["r"]},
    {"realmName": 5},
    {"id": ""},
    {"id": "i" * 255},
    {"id": "i" * 256},
    {"id": True},
    {"error": ["x"]},
    {"error": "x" * 300},
]


def test_on_each_change_of_a_field_both_say_the_same(events: Pipeline) -> None:
    for change in _CHANGES:
        text = json.dumps({**_USER, **change})
        profile = KNOWN["cinezy" if change.get("eventType") == "LOGOUT" else "snuk87"]
        if profile.name == "cinezy":
            text = json.dumps({key: value for key, value in json.loads(text).items() if key not in {"id", "error"}})
        assert stored(events, "keycloak-events", text) == parsed(profile, "keycloak-events", text), change


def test_half_a_letter_is_not_json_to_both(events: Pipeline) -> None:
    profile = KNOWN["snuk87"]
    for said in (r"\ud800", r"\udc00\ud800", r"\ud83d\ude00", r"\\ud800", r"\\\ud800", r"x\uD83D\uDE00\uDE00", "\\n"):
        text = json.dumps(_USER).replace("e-1", said)
        found = stored(events, "keycloak-events", text)
        assert found.kind == parsed(profile, "keycloak-events", text).kind, said


_PREFIXED = [
    {**_USER, "type": type_} for type_ in ("access.LOGIN", "access.login_error", "LOGIN", "access.", "access", 7)
]
_PREFIXED += [{**_USER, "type": "admin.USER-CREATE", "operationType": "CREATE"}]
_PREFIXED += [{**_USER, "type": "access.LOGIN", "operationType": "CREATE"}]
_TIMES = [
    {**_USER, "time": time} for time in (1758791787, 1758791787.5, 1758791787360, 1758791787360123, "1758791787", 0)
]
_TEXTS = [
    "2025-09-25T09:16:27.360Z",
    "2025-09-25T09:16:27.123456789+02:00",
    "2025-09-25T09:16:27",
    "2025-13-25T09:16:27Z",
]
_TEXTS += ["1999-09-25T09:16:27Z", "soon", "", "2025-09-25 09:16:27Z"]
_WRAPPED: list[dict[str, Any]] = [{"specversion": "1.0", "type": "org.keycloak.LOGIN", "data": _USER}]
_WRAPPED += [{"type": "LOGIN", "data": data} for data in ({}, None, "x", [_USER], {**_USER, "type": "order"})]
_WRAPPED += [_USER, {**_USER, "data": {**_USER, "type": "LOGOUT_ERROR"}}]


@pytest.mark.parametrize(
    ("environment", "profile", "values"),
    [
        ({"KEYCLOAK_EVENT_TYPE_PREFIX": "access."}, custom(["u"], [], Fields(), type_prefix="access."), _PREFIXED),
        ({"KEYCLOAK_EVENT_TIME_UNIT": "s"}, custom(["u"], [], Fields(), time_unit=TimeUnit.SECONDS), _TIMES),
        ({"KEYCLOAK_EVENT_TIME_UNIT": "us"}, custom(["u"], [], Fields(), time_unit=TimeUnit.MICROSECONDS), _TIMES),
        (
            {"KEYCLOAK_EVENT_TIME_UNIT": "iso8601"},
            custom(["u"], [], Fields(), time_unit=TimeUnit.ISO8601),
            [*_TIMES, *({**_USER, "time": text} for text in _TEXTS)],
        ),
        ({"KEYCLOAK_EVENT_ENVELOPE": "data"}, custom(["u"], [], Fields(), envelope="data"), _WRAPPED),
    ],
    ids=["prefix", "seconds", "microseconds", "iso8601", "cloudevents"],
)
def test_a_listener_of_ones_own_is_read_alike(
    environment: dict[str, str], profile: Profile, values: list[dict[str, Any]], ruby: Ruby
) -> None:
    ran = pipeline("keycloak-events", ruby, **environment)
    kinds = set()
    for value in values:
        found = stored(ran, "u", json.dumps(value))
        assert found == parsed(profile, "u", json.dumps(value)), value
        kinds.add(found.kind)
    assert "user" in kinds
    assert len(kinds) > 1


def test_phase_two_says_who_it_was_in_another_place(ruby: Ruby) -> None:
    ran = pipeline("keycloak-events", ruby, KEYCLOAK_EVENT_TYPE_PREFIX="access.")
    [document] = ran.run(event(record(next(case["record"] for case in RECORDS if case["name"] == "p2_access"))))
    assert document["event"]["outcome"] == "success"
    assert document["keycloak"]["client"]["id"] == "account"
    assert document["keycloak"]["session"]["id"] == "s1"
    assert document["source"]["ip"] == "10.1.2.0"
    assert len(document["user"]["hash"]) == 64


def test_a_time_that_cannot_be_read_is_never_1970(events: Pipeline) -> None:
    for time in (1758791787, 0, -1, "1758791787", "soon", 1e3):
        [document] = events.run(event(record({**_USER, "time": time})))
        assert document["@timestamp"].startswith("2025-09-25")
        assert document["event"]["reason"] in {"time_range", "field_type"}


@pytest.mark.parametrize(
    ("said", "ip", "tags"),
    [
        ("10.1.2.3, 203.0.113.77", "10.1.2.0", None),
        ("unknown, 203.0.113.77:443", "203.0.113.0", None),
        ("[2001:db8:1:2::7]:443", "2001:db8:1::", None),
        ("unknown", None, ["_address_unreadable"]),
        ("ann-laptop.example", None, ["_address_unreadable"]),
    ],
)
def test_an_address_is_read_from_a_list_or_told_to_be_unreadable(
    said: str, ip: str | None, tags: list[str] | None, events: Pipeline
) -> None:
    [document] = events.run(event(record({**_USER, "ipAddress": said})))
    assert document.get("source", {}).get("ip") == ip
    assert document.get("tags") == tags
