"""Rules for names of fields and keys of tables."""

from __future__ import annotations

import re
from collections.abc import Iterator

from keywatch.logstash.finding import LintFinding
from keywatch.logstash.leaves import leaves
from keywatch.logstash.options import known
from keywatch.logstash.tree import Items, PipelineFile, Plugin, Setting, Table, Text, Value, Word, codecs

_GOOD = re.compile(r"[^\[\]]+|(?:\[[^\[\]]+\])+")
_SPRINTF = re.compile(r"%\{([^}]*)\}?")
# Options whose keys, values or both are fields.
_KEYS = {"rename", "replace", "update", "convert", "copy", "split", "join", "merge", "coerce", "add_field"}
_VALUES = {"rename", "copy", "merge"}
_LISTS = {"remove_field", "lowercase", "uppercase", "capitalize", "strip"}
# Who sets these once more with add_field gets a list of two, and no data stream takes it.
_ROUTING = ("[data_stream]", "[event][dataset]", "[event][kind]")
# Where %{…} names no field: patterns of grok and dissect, code, tables that are looked up.
_OTHER_LANGUAGES = {
    ("aggregate", "code"),
    ("aggregate", "timeout_code"),
    ("dissect", "mapping"),
    ("grok", "match"),
    ("grok", "pattern_definitions"),
    ("multiline", "pattern"),
    ("mutate", "gsub"),
    ("prune", "blacklist_values"),
    ("prune", "whitelist_values"),
    ("ruby", "code"),
    ("ruby", "init"),
    ("syslog", "grok_pattern"),
    ("translate", "dictionary"),
}


def problems(config: PipelineFile) -> Iterator[LintFinding]:
    """Say which references are malformed, which keys stand twice, and which fields should not be added."""
    for kind, plugin in config.plugins():
        for one in (plugin, *codecs(plugin)):
            for setting in one.settings:
                yield from _twice(setting.value, f"{one.name}: {setting.name}")
                if (one.name, setting.name) not in _OTHER_LANGUAGES and not isinstance(setting.value, Plugin):
                    yield from _sprintf(setting.value)
        for setting in plugin.settings:
            for line, reference in _references(kind, plugin, setting):
                if "%{" not in reference and not _GOOD.fullmatch(reference):
                    yield LintFinding(line, "field-malformed", f"{reference} is no field; one is [a][b]")
            if kind == "filter" and setting.name == "add_field":
                yield from _routing(setting.value)


def _routing(value: Value) -> Iterator[LintFinding]:
    for key, _ in _pairs(value):
        if isinstance(key, Text | Word) and key.raw.startswith(_ROUTING):
            yield LintFinding(
                key.line, "add-field-routing", f"add_field makes a list where {key.raw} is there; use replace"
            )


def _pairs(value: Value) -> Iterator[tuple[Value, Value]]:
    """Return the entries of a table, or of the list of pairs that may stand for one."""
    if isinstance(value, Table):
        yield from value.entries
    elif isinstance(value, Items):
        yield from zip(value.values[::2], value.values[1::2], strict=False)


def _references(kind: str, plugin: Plugin, setting: Setting) -> Iterator[tuple[int, str]]:
    option = known().get(kind, {}).get(plugin.name, {}).get(setting.name)
    value = setting.value
    named: list[Value] = []
    if option is not None and option.type == "field":
        named += value.values if isinstance(value, Items) else [value]
    elif kind == "filter" and option is not None and option.type == "hash" and setting.name in _KEYS:
        for key, inner in _pairs(value):
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
    """Say which keys are one to the plugin though they are written differently; others do not compile."""
    if isinstance(value, Table):
        seen: dict[str, set[str]] = {}
        for key, inner in value.entries:
            written = seen.setdefault(key.raw, set())
            quote = key.quote if isinstance(key, Text) else ""
            if written - {quote}:
                yield LintFinding(key.line, "key-twice", f"{where}: {key.raw} stands twice; the last one holds")
            written.add(quote)
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
    return (part for part in leaves(value) if isinstance(part, Text | Word))
