"""The other filters that our pipelines use, as far as they use them. A model: real Logstash has the last word."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from tests.logstash.model.event import Event, path_of

Run = Callable[[Event], bool]
"""Does a filter's work on an event; tells whether it matched, which lets the common options take effect."""

_TIMESTAMP = ("@timestamp",)
_FRACTION = re.compile(r"\.(\d{1,9})")
_LATEST = 253_402_300_799_000


def moment(milliseconds: int) -> str:
    """Return a moment as Logstash writes `@timestamp`."""
    whole, rest = divmod(milliseconds, 1000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest:03d}Z"


def date(settings: dict[str, Any]) -> Run:
    """Read a field as UNIX_MS or ISO8601 into `@timestamp`; a field that cannot be read earns the failure tags."""
    field, form = settings.pop("match")
    tags = settings.pop("tag_on_failure", ["_dateparsefailure"])
    path = path_of(field)
    read = {"UNIX_MS": _unix_ms, "ISO8601": _iso8601}[form]

    def run(event: Event) -> bool:
        value = event.get(path)
        if value is None:
            return False
        try:
            event.set(_TIMESTAMP, moment(read(value)))
        except (TypeError, ValueError, OverflowError):
            for tag in tags:
                event.tag(tag)
            return False
        return True

    return run


def _unix_ms(value: Any) -> int:
    if isinstance(value, bool) or not re.fullmatch(r"-?\d{1,18}", str(value)):
        raise ValueError(value)
    found = int(value)
    if abs(found) > _LATEST:
        raise ValueError(value)
    return found


def _iso8601(value: Any) -> int:
    if not isinstance(value, str):
        raise TypeError(value)
    text = _FRACTION.sub(lambda found: "." + found[1].ljust(6, "0")[:6], value)
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        found = found.replace(tzinfo=UTC)
    return int(found.timestamp()) * 1000 + found.microsecond // 1000


def translate(settings: dict[str, Any]) -> Run:
    """Look a value up in a dictionary file."""
    source, target = path_of(settings.pop("source")), path_of(settings.pop("target"))
    fallback = settings.pop("fallback", None)
    text = Path(settings.pop("dictionary_path")).read_text(encoding="utf-8")
    known: dict[str, Any] = yaml.safe_load(text)

    def run(event: Event) -> bool:
        if not event.has(source):
            return False
        value = event.get(source)
        value = value[0] if isinstance(value, list) and value else value
        found = known.get("" if value is None else str(value), fallback)
        if found is None:
            return False
        event.set(target, found)
        return True

    return run


def parse_json(settings: dict[str, Any], log: list[str]) -> Run:
    """Parse a field; what cannot be parsed is quoted in the log unless it is told to skip."""
    source, target = path_of(settings.pop("source")), path_of(settings.pop("target"))
    quiet = settings.pop("skip_on_invalid_json", False)
    tags = settings.pop("tag_on_failure", ["_jsonparsefailure"])

    def run(event: Event) -> bool:
        text = event.get(source)
        if not text:
            return False
        try:
            event.set(target, json.loads(text, parse_constant=_refused, parse_float=_finite))
        except (ValueError, RecursionError):
            if not quiet:
                log.append(f"Error parsing json: {text}")
            for tag in tags:
                event.tag(tag)
            return False
        return True

    return run


def _refused(text: str) -> Any:
    """Refuse NaN and Infinity, as the parser that Logstash has does."""
    raise ValueError(text)


def _finite(text: str) -> float:
    """Read a fraction; one beyond all bounds, which the event could not be written with, is refused."""
    found = float(text)
    if math.isinf(found):
        raise ValueError(text)
    return found


def fingerprint(settings: dict[str, Any]) -> Run:
    """Hash fields by SHA256, keyed where there is a key."""
    sources = [path_of(field) for field in settings.pop("source")]
    names = sorted(zip(("[" + "][".join(path) + "]" for path in sources), sources, strict=True))
    target, key = path_of(settings.pop("target")), settings.pop("key", None)
    joined = settings.pop("concatenate_sources", False)
    if settings.pop("method") != "SHA256":
        raise NotImplementedError("fingerprint: another method than SHA256")

    def digest(value: str) -> str:
        if key is None:
            return hashlib.sha256(value.encode()).hexdigest()
        return hmac.new(key.encode(), value.encode(), "sha256").hexdigest()

    def run(event: Event) -> bool:
        if joined:
            whole = "".join(f"|{name}|{_ruby(event.get(path))}" for name, path in names)
            event.set(target, digest(f"{whole}|"))
            return True
        for path in sources:
            if event.has(path):
                value = event.get(path)
                event.set(
                    target, [digest(_ruby(v)) for v in value] if isinstance(value, list) else digest(_ruby(value))
                )
        return True

    return run


def _ruby(value: Any) -> str:
    """Write a value as Ruby's `to_s` would."""
    if value is None:
        return ""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)}=>{json.dumps(inner)}" for key, inner in sorted(value.items())) + "}"
    return str(value).lower() if isinstance(value, bool) else str(value)


def drop(_: dict[str, Any]) -> Run:
    """End the event."""

    def run(event: Event) -> bool:
        event.dropped = True
        return True

    return run
