"""Reads Logstash's pipeline language as strictly as Logstash itself does."""

from __future__ import annotations

import re
from collections.abc import Callable

from keywatch.logstash.conditions import condition
from keywatch.logstash.cursor import Cursor, MismatchError
from keywatch.logstash.tree import Branch, Case, Config, Items, Key, Plugin, Section, Setting, Step, Table, Value, Word

_OPENS = re.compile(r"(?:[A-Za-z0-9_-]+|\"|')[^{}=]*\{")
_KINDS = ("input", "filter", "output")


def parse(text: str) -> Config:
    """Read the text of one pipeline file; raises `LanguageError`."""
    cursor = Cursor(text)
    sections: list[Section] = []
    try:
        cursor.rest()
        sections.append(_section(cursor))
        cursor.rest()
        while cursor.at < len(text):
            sections.append(_section(cursor))
            cursor.rest()
    except MismatchError:
        raise cursor.error() from None
    return Config(tuple(sections), cursor.comments())


def _section(cursor: Cursor) -> Section:
    line = cursor.line
    kind = cursor.tokens(*_KINDS)
    cursor.rest()
    return Section(kind, _body(cursor), line)


def _body(cursor: Cursor) -> tuple[Step, ...]:
    """Read steps in braces."""
    cursor.token("{")
    cursor.rest()
    steps: list[Step] = []
    ways: tuple[Callable[[], Step], ...] = (lambda: _branch(cursor), lambda: plugin(cursor))
    while not cursor.text.startswith("}", cursor.at):
        steps.append(cursor.first("a plugin, if or '}'", *ways))
        cursor.rest()
    cursor.token("}")
    return tuple(steps)


def _branch(cursor: Cursor) -> Branch:
    line = cursor.line
    cursor.token("if")
    cases = [_case(cursor, line)]
    while True:
        before = cursor.at
        try:
            cursor.rest()
            line_of_else = cursor.line
            cursor.token("else")
            cursor.rest()
            cursor.token("if")
            cases.append(_case(cursor, line_of_else))
        except MismatchError:
            cursor.at = before
            break
    before = cursor.at
    try:
        cursor.rest()
        line_of_else = cursor.line
        cursor.token("else")
        cursor.rest()
        cases.append(Case(None, _body(cursor), line_of_else))
    except MismatchError:
        cursor.at = before
    return Branch(tuple(cases), line)


def _case(cursor: Cursor, line: int) -> Case:
    cursor.rest()
    found = condition(cursor)
    cursor.rest()
    return Case(found, _body(cursor), line)


def plugin(cursor: Cursor) -> Plugin:
    """Read a plugin with its settings."""
    line = cursor.line
    name = cursor.name()
    cursor.rest()
    cursor.token("{")
    cursor.rest()
    settings: list[Setting] = []
    before = cursor.at
    try:
        settings.append(_setting(cursor))
        while True:
            before = cursor.at
            cursor.space()
            cursor.rest()
            settings.append(_setting(cursor))
    except MismatchError:
        cursor.at = before
    cursor.rest()
    cursor.token("}")
    return Plugin(name, tuple(settings), line)


def _setting(cursor: Cursor) -> Setting:
    line = cursor.line
    name = cursor.name()
    cursor.rest()
    cursor.token("=>")
    cursor.rest()
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


def items(cursor: Cursor) -> Items:
    """Read a list in brackets."""
    line = cursor.line
    cursor.token("[")
    cursor.rest()
    values: list[Value] = []
    before = cursor.at
    try:
        values.append(_value(cursor))
        while True:
            before = cursor.at
            cursor.rest()
            cursor.token(",")
            cursor.rest()
            values.append(_value(cursor))
    except MismatchError:
        cursor.at = before
    cursor.rest()
    cursor.token("]")
    return Items(tuple(values), line)


def _table(cursor: Cursor) -> Table:
    line = cursor.line
    cursor.token("{")
    cursor.rest()
    entries: list[tuple[Key, Value]] = []
    before = cursor.at
    try:
        entries.append(_entry(cursor))
        while True:
            before = cursor.at
            cursor.space()  # no comment: Logstash refuses one between two entries
            entries.append(_entry(cursor))
    except MismatchError:
        cursor.at = before
    commented = cursor.text[before:].lstrip(" \t\r\n").startswith("#")
    cursor.rest()
    if commented and not cursor.text.startswith("}", cursor.at):
        raise cursor.mismatch("'}' (no comment may stand between two entries)")
    cursor.token("}")
    return Table(tuple(entries), line)


def _entry(cursor: Cursor) -> tuple[Key, Value]:
    ways: tuple[Callable[[], Key], ...] = (cursor.number, lambda: _word(cursor), cursor.quoted)
    key = cursor.first("a key", *ways)
    cursor.rest()
    cursor.token("=>")
    cursor.rest()
    return key, _value(cursor)
