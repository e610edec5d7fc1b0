"""The filter mutate: its operations run in an order of their own, whatever the order in the file."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.logstash.model.event import Event, cloned, path_of

Operation = Callable[[Event], None]


def operations(settings: dict[str, Any]) -> list[Operation]:
    """Give mutate's operations in the order in which it does them; raises `NotImplementedError` for unknown ones."""
    unknown = settings.keys() - _ORDER.keys()
    if unknown:
        raise NotImplementedError(f"mutate: {', '.join(sorted(unknown))}")
    return [make(settings[name]) for name, make in _ORDER.items() if name in settings]


def _rename(pairs: dict[str, str]) -> Operation:
    paths = [(path_of(old), path_of(new)) for old, new in pairs.items()]

    def run(event: Event) -> None:
        for old, new in paths:
            if event.has(old):  # a null moves too
                event.set(new, event.remove(old))

    return run


def _replace(pairs: dict[str, str]) -> Operation:
    paths = [(path_of(field), text) for field, text in pairs.items()]

    def run(event: Event) -> None:
        for field, text in paths:
            event.set(field, event.sprintf(text))

    return run


def _gsub(triples: list[str]) -> Operation:
    steps = [
        (path_of(field), re.compile(pattern, re.MULTILINE), put)
        for field, pattern, put in zip(triples[::3], triples[1::3], triples[2::3], strict=True)
    ]

    def run(event: Event) -> None:
        for field, pattern, put in steps:
            value = event.get(field)
            if isinstance(value, str):
                event.set(field, pattern.sub(put, value))

    return run


def _lowercase(fields: list[str]) -> Operation:
    paths = [path_of(field) for field in fields]

    def run(event: Event) -> None:
        for field in paths:
            value = event.get(field)
            if isinstance(value, str):
                event.set(field, value.lower())

    return run


def _split(pairs: dict[str, str]) -> Operation:
    paths = [(path_of(field), separator) for field, separator in pairs.items()]

    def run(event: Event) -> None:
        for field, separator in paths:
            value = event.get(field)
            if isinstance(value, str):
                event.set(field, value.split(separator))

    return run


def _copy(pairs: dict[str, str]) -> Operation:
    paths = [(path_of(old), path_of(new)) for old, new in pairs.items()]

    def run(event: Event) -> None:
        for old, new in paths:
            value = event.get(old)
            if value is not None:  # a null does not
                event.set(new, cloned(value))

    return run


_ORDER: dict[str, Callable[[Any], Operation]] = {
    "rename": _rename,
    "replace": _replace,
    "gsub": _gsub,
    "lowercase": _lowercase,
    "split": _split,
    "copy": _copy,
}
