"""Turns a condition into a function of an event, joining its parts in the order that Logstash's compiler takes."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from keywatch.logstash.tree import (
    Chain,
    Comparison,
    Condition,
    Field,
    Holds,
    Items,
    Not,
    Number,
    Operand,
    Parentheses,
    Pattern,
    Text,
    Word,
)
from tests.logstash.model.event import Event, path_of

Test = Callable[[Event], bool]
Variables = Callable[[str], str]


def compiled(condition: Condition, variables: Variables) -> Test:
    """Return the function; raises `NotImplementedError` for what no pipeline of ours has."""
    match condition:
        case Parentheses(inner):
            return compiled(inner, variables)
        case Not(inner):
            test = compiled(inner, variables)
            return lambda event: not test(event)
        case Holds(Field(reference)):
            path = path_of(reference)
            return lambda event: event.get(path) not in {None, False} if _plain(event.get(path)) else True
        case Comparison():
            return _comparison(condition, variables)
        case Chain(parts, operators):
            return _chain([compiled(part, variables) for part in parts], operators)
    raise NotImplementedError(str(condition))


def _plain(value: Any) -> bool:
    return value is None or isinstance(value, bool)


def _chain(tests: list[Test], operators: tuple[str, ...]) -> Test:
    """Join by the compiler's own version of the shunting yard, which takes one operator off its stack at most."""
    ranks = {"and": 2, "or": 1}
    out: list[Test | str] = [tests[0]]
    waiting: list[str] = []
    for operator, test in zip(operators, tests[1:], strict=True):
        if operator not in ranks:
            raise NotImplementedError(operator)
        if waiting and ranks[waiting[-1]] > ranks[operator]:
            out.append(waiting.pop())
        waiting.append(operator)
        out.append(test)
    stack: list[Test] = []
    for item in [*out, *reversed(waiting)]:
        if isinstance(item, str):
            right, left = stack.pop(), stack.pop()
            stack.append(_both(left, right) if item == "and" else _either(left, right))
        else:
            stack.append(item)
    return stack[0]


def _both(left: Test, right: Test) -> Test:
    return lambda event: left(event) and right(event)


def _either(left: Test, right: Test) -> Test:
    return lambda event: left(event) or right(event)


def _comparison(condition: Comparison, variables: Variables) -> Test:
    left, operator = _operand(condition.left, variables), condition.operator
    if operator in {"=~", "!~"}:
        if not isinstance(condition.right, Pattern | Text):
            raise NotImplementedError(str(condition))
        # Ruby's \z is Python's \Z.
        pattern = re.compile(condition.right.raw.replace(r"\z", r"\Z").replace(r"\/", "/"), re.MULTILINE)
        found = operator == "=~"

        def matches(event: Event) -> bool:
            value = left(event)
            return isinstance(value, str) and (pattern.search(value) is not None) is found

        return matches
    right = _operand(condition.right, variables)
    if operator == "==":
        return lambda event: bool(left(event) == right(event))
    if operator == "!=":
        return lambda event: bool(left(event) != right(event))
    if operator in {"in", "not in"}:
        wanted = operator == "in"
        return lambda event: _is_in(left(event), right(event)) is wanted
    raise NotImplementedError(operator)


def _is_in(item: Any, whole: Any) -> bool:
    if isinstance(whole, list):
        return item in whole
    return isinstance(item, str) and isinstance(whole, str) and item in whole


def _operand(operand: Operand, variables: Variables) -> Callable[[Event], Any]:
    match operand:
        case Field(reference):
            path = path_of(reference)
            return lambda event: event.get(path)
        case Text(raw):
            text = variables(raw)
            return lambda _: text
        case Number():
            number = operand.value
            return lambda _: number
        case Items(values):
            items = [variables(value.raw) for value in values if isinstance(value, Text | Word)]
            return lambda _: items
    raise NotImplementedError(str(operand))
