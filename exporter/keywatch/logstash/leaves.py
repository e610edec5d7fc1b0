"""Walks a value down to its texts, numbers and words: through lists, tables with their keys, and codecs."""

from __future__ import annotations

from collections.abc import Iterator

from keywatch.logstash.tree import Items, Number, Plugin, Table, Text, Value, Word


def leaves(value: Value) -> Iterator[Text | Number | Word]:
    """Return them in the order in which they are written."""
    match value:
        case Text() | Number() | Word():
            yield value
        case Items(values):
            for inner in values:
                yield from leaves(inner)
        case Table(entries):
            for key, inner in entries:
                yield key
                yield from leaves(inner)
        case Plugin():
            for setting in value.settings:
                yield from leaves(setting.value)
