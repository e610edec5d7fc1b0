"""Reads conditions, and says in which order Logstash joins their parts."""

from __future__ import annotations

import re
from collections.abc import Callable

from keywatch.logstash.cursor import Cursor, MismatchError
from keywatch.logstash.tree import Call, Chain, Comparison, Condition, Field, Group, Holds, Items, Not, Operand, Pattern

_FIELD = re.compile(r"(?:\[[^\]\[,]+\])+")
_PATTERN = re.compile(r"/((?:\\/|[^/])*+)/")
_BOOLEAN = ("and", "or", "xor", "nand")
_COMPARE = ("==", "!=", "<=", ">=", "<", ">")


def condition(cursor: Cursor) -> Condition:
    """Read a condition up to where nothing joins it any more."""
    line = cursor.line
    parts, operators = [_part(cursor)], []
    while True:
        before = cursor.at
        try:
            cursor.rest()
            operator = cursor.tokens(*_BOOLEAN)
            cursor.rest()
            parts.append(_part(cursor))
        except MismatchError:
            cursor.at = before
            break
        operators.append(operator)
    return parts[0] if not operators else Chain(tuple(parts), tuple(operators), line)


def _part(cursor: Cursor) -> Condition:
    ways: tuple[Callable[[], Condition], ...] = (
        lambda: _group(cursor),
        lambda: _negative(cursor),
        lambda: _comparison(cursor),
    )
    return cursor.first("a condition", *ways)


def _group(cursor: Cursor) -> Condition:
    line = cursor.line
    cursor.token("(")
    cursor.rest()
    inner = condition(cursor)
    cursor.rest()
    cursor.token(")")
    return Group(inner, line)


def _negative(cursor: Cursor) -> Condition:
    line = cursor.line
    cursor.token("!")
    cursor.rest()
    ways: tuple[Callable[[], Condition], ...] = (lambda: _group(cursor), lambda: Holds(_field(cursor), line))
    return Not(cursor.first("a field or (", *ways), line)


def _comparison(cursor: Cursor) -> Condition:
    line = cursor.line
    left = _operand(cursor)
    before = cursor.at
    try:
        cursor.rest()
        operator = cursor.first("an operator", lambda: _operator(cursor))
        cursor.rest()
        right = _pattern_or_text(cursor) if operator in {"=~", "!~"} else _operand(cursor)
    except MismatchError:
        cursor.at = before
        return Holds(left, line)
    return Comparison(operator, left, right, line)


def _pattern_or_text(cursor: Cursor) -> Operand:
    ways: tuple[Callable[[], Operand], ...] = (cursor.quoted, lambda: _pattern(cursor))
    return cursor.first("a pattern", *ways)


def _operator(cursor: Cursor) -> str:
    found = cursor.tokens("in", "not ", *_COMPARE, "=~", "!~")
    if found == "not ":
        cursor.rest()
        cursor.token("in")
        return "not in"
    return found


def _operand(cursor: Cursor) -> Operand:
    ways: tuple[Callable[[], Operand], ...] = (
        cursor.quoted,
        cursor.number,
        lambda: _field(cursor),
        lambda: _items(cursor),
        lambda: _call(cursor),
        lambda: _pattern(cursor),
    )
    return cursor.first("a field, a value or a pattern", *ways)


def _field(cursor: Cursor) -> Field:
    line = cursor.line
    return Field(cursor.match(_FIELD, "a field")[0], line)


def _pattern(cursor: Cursor) -> Pattern:
    line = cursor.line
    return Pattern(cursor.match(_PATTERN, "a pattern")[1], line)


def _items(cursor: Cursor) -> Items:
    from keywatch.logstash.language import items  # noqa: PLC0415 - values hold plugins, whose language holds conditions

    return items(cursor)


def _call(cursor: Cursor) -> Call:
    line = cursor.line
    name = cursor.word()
    cursor.rest()
    cursor.token("(")
    cursor.rest()
    arguments: list[Operand] = []
    before = cursor.at
    try:
        arguments.append(_operand(cursor))
        while True:
            before = cursor.at
            cursor.rest()
            cursor.token(",")
            cursor.rest()
            arguments.append(_operand(cursor))
    except MismatchError:
        cursor.at = before
    cursor.rest()
    cursor.token(")")
    return Call(name, tuple(arguments), line)
