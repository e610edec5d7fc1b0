"""Tells what a server holds otherwise than it was given, over the many forms in which it gives the same back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# What servers add by themselves.
_ADDED = frozenset(
    {
        "delete_searchable_snapshot",
        "allow_auto_create",
        "hidden",
        "allow_custom_routing",
        "created_date",
        "modified_date",
        "created_date_millis",
        "modified_date_millis",
        "version",
        "deprecated",
        "timestamp_field",
        "content_sha256",
        "policy_id",
        "last_updated_time",
        "schema_version",
        "error_notification",
        "user",
        "retry",
        "copy_alias",
    }
)
_MOST_SHOWN = 60


def differences(wanted: Any, found: Any, place: str = "") -> Iterator[str]:
    """Name each place where `found` is not what is `wanted`, as `place: found → wanted`."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        for key, value in wanted.items():
            yield from differences(value, found.get(key, _Absent), f"{place}.{key}" if place else str(key))
        for key in found.keys() - wanted.keys() - _ADDED:
            if found[key] not in ({}, [], None):
                yield f"{place}.{key}: {_shown(found[key])} → nothing"
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for index, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from differences(one, other, f"{place}[{index}]")
    elif _plain(wanted) != _plain(found):
        yield f"{place}: {_shown(found)} → {_shown(wanted)}"


class _Absent:
    """Stands for what is not there."""


def _plain(value: Any) -> Any:
    """Return a value in the form in which all servers agree: numbers and truth as text, one text for a list of one."""
    if isinstance(value, list):
        return [_plain(item) for item in value] if len(value) != 1 else _plain(value[0])
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items() if key not in _ADDED}
    if value is _Absent or value is None or value == {}:
        return ""
    return str(value).lower() if isinstance(value, bool | int | float) else value


def _shown(value: Any) -> str:
    if value is _Absent:
        return "nothing"
    text = str(value)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"
