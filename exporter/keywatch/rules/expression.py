"""What a PromQL expression asks for: the series, and the labels that it selects them by."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import promql_parser


class ExpressionError(Exception):
    """The expression is no PromQL; the text says why."""


class Selection(NamedTuple):
    """One selector: the series' name, empty when it selects by something else, and label → value with the operator."""

    name: str
    labels: tuple[tuple[str, str], ...]

    def fixed(self, label: str) -> str | None:
        """Return the one value that the label must have; none when it may have several."""
        return next((value[1:] for name, value in self.labels if name == label and value.startswith("=")), None)


_OPERATORS = {"Equal": "=", "NotEqual": "!=", "Re": "~", "NotRe": "!~"}


def selections(text: str) -> list[Selection]:
    """Return every selector of the expression, in its order; raises `ExpressionError`."""
    return _selected(_parsed(text))


def grounds(text: str) -> list[Selection]:
    """Return the selectors that can make the expression true: those behind `unless` only keep it silent."""
    expression = _parsed(text)
    silencing: list[Selection] = []

    def visit(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.BinaryExpr) and str(node.op) == "unless":
            silencing.extend(_selected(node.rhs))
        return True

    promql_parser.walk(expression, visit)
    return list((Counter(_selected(expression)) - Counter(silencing)).elements())


def _parsed(text: str) -> promql_parser.Expr:
    try:
        return promql_parser.parse(text)
    except ValueError as error:
        raise ExpressionError(str(error)) from None


def _selected(expression: promql_parser.Expr) -> list[Selection]:
    found: list[Selection] = []

    def visit(node: promql_parser.Expr) -> bool:
        if isinstance(node, promql_parser.VectorSelector):
            matchers = [
                (m.name, f"{_OPERATORS[str(m.op).rpartition('.')[2]]}{m.value}") for m in node.matchers.matchers
            ]
            name = node.name or next(
                (value[1:] for label, value in matchers if label == "__name__" and value[0] == "="), ""
            )
            found.append(Selection(name, tuple(pair for pair in matchers if pair[0] != "__name__")))
        return True

    promql_parser.walk(expression, visit)
    return found
