"""Hides what may be personal or secret in a letter: shown is only what is known to be neither."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from keywatch.surfaces import HIDDEN

SHOWN: Final = frozenset(
    {
        *("time", "type", "eventType", "operationType", "resourceType", "resourceTypeAsString", "kind", "version"),
        *("realm", "realmId", "realmName", "clientId", "error", "destination", "timestamp", "attemptCount"),
        *("errorClass", "auth_method", "auth_type", "response_type", "response_mode", "grant_type", "protocol"),
    }
)
"""Fields whose values may be seen."""
_SHOWN_HEADERS: Final = (
    *("keywatch.redrive.", "keywatch.parked.", "__connect.errors.topic", "__connect.errors.partition"),
    *("__connect.errors.offset", "__connect.errors.connector.name", "__connect.errors.stage"),
    *("__connect.errors.class.name", "__connect.errors.exception.class.name", "__connect.errors.task.id"),
    *("kafka_dlt-original-", "kafka_dlt-exception-fqcn", "kafka_dlt-exception-cause-fqcn"),
    *("__streams.errors.topic", "__streams.errors.partition", "__streams.errors.offset"),
    *("__dlq.errors.topic", "__dlq.errors.partition", "__dlq.errors.offset", "__dlq.errors.group"),
    *("__dlq.errors.delivery.count", "dead-letter-topic", "dead-letter-partition", "dead-letter-offset"),
    *("dead-letter-exception-class-name", "dead-letter-cause-class-name", "x-original-", "x-exception-fqcn"),
)
_MOST_DEPTH: Final = 50
_LONGEST: Final = 10_000


def masked(value: Any, depth: int = 0) -> Any:
    """Return parsed JSON with the same fields, and values hidden that are not known to be harmless."""
    if isinstance(value, Mapping):
        if depth >= _MOST_DEPTH:
            return HIDDEN
        return {name: _field(str(name), inner, depth) for name, inner in value.items()}
    if isinstance(value, list):
        return [masked(inner, depth + 1) for inner in value] if depth < _MOST_DEPTH else HIDDEN
    return value if value is None or isinstance(value, bool) else HIDDEN


def header_shown(name: str) -> bool:
    """Return whether a header's text may be seen: messages and stack traces quote what was in the record."""
    return name.startswith(_SHOWN_HEADERS)


def decoded(value: bytes | None) -> Any:
    """Return the value as people read it: JSON, and JSON in its texts, parsed; else text, else hexadecimal digits."""
    if value is None:
        return None
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return {"bytes": len(value), "hex": value[:_LONGEST].hex()}
    return _inner(text, 0)


def _inner(text: str, depth: int) -> Any:
    if depth < 3 and text.lstrip()[:1] in {"{", "["}:
        try:
            return _walk(json.loads(text), depth + 1)
        except (ValueError, RecursionError):
            return text
    return text


def _walk(value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        return {name: _walk(inner, depth) for name, inner in value.items()}
    if isinstance(value, list):
        return [_walk(inner, depth) for inner in value]
    return _inner(value, depth) if isinstance(value, str) else value


def _field(name: str, value: Any, depth: int) -> Any:
    if isinstance(value, Mapping | list):
        return masked(value, depth + 1)
    return value if name in SHOWN else masked(value, depth + 1)
