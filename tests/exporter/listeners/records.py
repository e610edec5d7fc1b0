"""Records of Keycloak's event listeners: recorded ones, and such as the listeners' sources say they write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from keywatch.listeners.known import KNOWN
from keywatch.listeners.parser import Parser
from keywatch.listeners.profile import Event, EventKind, Outcome

_RECORDED = Path(__file__).parents[1] / "recorded"
REALM, TIME = "5b1e2a34-6a7f-4b0e-8c55-8a7f3b7d9e10", 1_767_000_000_123


class Record(NamedTuple):
    """A record as Kafka gives it; `timestamp` in milliseconds."""

    topic: str
    key: bytes | None
    value: bytes
    timestamp: int


def recorded(listener: str) -> list[Record]:
    """Return what a real listener wrote in a real Keycloak 26.5.4 and 26.7.3."""
    rows = [json.loads(line) for line in (_RECORDED / f"{listener}.jsonl").read_text(encoding="utf-8").splitlines()]
    return [
        Record(row["topic"], row["key"] and row["key"].encode(), row["value"].encode(), row["timestamp"])
        for row in rows
    ]


def user(listener: str, type_: str = "LOGIN", **changed: Any) -> Record:
    """Make a user event as the listener writes it."""
    error = "user_not_found" if type_.endswith("_ERROR") else None
    common = {"time": TIME, "realmId": REALM, "clientId": "web-app", "userId": "u-1", "ipAddress": "10.1.2.3"}
    details = {"auth_method": "openid-connect", "username": "alice"}
    if listener == "scriptonbasestar":
        body = {"id": "e-1", "type": type_, "sessionId": None, **common, "details": details}
        return _record("keycloak.events", f"{REALM}:{type_}:u-1", body | changed)
    if listener == "cinezy":
        body = {"realmName": "shop", "eventType": type_, **common, "details": details}
        return _record("keycloak.user.events", f"shop:{type_}:u-1", body | changed)
    body = {"id": "e-1", "type": type_, "realmName": "shop", "error": error, **common, "details": details}
    if listener == "yusufemrebilgin":
        return _record(f"keycloak.events.user.{type_.lower()}", "u-1", body | changed)
    return _record("keycloak-events", None, body | changed)


def admin(listener: str, operation: str = "CREATE", **changed: Any) -> Record:
    """Make an admin event as the listener writes it."""
    common = {"time": TIME, "realmId": REALM, "operationType": operation, "resourcePath": "users/1"}
    who = {"realmId": "master-id", "clientId": "c", "userId": "u-2", "ipAddress": "10.1.2.3"}
    if listener == "scriptonbasestar":
        body = {"id": "a-1", **common, "authDetails": who, "representation": None}
        return _record("keycloak.admin.events", f"{REALM}:{operation}:u-2", body | changed)
    if listener == "cinezy":
        body = {**common, "realmName": "shop", "resourceType": "USER", "authRealmId": "master-id"}
        return _record("keycloak.admin.events", f"shop:{operation}:USER", body | changed)
    body = {"id": "a-1", **common, "realmName": "shop", "authDetails": who, "resourceType": "USER", "error": None}
    if listener == "yusufemrebilgin":
        return _record(f"keycloak.events.admin.{operation.lower()}", "1", body | changed)
    return _record("keycloak-admin-events", None, body | changed)


def _record(topic: str, key: str | None, body: dict[str, Any]) -> Record:
    return Record(topic, None if key is None else key.encode(), json.dumps(body).encode(), TIME + 5)


def parsed(listener: str, record: Record) -> Event:
    """Parse a record that is an event."""
    found = Parser(KNOWN[listener]).parse(record.topic, record.key, record.value)
    assert isinstance(found, Event), found
    return found


USER, ADMIN = EventKind.USER, EventKind.ADMIN
SUCCESS, ERROR, UNKNOWN = Outcome.SUCCESS, Outcome.ERROR, Outcome.UNKNOWN
