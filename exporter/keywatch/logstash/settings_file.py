"""Reads logstash.yml: what holds for every pipeline, and which variables Logstash asks for before any starts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from keywatch.config.yaml_file import ConfigError, read, tree

NAME = "logstash.yml"
_DEEPEST = 20
_Place = tuple[int | str, ...]


class SettingsFile:
    """What a logstash.yml says: its settings by their whole names, and its texts with their lines."""

    def __init__(self, path: Path) -> None:
        """Read the file; raises `ConfigError`."""
        data, lines = tree(read(path), str(path))
        if data is not None and not isinstance(data, Mapping):
            raise ConfigError(f"{path}: is no table of settings")
        self.values: dict[str, Any] = dict(_flat(data or {}))
        self.texts = list(_texts(data or {}, lines))


def _flat(data: Mapping[str, Any], before: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Return name and value; `queue: {type: persisted}` is `queue.type` to Logstash."""
    for name, value in data.items():
        if isinstance(value, Mapping) and depth < _DEEPEST:
            yield from _flat(value, f"{before}{name}.", depth + 1)
        else:
            yield f"{before}{name}", value


def _texts(value: Any, lines: Mapping[Any, int], place: _Place = ()) -> Iterator[tuple[int, str]]:
    if isinstance(value, str):
        yield next((lines[place[:size]] for size in range(len(place), 0, -1) if place[:size] in lines), 1), value
    elif isinstance(value, Mapping) and len(place) < _DEEPEST:
        for name, inner in value.items():
            yield from _texts(inner, lines, (*place, name))
    elif isinstance(value, list) and len(place) < _DEEPEST:
        for number, inner in enumerate(value):
            yield from _texts(inner, lines, (*place, number))
