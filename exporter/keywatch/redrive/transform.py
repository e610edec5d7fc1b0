"""Changes fields of JSON as a file declares it: rename, drop, set, default; no code is run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, JsonValue

from keywatch.config.security import Section
from keywatch.config.yaml_file import ConfigError, read, tree, validated

_MOST_RULES: Final = 200
_MOST_PARSED: Final = 4 << 20
_LONGEST_SHOWN = 200


class TransformError(Exception):
    """The value is no JSON object, or a field leads through what is none."""


def _checked(path: str) -> str:
    if not path or any(not part for part in path.split(".")):
        raise ValueError("is not a field's name, or names joined by dots")
    return path


FieldPath = Annotated[str, Field(max_length=500), AfterValidator(_checked)]


class TransformSection(Section):
    """What is done to each value, in this order."""

    rename: dict[FieldPath, FieldPath] = Field(default_factory=dict, max_length=_MOST_RULES)
    drop: tuple[FieldPath, ...] = Field((), max_length=_MOST_RULES)
    set: dict[FieldPath, JsonValue] = Field(default_factory=dict, max_length=_MOST_RULES)
    default: dict[FieldPath, JsonValue] = Field(default_factory=dict, max_length=_MOST_RULES)


@dataclass(frozen=True, slots=True)
class Transform:
    """Applies the rules to values."""

    rules: TransformSection

    def apply(self, value: bytes) -> bytes:
        """Return the value with the rules applied; raises `TransformError`."""
        if len(value) > _MOST_PARSED:
            raise TransformError(f"larger than {_MOST_PARSED} bytes")
        try:
            found = json.loads(value)
        except (ValueError, RecursionError):
            raise TransformError("is not JSON") from None
        if not isinstance(found, dict):
            raise TransformError("is not a JSON object")
        self._rename(found)
        for path in self.rules.drop:
            _take(found, path)
        for path, said in self.rules.set.items():
            _put(found, path, said, over=True)
        for path, said in self.rules.default.items():
            _put(found, path, said, over=False)
        return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass")

    def _rename(self, found: dict[str, Any]) -> None:
        # All are taken before any is put, so that two fields can change names.
        taken = [(to, _take(found, path)) for path, to in self.rules.rename.items()]
        for to, held in taken:
            if held is not _MISSING:
                _put(found, to, held, over=True)


_MISSING: Final = object()


def load(path: Path) -> Transform:
    """Read a file of rules; raises `ConfigError`."""
    data, lines = tree(read(path), str(path))
    if not isinstance(data, Mapping):
        raise ConfigError(f"{path}: is empty or not a mapping; allowed: rename, drop, set, default")
    rules = validated(TransformSection, data, str(path), lines, {})
    if rules == TransformSection():
        raise ConfigError(f"{path}: has no rule; allowed: rename, drop, set, default")
    return Transform(rules)


def difference(before: bytes, after: bytes) -> list[str]:
    """Return what became of the fields, a line each: `- path: value`, `+ path: value`."""
    old, new = _flat(json.loads(before)), _flat(json.loads(after))
    lines = [f"- {path}: {_short(old[path])}" for path in old if new.get(path, _MISSING) != old[path]]
    return lines + [f"+ {path}: {_short(new[path])}" for path in new if old.get(path, _MISSING) != new[path]]


def _flat(value: Any, path: str = "") -> dict[str, Any]:
    if isinstance(value, dict) and value:
        found: dict[str, Any] = {}
        for name, inner in value.items():
            found |= _flat(inner, f"{path}.{name}" if path else name)
        return found
    return {path: value}


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}…"


def _parent(found: dict[str, Any], path: str, *, make: bool) -> tuple[dict[str, Any] | None, str]:
    *way, last = path.split(".")
    place: Any = found
    for part in way:
        inner = place.get(part, _MISSING)
        if inner is _MISSING:
            if not make:
                return None, last
            inner = place[part] = {}
        if not isinstance(inner, dict):
            raise TransformError(f"{path} leads through a field that is no object")
        place = inner
    return place, last


def _take(found: dict[str, Any], path: str) -> Any:
    parent, last = _parent(found, path, make=False)
    return _MISSING if parent is None else parent.pop(last, _MISSING)


def _put(found: dict[str, Any], path: str, value: Any, *, over: bool) -> None:
    parent, last = _parent(found, path, make=True)
    if parent is not None and (over or last not in parent):
        parent[last] = value
