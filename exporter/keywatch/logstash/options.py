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
from keywatch.logstash.merging import merged
from keywatch.logstash.release import NEWEST, RENAMED_OPTIONS, Release
from keywatch.logstash.tree import Items, Number, PipelineFile, Plugin, Setting, Table, Text, Value, Word, codecs

KINDS = ("input", "filter", "output", "codec")
_WORDS = {
    "string": "a text",
    "number": "a number",
    "boolean": "true or false",
    "hash": "a table in braces, or a list of pairs",
    "array": "a list or a text",
    "path": "a path",
    "password": "a text",
    "uri": "an address",
    "field": "a field",
    "codec": "a codec",
}
# How Ruby would write the number that a text stands for; it takes no other text for one.
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.(?:0|\d*[1-9]))?")
# Stands among the options of a plugin that has more than are listed.
_MORE = "*"


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
    """Return kind → plugin → option; of some plugins only some options are known, see `complete`."""
    data = _table()
    return {
        kind: {
            name: {
                option: _option(said)
                for option, said in {**data["common"][kind], **(own or {})}.items()
                if option != _MORE
            }
            for name, own in data[kind].items()
        }
        for kind in KINDS
    }


def complete(kind: str, name: str) -> bool:
    """Return whether all options of a plugin are known, so that another one is a mistake."""
    own = _table()[kind].get(name)
    return own is not None and _MORE not in own


def _option(said: str | list[str]) -> Option:
    if isinstance(said, list):
        return Option(tuple(said))
    kind = said.rstrip("!")
    return Option(tuple(kind.split("|")) if "|" in kind else kind, said.endswith("!"))


def problems(config: PipelineFile, release: Release = NEWEST) -> Iterator[LintFinding]:
    """Say which plugins and options this Logstash does not have, and which values cannot be theirs."""
    for kind, plugin in config.plugins():
        yield from _plugin(kind, plugin, release)
        for codec in codecs(plugin):
            yield from _plugin("codec", codec, release)
        named = merged(plugin).get("codec")
        if named is not None and isinstance(named.value, Text | Word) and "${" not in named.value.raw:
            yield from _unknown("codec", named.value.raw, named.line)


def _plugin(kind: str, plugin: Plugin, release: Release) -> Iterator[LintFinding]:
    options = known()[kind].get(plugin.name)
    if options is None:
        yield from _unknown(kind, plugin.name, plugin.line)
        return
    settings = merged(plugin)
    for name, setting in settings.items():
        if name in options:
            yield from _value(plugin.name, setting, options[name])
        elif complete(kind, plugin.name) and not _had(name, options, release):
            yield LintFinding(
                setting.line, "option-unknown", f"{plugin.name} has no option {name}{_hint(name, options)}"
            )
    for name, option in options.items():
        if option.required and name not in settings:
            yield LintFinding(plugin.line, "option-missing", f"{plugin.name} needs {name}")


def _value(plugin: str, setting: Setting, option: Option) -> Iterator[LintFinding]:
    wrong = _mismatch(setting.value, option.type)
    if wrong is not None:
        yield LintFinding(setting.line, "option-type", f"{plugin}: {setting.name} must be {wrong}")


def _had(name: str, options: Mapping[str, Option], release: Release) -> bool:
    """Return whether an older Logstash had an option by this name."""
    return release < RENAMED_OPTIONS and _table()["renamed"].get(name) in options


def _hint(name: str, options: Mapping[str, Option]) -> str:
    renamed = _table()["renamed"].get(name)
    if renamed in options:
        return f"; Logstash 9 calls it {renamed}"
    close = difflib.get_close_matches(name, options, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _unknown(kind: str, name: str, line: int) -> Iterator[LintFinding]:
    if name in known()[kind]:
        return
    others = [other for other in KINDS if name in known()[other]]
    if others and name not in _table()["elsewhere"][kind]:
        article = "an" if others[0][0] in "aeiou" else "a"
        yield LintFinding(line, "plugin-misplaced", f"{name} is {article} {others[0]} plugin, no {kind}")
        return
    close = difflib.get_close_matches(name, known()[kind], n=1)
    hint = f"; did you mean {close[0]}?" if close else ""
    if name in _table()["elsewhere"][kind]:
        hint = f"; it must be installed as logstash-{kind}-{name}"
    yield LintFinding(line, "plugin-unknown", f"Logstash brings no {kind} plugin {name}{hint}")


def _mismatch(value: Value, wanted: str | tuple[str, ...]) -> str | None:
    """Say what the value should be; None when it can be that, or when a variable decides.

    Logstash takes a list of one for what is no list, and a list of pairs for a table.
    """
    parts = value.values if isinstance(value, Items) else (value,)
    raw = [part.raw for part in parts if isinstance(part, Text | Word | Number)]
    if any("${" in text for text in raw):
        return None
    if isinstance(wanted, tuple):
        return None if len(parts) == 1 and raw and raw[0] in wanted else f"one of {', '.join(wanted)}"
    one = len(parts) <= 1 and len(raw) == len(parts)
    good = {
        "any": True,
        "number": one and (not parts or isinstance(parts[0], Number) or _NUMBER.fullmatch(raw[0]) is not None),
        "boolean": len(parts) == 1 and raw in (["true"], ["false"]),
        "hash": isinstance(value, Table) or (isinstance(value, Items) and len(parts) % 2 == 0),
        "array": not isinstance(value, Table | Plugin),
        "codec": all(isinstance(part, Plugin | Word | Text) for part in parts),
    }.get(wanted, one)
    return None if good else _WORDS[wanted]
