"""Do the parts of an expression fit together: scalars, instant vectors, range vectors, strings?"""

from __future__ import annotations

from typing import Final

from keywatch.rules.promql.functions import AGGREGATIONS, ANY_NUMBER, FUNCTIONS
from keywatch.rules.promql.tree import (
    Aggregation,
    Binary,
    Call,
    Kind,
    Node,
    Number,
    Paren,
    PromqlError,
    Range,
    Selector,
    Subquery,
    Text,
    Unary,
)

_COMPARISONS: Final = frozenset({"==", "!=", "<=", "<", ">=", ">"})
_SETS: Final = frozenset({"and", "or", "unless"})


def check(node: Node) -> Kind:  # noqa: C901 - a table of cases
    """Return the kind of an expression whose parts fit together; raises `PromqlError`."""
    match node:
        case Number():
            return "scalar"
        case Text():
            return "string"
        case Selector():
            _selector(node)
            return "instant vector"
        case Range():
            check(node.selector)
            return "range vector"
        case Subquery():
            _want(node.inner, "instant vector", "a subquery")
            return "range vector"
        case Paren():
            return check(node.inner)
        case Unary():
            found = check(node.inner)
            if found not in {"scalar", "instant vector"}:
                raise PromqlError(node.place, f"no sign may stand before a {found}")
            return found
        case Aggregation():
            parameter = AGGREGATIONS[node.operator]
            _want(node.inner, "instant vector", node.operator)
            if node.parameter is not None and parameter is not None:
                _want(node.parameter, parameter, f"the parameter of {node.operator}")
            return "instant vector"
        case Binary():
            return _binary(node)
        case Call():
            return _call(node)
    raise AssertionError(node)


def _want(node: Node, kind: Kind, where: str) -> None:
    found = check(node)
    if found != kind:
        raise PromqlError(node.place, f"expected type {kind} in {where}, got {found}")


def _selector(node: Selector, *, may_be_empty: bool = False) -> None:
    names = [matcher for matcher in node.matchers if matcher.label == "__name__"]
    if node.name:
        if names:
            raise PromqlError(node.place, f"the name of the series is given twice: {node.name} and {names[0].value}")
    elif not may_be_empty and all(matcher.matches_nothing for matcher in node.matchers):
        raise PromqlError(node.place, "a selector needs a condition that not every series fits")


def _binary(node: Binary) -> Kind:  # noqa: C901 - a table of cases
    left, right = check(node.left), check(node.right)
    both_scalar = left == right == "scalar"
    vectors = left == right == "instant vector"
    operator, matching = node.operator, node.matching
    if node.returns_bool and operator not in _COMPARISONS:
        raise PromqlError(node.place, "bool may follow a comparison only")
    if operator in _COMPARISONS and not node.returns_bool and both_scalar:
        raise PromqlError(node.place, f"a comparison of two scalars needs bool: {operator} bool")
    if matching.on and (doubled := next((label for label in matching.labels if label in matching.include), None)):
        raise PromqlError(node.place, f"the label {doubled} may not stand in on and in {matching.group} at once")
    for side, kind in ((node.left, left), (node.right, right)):
        if kind not in {"scalar", "instant vector"}:
            raise PromqlError(side.place, f"{operator} works on scalars and instant vectors only, not on a {kind}")
    if not vectors and matching.labels:
        raise PromqlError(node.place, "on and ignoring are for two instant vectors")
    if not vectors and matching.fill:
        raise PromqlError(node.place, "fill is for two instant vectors")
    if operator in _SETS:
        if not vectors:
            raise PromqlError(node.place, f"{operator} works on instant vectors only, not on a scalar")
        if matching.group:
            raise PromqlError(node.place, f"{matching.group} is not allowed with {operator}")
        if matching.fill:
            raise PromqlError(node.place, f"fill is not allowed with {operator}")
    return "scalar" if both_scalar else "instant vector"


def _call(node: Call) -> Kind:
    function = FUNCTIONS[node.name]
    given, wanted = len(node.arguments), len(function.takes)
    if not function.more:
        if given != wanted:
            raise PromqlError(node.place, f"{node.name} takes {_count(wanted)}, not {given}")
    else:
        least = wanted - 1
        if given < least:
            raise PromqlError(node.place, f"{node.name} takes {_count(least)} or more, not {given}")
        if function.more != ANY_NUMBER and given > least + function.more:
            raise PromqlError(node.place, f"{node.name} takes at most {_count(least + function.more)}, not {given}")
    for index, argument in enumerate(node.arguments):
        if node.name == "info" and index == 1:
            if not isinstance(argument, Selector) or argument.name:
                raise PromqlError(argument.place, "the second argument of info must be a selector without a name")
            _selector(argument, may_be_empty=True)
            continue
        _want(argument, function.takes[min(index, wanted - 1)], f"the call of {node.name}")
    return function.gives


def _count(number: int) -> str:
    return {0: "no argument", 1: "1 argument"}.get(number, f"{number} arguments")
