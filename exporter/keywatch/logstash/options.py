"""Which options plugins have, and whether what stands there can be one's value."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import yaml

from keywatch.logstash.finding import LintFinding
from keywatch.logstash.tree import Items, Number, PipelineFile, Plugin, Table, Text, Value, Word, codecs

KINDS = ("input", "filter", "output", "codec")
_WORDS = {
    "string": "a text",
    "number": "a number",
    "boolean": "true or false",
    "hash": "a table in braces",
    "array": "a list or a text",
    "path": "a path",
    "password": "a text",
    "uri": "an address",
    "field": "a field",
    "codec": "a codec",
}


class Option(NamedTuple):
    """The type of an option, or the words that it allows, and whether it must be given."""

    type: str | tuple[str, ...]
    required: bool = False


@cache
def _table() -> dict[str, Any]:
    text = files("keywatch.logstash").joinpath("plugins.yml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    return found


@cache
def known() -> Mapping[str, Mapping[str, Mapping[str, Option]]]:
    """Return kind → plugin → option."""
    data = _table()
    return {
        kind: {
            name: {option: _option(said) for option, said in {**data["common"][kind], **own}.items()}
            for name, own in data[kind].items()
        }
        for kind in KINDS
    }


def _option(said: str | list[str]) -> Option:
    return Option(tuple(said)) if isinstance(said, list) else Option(said.rstrip("!"), said.endswith("!"))


def problems(config: PipelineFile) -> Iterator[LintFinding]:
    """Say which plugins and options Logstash does not have, and which values cannot be theirs."""
    for kind, plugin in config.plugins():
        yield from _plugin(kind, plugin)
        for codec in codecs(plugin):
            yield from _plugin("codec", codec)


def _plugin(kind: str, plugin: Plugin) -> Iterator[LintFinding]:
    options = known()[kind].get(plugin.name)
    if options is None:
        yield _unknown(kind, plugin)
        return
    seen: set[str] = set()
    for setting in plugin.settings:
        name = setting.name
        if name in seen:
            yield LintFinding(setting.line, "option-twice", f"{plugin.name}: {name} is given twice")
        seen.add(name)
        if name not in options:
            yield LintFinding(
                setting.line, "option-unknown", f"{plugin.name} has no option {name}{_hint(name, options)}"
            )
        elif (wrong := _mismatch(setting.value, options[name].type)) is not None:
            yield LintFinding(setting.line, "option-type", f"{plugin.name}: {name} must be {wrong}")
    for name, option in options.items():
        if option.required and name not in seen:
            yield LintFinding(plugin.line, "option-missing", f"{plugin.name} needs {name}")


def _hint(name: str, options: Mapping[str, Option]) -> str:
    renamed = _table()["renamed"].get(name)
    if renamed in options:
        return f"; Logstash 9 calls it {renamed}"
    close = difflib.get_close_matches(name, options, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _unknown(kind: str, plugin: Plugin) -> LintFinding:
    others = [other for other in KINDS if plugin.name in known()[other]]
    if others:
        return LintFinding(plugin.line, "plugin-misplaced", f"{plugin.name} is an {others[0]} plugin, no {kind}")
    close = difflib.get_close_matches(plugin.name, known()[kind], n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    return LintFinding(plugin.line, "plugin-unknown", f"Logstash brings no {kind} plugin {plugin.name}{hint}")


def _mismatch(value: Value, wanted: str | tuple[str, ...]) -> str | None:
    """Say what the value should be; None when it can be that, or when a variable decides."""
    raw = value.raw if isinstance(value, Text | Word | Number) else None
    if raw is not None and "${" in raw:
        return None
    if isinstance(wanted, tuple):
        return None if raw in wanted else f"one of {', '.join(wanted)}"
    good = {
        "any": True,
        "number": isinstance(value, Number) or (raw is not None and re.fullmatch(r"-?\d+(\.\d+)?", raw) is not None),
        "boolean": raw in {"true", "false"},
        "hash": isinstance(value, Table),
        "array": isinstance(value, Items) or raw is not None,
        "codec": isinstance(value, Plugin | Word | Text),
    }.get(wanted, raw is not None)
    return None if good else _WORDS[wanted]
