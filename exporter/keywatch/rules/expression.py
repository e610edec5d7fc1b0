"""What a PromQL expression asks for: the series, and the labels that it selects them by."""

from __future__ import annotations

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
    try:
        expression = promql_parser.parse(text)
    except ValueError as error:
        raise ExpressionError(str(error)) from None
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
