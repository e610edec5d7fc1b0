"""What Logstash makes of a setting that is given several times: it merges tables, joins lists, lists single values."""

from __future__ import annotations

from collections.abc import Mapping

from keywatch.logstash.tree import Items, Plugin, Setting, Table, Value


def merged(plugin: Plugin) -> Mapping[str, Setting]:
    """Return each setting once, with the value that the plugin gets and the line where it stands first."""
    found: dict[str, Setting] = {}
    for setting in plugin.settings:
        before = found.get(setting.name)
        found[setting.name] = (
            setting if before is None else Setting(setting.name, _joined(before.value, setting.value), before.line)
        )
    return found


def _joined(one: Value, other: Value) -> Value:
    if isinstance(one, Table) and isinstance(other, Table):
        return Table(one.entries + other.entries, one.line)
    if isinstance(one, Items):
        return Items(one.values + _listed(other), one.line)
    return one if same(one, other) else Items((one, other), one.line)


def _listed(value: Value) -> tuple[Value, ...]:
    """Return what is added to a list; of a table each entry, as a list of two."""
    if isinstance(value, Table):
        return tuple(Items(entry, value.line) for entry in value.entries)
    return value.values if isinstance(value, Items) else (value,)


def same(one: Value, other: Value) -> bool:
    """Return whether two values are the same text or number; two codecs with braces never are to Logstash."""
    if isinstance(one, Items | Table | Plugin) or isinstance(other, Items | Table | Plugin):
        return False
    return one.raw == other.raw
