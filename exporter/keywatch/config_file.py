"""Reads a configuration file and says of each mistake where it is, what is wrong and what is allowed."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from keywatch.config import Config, TlsSection

_Path = tuple[str | int, ...]
_MOST_SHOWN = 20


class ConfigError(Exception):
    """The configuration cannot be used; the text is a complete message, one line for each mistake."""


def load(path: Path) -> Config:
    """Read and check a file; raises `ConfigError` for anything that is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: is not UTF-8 text: byte {error.start} is wrong") from error
    return parse(text, str(path))


def parse(text: str, source: str) -> Config:
    """Check a configuration given as YAML; `source` is how messages call it. Raises `ConfigError`."""
    try:
        data = yaml.safe_load(text)
        lines = dict(_lines(yaml.compose(text, Loader=yaml.SafeLoader), ()))
    except yaml.MarkedYAMLError as error:
        where = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ConfigError(f"{source}{where}: is not YAML: {error.problem or error.context}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{source}: is not YAML: {str(error).splitlines()[0]}") from error
    if not isinstance(data, Mapping):
        raise ConfigError(f"{source}: is empty or not a mapping; the least is clusters: with one bootstrap: address")
    return check(data, source, lines)


def check(data: Mapping[str, Any], source: str, lines: Mapping[_Path, int] | None = None) -> Config:
    """Check configuration data; `lines` tells where in the source a key stands. Raises `ConfigError`."""
    try:
        config = Config.model_validate(data)
    except ValidationError as error:
        messages = [_message(source, lines or {}, data, dict(item)) for item in error.errors(include_url=False)]
        raise ConfigError("\n".join(messages[:_MOST_SHOWN])) from None
    problems = [f"{source}: {problem}" for problem in _unreadable(config)]
    if problems:
        raise ConfigError("\n".join(problems))
    return config


def _message(source: str, lines: Mapping[_Path, int], data: object, error: dict[str, Any]) -> str:
    location: _Path = tuple(error["loc"])
    line = next((lines[location[:size]] for size in range(len(location), 0, -1) if location[:size] in lines), None)
    where = source if line is None else f"{source}:{line}"
    return f"{where}: {_dotted(location)}: {_words(location, data, error)}"


def _words(location: _Path, data: object, error: dict[str, Any]) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        allowed = _allowed(location[:-1])
        close = difflib.get_close_matches(str(location[-1]), allowed, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return f"unknown key{hint} (allowed: {', '.join(allowed)})"
    if kind == "missing":
        return "is missing"
    if kind == "too_short":
        return f"needs at least {context.get('min_length')} entry"
    if kind == "value_error":
        return str(context.get("error", error["msg"]))
    if kind == "literal_error":
        return f"{_value(location, data)} is not allowed; allowed: {context.get('expected')}"
    if kind == "string_pattern_mismatch":
        return f"{_value(location, data)} is not allowed; allowed: letters, digits, '.', '_' and '-'"
    if kind in {"tuple_type", "list_type"}:
        return f"must be a list, is {_type(location, data)}"
    if kind in {"model_type", "model_attributes_type", "dict_type"}:
        return f"must be a mapping, is {_type(location, data)}"
    if kind in {"greater_than_equal", "less_than_equal"}:
        bound = context.get("ge", context.get("le"))
        return (
            f"{_value(location, data)} is out of range; allowed: {error['msg'].split(' should be ')[-1]}"
            if bound is not None
            else error["msg"]
        )
    expected = error["msg"].removeprefix("Input should be ").split(",")[0]
    return f"must be {expected}, is {_type(location, data)}"


def _value(location: _Path, data: object) -> str:
    value = _at(location, data)
    return repr(value) if isinstance(value, str | int | float | bool) else _type(location, data)


def _type(location: _Path, data: object) -> str:
    value = _at(location, data)
    names = {type(None): "empty", str: "text", bool: "true/false", int: "a number", float: "a number"}
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "a list"
    return names.get(type(value), type(value).__name__)


def _at(location: _Path, data: object) -> object:
    for part in location:
        children = dict(enumerate(data)) if isinstance(data, list | tuple) else data
        if not isinstance(children, Mapping) or part not in children:
            break
        data = children[part]
    return data


def _allowed(location: _Path) -> list[str]:
    """Name the keys allowed at a place, by following the models."""
    model: type[BaseModel] | None = Config
    for part in location:
        if isinstance(part, int) or model is None:
            continue
        field = model.model_fields.get(str(part))
        model = None if field is None else _model_in(field.annotation)
    return sorted(model.model_fields) if model is not None else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in getattr(annotation, "__args__", ()) if (found := _model_in(part))), None)


def _dotted(location: _Path) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text or "(whole file)"


def _lines(node: yaml.Node | None, path: _Path) -> Iterator[tuple[_Path, int]]:
    """Walk a YAML tree and tell the line of each key and entry."""
    if node is None:
        return
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            place = (*path, key.value)
            yield place, key.start_mark.line + 1
            yield from _lines(value, place)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            place = (*path, index)
            yield place, value.start_mark.line + 1
            yield from _lines(value, place)


def _unreadable(config: Config) -> Iterator[str]:
    """Name the files that the configuration points at and that cannot be read."""
    for index, cluster in enumerate(config.clusters):
        tls = cluster.tls or TlsSection()
        for key in ("ca_file", "cert_file", "key_file"):
            path = getattr(tls, key)
            if path is None:
                continue
            try:
                with path.open("rb"):
                    pass
            except OSError as error:
                yield f"clusters[{index}].tls.{key}: {path} cannot be read: {error.strerror}"
