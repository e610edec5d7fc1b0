"""Reads plugins with their settings, and values: words, strings, numbers, lists, tables, codecs."""

from __future__ import annotations

import re
from collections.abc import Callable

from keywatch.logstash.cursor import Cursor
from keywatch.logstash.tree import Items, Key, Plugin, Setting, Table, Value, Word

_OPENS = re.compile(r"(?:[A-Za-z0-9_-]+|\"|')[^{}=]*\{")


def plugin(cursor: Cursor) -> Plugin:
    """Read a plugin with its settings."""
    line = cursor.line
    name = cursor.name()
    cursor.around("{")

    def between() -> None:
        cursor.space()
        cursor.rest()

    settings = tuple(cursor.repeated(lambda: _setting(cursor), between))
    cursor.closing("}")
    return Plugin(name, settings, line)


def items(cursor: Cursor) -> Items:
    """Read a list in brackets."""
    line = cursor.line
    cursor.opening("[")
    values = tuple(cursor.repeated(lambda: _value(cursor), lambda: cursor.around(",")))
    cursor.closing("]")
    return Items(values, line)


def _setting(cursor: Cursor) -> Setting:
    line = cursor.line
    name = cursor.name()
    cursor.around("=>")
    return Setting(name, _value(cursor), line)


def _value(cursor: Cursor) -> Value:
    ways: tuple[Callable[[], Value], ...] = (
        lambda: _codec(cursor),
        lambda: _word(cursor),
        cursor.quoted,
        cursor.number,
        lambda: items(cursor),
        lambda: _table(cursor),
    )
    return cursor.first("a value", *ways)


def _codec(cursor: Cursor) -> Plugin:
    """Read a plugin as a value; where nothing opens one, the mistake is not that a brace is missing."""
    if not _OPENS.match(cursor.text, cursor.at):
        raise cursor.mismatch("a value")
    return plugin(cursor)


def _word(cursor: Cursor) -> Word:
    line = cursor.line
    return Word(cursor.word(), line)


def _table(cursor: Cursor) -> Table:
    line = cursor.line
    cursor.opening("{")

    def between() -> None:
        start = cursor.at
        cursor.rest()
        gaps.append((start, start == cursor.at or "#" in cursor.text[start : cursor.at]))

    gaps: list[tuple[int, bool]] = []
    entries = tuple(cursor.repeated(lambda: _entry(cursor), between))
    cursor.closing("}")
    # After the last entry a comment could always stand.
    for gap, newer in gaps[: max(len(entries) - 1, 0)]:
        if newer:
            cursor.newer(gap, "two entries of a table with a comment, or nothing, between them")
    return Table(entries, line)


def _entry(cursor: Cursor) -> tuple[Key, Value]:
    ways: tuple[Callable[[], Key], ...] = (cursor.number, lambda: _word(cursor), cursor.quoted)
    key = cursor.first("a key", *ways)
    cursor.around("=>")
    return key, _value(cursor)
