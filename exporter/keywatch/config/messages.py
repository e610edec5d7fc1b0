"""Puts pydantic's findings into an operator's words: the key's path, what is wrong with it, what is allowed."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from keywatch.surfaces import without_secrets

Place = tuple[str | int, ...]
"""Where in the configuration: keys, and places in lists."""

# pydantic's kinds of errors, in an operator's words.
_EXPECTED = {
    "tuple_type": "a list",
    "list_type": "a list",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "path_type": "the path of a file",
}
_BOUNDS = {
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
    "finite_number": "any finite number",
}
_LENGTHS = {
    "missing": "is missing",
    "too_short": "needs at least {min_length} entry",
    "string_too_short": "needs at least {min_length} character",
    "string_too_long": "is longer than the {max_length} characters that are allowed",
}
_TYPES = {
    type(None): "empty",
    str: "text",
    bool: "true/false",
    int: "a number",
    float: "a number",
    dt.date: "a date",
    dt.datetime: "a date",
}


def words(location: Place, data: object, error: Mapping[str, Any], root: type[BaseModel]) -> str:
    """Say what is wrong at a place of `root` and what is allowed there; never the value of what may be a secret."""
    kind, context = error["type"], error.get("ctx", {})
    if kind in {"extra_forbidden", "invalid_key"}:
        allowed = _allowed(location[:-1], root)
        close = difflib.get_close_matches(str(location[-1]), allowed, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return f"unknown key{hint} (allowed: {', '.join(allowed)})"
    if kind in _LENGTHS:
        return _LENGTHS[kind].format(**context)
    if kind == "value_error":
        return str(context.get("error", error["msg"]))
    if kind == "literal_error":
        return f"{_value(location, data)} is not allowed; allowed: {context.get('expected')}"
    if kind == "string_pattern_mismatch":
        most = str(context["pattern"]).rpartition(",")[2].partition("}")[0]
        return f"{_value(location, data)} is not allowed; allowed: 1 to {most} letters, digits, '.', '_' and '-'"
    if kind in _BOUNDS:
        return f"{_value(location, data)} is out of range; allowed: {_BOUNDS[kind].format(**context)}"
    if location[-1:] == ("[key]",):
        return "a key must be text; put it in quotes"
    if kind == "int_from_float":
        return f"must be a whole number, is {_value(location, data)}"
    expected = _EXPECTED.get(kind, error["msg"].removeprefix("Input should be "))
    found = _type(location, data)
    hint = "; put it in quotes" if kind == "string_type" and found not in {"a list", "a mapping", "empty"} else ""
    return f"must be {expected}, is {found}{hint}"


def _value(location: Place, data: object) -> str:
    value = _at(location, data)
    if isinstance(value, str):
        return repr(without_secrets(value))
    return repr(value) if isinstance(value, int | float | bool) else _type(location, data)


def _type(location: Place, data: object) -> str:
    value = _at(location, data)
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "a list"
    return _TYPES.get(type(value), type(value).__name__)


def _at(location: Place, data: object) -> object:
    for part in location:
        children = dict(enumerate(data)) if isinstance(data, list | tuple) else data
        if not isinstance(children, Mapping) or part not in children:
            break
        data = children[part]
    return data


def _allowed(location: Place, root: type[BaseModel]) -> list[str]:
    """Name the keys allowed at a place, by following the models."""
    model: type[BaseModel] | None = root
    for part in location:
        if isinstance(part, int) or model is None:
            continue
        field = model.model_fields.get(str(part))
        model = None if field is None else _model_in(field.annotation)
    fields = model.model_fields if model is not None else {}
    return sorted(field.alias or name for name, field in fields.items())


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in getattr(annotation, "__args__", ()) if (found := _model_in(part))), None)


def dotted(location: Place) -> str:
    """Write a place as operators know it: `clusters[0].broker.period`."""
    text = ""
    for part in location:
        if part == "[key]":  # pydantic's word for a mapping's key being what is wrong
            continue
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "(whole file)"
