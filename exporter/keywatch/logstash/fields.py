"""Rules for names of fields and keys of tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from keywatch.logstash.finding import LintFinding
from keywatch.logstash.options import known
from keywatch.logstash.tree import Items, Key, PipelineFile, Plugin, Setting, Table, Text, Value, Word, codecs

_GOOD = re.compile(r"[^\[\]]+|(?:\[[^\[\]]+\])+")
_SPRINTF = re.compile(r"%\{([^}]*)\}?")
# Options whose keys, values or both are fields.
_KEYS = {"rename", "replace", "update", "convert", "copy", "split", "join", "merge", "coerce", "add_field"}
_VALUES = {"rename", "copy", "merge"}
_LISTS = {"remove_field", "lowercase", "uppercase", "capitalize", "strip"}
# Who sets these once more with add_field gets a list of two, and no data stream takes it.
_ROUTING = ("[data_stream]", "[event][dataset]", "[event][kind]", "[@metadata]")


def problems(config: PipelineFile) -> Iterator[LintFinding]:
    """Say which references are malformed, which keys stand twice, and which fields should not be added."""
    for kind, plugin in config.plugins():
        for one in (plugin, *codecs(plugin)):
            for setting in one.settings:
                yield from _twice(setting.value, f"{one.name}: {setting.name}")
                yield from _sprintf(setting.value)
        for setting in plugin.settings:
            for line, reference in _references(kind, plugin, setting):
                if "%{" not in reference and not _GOOD.fullmatch(reference):
                    yield LintFinding(line, "field-malformed", f"{reference} is no field; one is [a][b]")
            if setting.name == "add_field" and isinstance(setting.value, Table):
                for key, _ in setting.value.entries:
                    if key.raw.startswith(_ROUTING):
                        yield LintFinding(
                            key.line,
                            "add-field-routing",
                            f"add_field makes a list where {key.raw} is there; use replace",
                        )


def _references(kind: str, plugin: Plugin, setting: Setting) -> Iterator[tuple[int, str]]:
    option = known().get(kind, {}).get(plugin.name, {}).get(setting.name)
    value = setting.value
    named: list[Value] = []
    if option is not None and option.type == "field":
        named.append(value)
    elif kind == "filter" and isinstance(value, Table) and setting.name in _KEYS:
        for key, inner in value.entries:
            named += [key, inner] if setting.name in _VALUES else [key]
    elif kind == "filter":
        listed = list(value.values) if isinstance(value, Items) else [value]
        named += listed[_where(plugin.name, setting.name)]
    for one in named:
        if isinstance(one, Text | Word):
            yield one.line, one.raw


def _where(plugin: str, setting: str) -> slice:
    """Say which entries of a list are fields."""
    if (plugin, setting) == ("date", "match"):
        return slice(1)
    if (plugin, setting) == ("mutate", "gsub"):
        return slice(None, None, 3)
    return slice(None) if setting in _LISTS or (plugin, setting) == ("fingerprint", "source") else slice(0)


def _twice(value: Value, where: str) -> Iterator[LintFinding]:
    if isinstance(value, Table):
        seen: set[str] = set()
        key: Key
        for key, inner in value.entries:
            if key.raw in seen:
                yield LintFinding(key.line, "key-twice", f"{where}: {key.raw} stands twice; Logstash refuses that")
            seen.add(key.raw)
            yield from _twice(inner, where)
    elif isinstance(value, Items):
        for inner in value.values:
            yield from _twice(inner, where)


def _sprintf(value: Value) -> Iterator[LintFinding]:
    for text in texts(value):
        for found in _SPRINTF.finditer(text.raw):
            good = found[0].endswith("}") and (
                _GOOD.fullmatch(found[1]) or found[1].startswith("+") or found[1].startswith("{")
            )
            if not good:
                yield LintFinding(text.line, "field-malformed", f"{found[0]} names no field; one is %{{[a][b]}}")


def texts(value: Value) -> Iterator[Text | Word]:
    """Return every text within a value, keys of tables included."""
    match value:
        case Text() | Word():
            yield value
        case Items(values):
            for inner in values:
                yield from texts(inner)
        case Table(entries):
            for key, inner in entries:
                if isinstance(key, Text | Word):
                    yield key
                yield from texts(inner)
        case Plugin():
            for setting in value.settings:
                yield from texts(setting.value)
