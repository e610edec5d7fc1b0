"""Documents as the pipelines of Logstash write them, one for each kind, made by hand from the table of fields."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

_WRITTEN = 1_764_000_000_000  # milliseconds


def moment(seconds_ago: float = 0.0) -> str:
    """Return a moment as the pipelines write it."""
    at = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=seconds_ago)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def user_event(number: int, *, realm: str = "r1", kind: str = "LOGIN", ago: float = 1.0, **more: Any) -> dict[str, Any]:
    """Return a user event; `number` is its offset in partition 0 of the topic."""
    return {
        "@timestamp": moment(ago),
        "data_stream": {"type": "logs", "dataset": "keycloak.user_event", "namespace": "default"},
        "ecs": {"version": "8.11.0"},
        "event": {
            "id": f"u{number}", "kind": "event", "module": "keycloak", "dataset": "keycloak.user_event",
            "category": ["authentication"], "type": ["start"], "action": kind.lower().removesuffix("_error"),
            "outcome": "failure" if kind.endswith("_ERROR") else "success",
        },
        "keycloak": {
            "realm": {"id": realm}, "client": {"id": "app"}, "session": {"id": "s1"},
            "event": {"type": kind, "details": {"auth_method": "openid-connect"}, "details_dropped": 2},
        },
        "user": {"id": f"id-{number % 3}", "hash": f"hash-{number % 3}"},
        "source": {"ip": "203.0.113.0"},
        "service": {"type": "keycloak"},
        "kafka": {"topic": "keycloak-events", "partition": 0, "offset": number, "timestamp": _WRITTEN + number},
        **more,
    }  # fmt: skip


def admin_event(number: int) -> dict[str, Any]:
    """Return an admin event."""
    event = user_event(number, kind="UPDATE")
    event["data_stream"]["dataset"] = event["event"]["dataset"] = "keycloak.admin_event"
    event["event"] |= {"id": f"a{number}", "action": "update-user", "category": ["iam"]}
    event["keycloak"]["admin"] = {
        "operation": "UPDATE", "representation_hash": "ab" * 32, "auth": {"realm_id": "master", "client_id": "cli"},
        "resource": {"type": "USER", "path": "users/1", "id": "1"},
    }  # fmt: skip
    event["kafka"]["topic"] = "keycloak-admin-events"
    return event


def others(number: int) -> Iterator[dict[str, Any]]:
    """Return one document of each other dataset."""
    common = {"@timestamp": moment(1), "ecs": {"version": "8.11.0"}}
    kafka = {"topic": "keycloak-events", "partition": 1, "offset": number, "timestamp": _WRITTEN}

    def stream(dataset: str) -> dict[str, Any]:
        return {**common, "data_stream": {"type": "logs", "dataset": dataset, "namespace": "default"}}

    yield {
        **stream("keycloak.server"), "message": "Failed login", "log": {"level": "warn", "logger": "org.keycloak.x"},
        "process": {"name": "java", "pid": 1, "thread": {"id": 7, "name": "executor-1"}}, "host": {"hostname": "kc-1"},
        "error": {"type": "java.lang.X", "message": "no", "stack_trace": "java.lang.X: no\n\tat a.b(C.java:1)"},
        "event": {"sequence": 9, "dataset": "keycloak.server"}, "trace": {"id": "t"}, "span": {"id": "s"},
    }  # fmt: skip
    yield {
        **stream("keycloak.dlq"), "event": {"id": f"dlq-{number}", "kind": "pipeline_error", "hash": "cd" * 32},
        "keycloak": {"realm": {"id": "r1"}, "dlq": {"destination": "events", "attempts": 3, "payload_size": 99}},
        "error": {"type": "TimeoutException", "message": "no broker"}, "kafka": {**kafka, "topic": "keycloak-dlq"},
    }  # fmt: skip
    yield {**stream("keycloak.unparsed"), "event": {"hash": "ef" * 32}, "kafka": kafka, "tags": ["_jsonparsefailure"]}
    yield {
        **stream("keycloak.rejected"), "error": {"message": "mapper"},
        "logstash": {"dlq": {"plugin_id": "elasticsearch-once", "original_dataset": "keycloak.user_event"}},
    }  # fmt: skip
    yield {
        **stream("keycloak_exporter.app"), "message": "broker 1 is down", "log": {"level": "warning"},
        "service": {"name": "keywatch", "version": "1"},
    }  # fmt: skip


def bulk(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the lines of a bulk that creates them, as Logstash sends it: an event's id is its document's."""
    lines = []
    for document in documents:
        place = document["data_stream"]
        stream = f"{place['type']}-{place['dataset']}-{place['namespace']}"
        key = document.get("event", {}).get("id")
        lines += [{"create": {"_index": stream, **({"_id": key} if key else {})}}, document]
    return lines
