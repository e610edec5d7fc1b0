"""Reads conditions, and says in which order Logstash joins their parts."""

from __future__ import annotations

import re
from collections.abc import Callable

from keywatch.logstash.cursor import Cursor
from keywatch.logstash.tree import Call, Chain, Comparison, Condition, Field, Holds, Not, Operand, Parentheses, Pattern
from keywatch.logstash.values import items

_FIELD = re.compile(r"(?:\[[^\]\[,]+\])+")
_PATTERN = re.compile(r"/((?:\\/|[^/])*+)/")
_BOOLEAN = ("and", "or", "xor", "nand")
_COMPARE = ("==", "!=", "<=", ">=", "<", ">")


def condition(cursor: Cursor) -> Condition:
    """Read a condition up to where nothing joins it any more."""
    line = cursor.line

    def joined() -> tuple[str, Condition]:
        cursor.rest()
        operator = cursor.tokens(*_BOOLEAN)
        cursor.rest()
        return operator, _part(cursor)

    first = _part(cursor)
    more = []
    while (found := cursor.attempt(joined)) is not None:
        more.append(found)
    if not more:
        return first
    return Chain((first, *(part for _, part in more)), tuple(operator for operator, _ in more), line)


def _part(cursor: Cursor) -> Condition:
    ways: tuple[Callable[[], Condition], ...] = (
        lambda: _group(cursor),
        lambda: _negative(cursor),
        lambda: _comparison(cursor),
    )
    return cursor.first("a condition", *ways)


def _group(cursor: Cursor) -> Condition:
    line = cursor.line
    cursor.opening("(")
    inner = condition(cursor)
    cursor.closing(")")
    return Parentheses(inner, line)


def _negative(cursor: Cursor) -> Condition:
    line = cursor.line
    cursor.opening("!")
    ways: tuple[Callable[[], Condition], ...] = (lambda: _group(cursor), lambda: Holds(_field(cursor), line))
    return Not(cursor.first("a field or (", *ways), line)


def _comparison(cursor: Cursor) -> Condition:
    line = cursor.line
    left = _operand(cursor)

    def compared() -> Condition:
        cursor.rest()
        operator = cursor.first("an operator", lambda: _operator(cursor))
        cursor.rest()
        right = _pattern_or_text(cursor) if operator in {"=~", "!~"} else _operand(cursor)
        return Comparison(operator, left, right, line)

    return cursor.attempt(compared) or Holds(left, line)


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
        lambda: items(cursor),
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


def _call(cursor: Cursor) -> Call:
    line = cursor.line
    name = cursor.word()
    cursor.around("(")
    arguments = tuple(cursor.repeated(lambda: _operand(cursor), lambda: cursor.around(",")))
    cursor.closing(")")
    return Call(name, arguments, line)
