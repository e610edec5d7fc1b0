"""What a PromQL expression asks for: the series, and the labels that it selects them by."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from keywatch.rules.prometheus import Prometheus
from keywatch.rules.promql import tree
from keywatch.rules.promql.parser import parsed
from keywatch.rules.promql.tree import Binary, Node, PromqlError, walk

_ANY = Prometheus(experimental=True)


class ExpressionError(Exception):
    """The expression is no PromQL; the text says why."""


class Selection(NamedTuple):
    """One selector: the series' name, empty when it selects by something else, and label → value with the operator."""

    name: str
    labels: tuple[tuple[str, str], ...]

    def fixed(self, label: str) -> str | None:
        """Return the one value that the label must have; none when it may have several."""
        return next((value[1:] for name, value in self.labels if name == label and value.startswith("=")), None)


_OPERATORS = {"=": "=", "!=": "!=", "=~": "~", "!~": "!~"}


def selections(text: str) -> list[Selection]:
    """Return every selector of the expression, in its order; raises `ExpressionError`."""
    return selected(parse(text))


def grounds(text: str) -> list[Selection]:
    """Return the selectors that can make the expression true: those behind `unless` only keep it silent."""
    expression = parse(text)
    silencing = [
        selection
        for node in walk(expression)
        if isinstance(node, Binary) and node.operator == "unless"
        for selection in selected(node.right)
    ]
    return list((Counter(selected(expression)) - Counter(silencing)).elements())


def selected(expression: Node) -> list[Selection]:
    """Return every selector of a tree, in its order."""
    return [_selection(node) for node in walk(expression) if isinstance(node, tree.Selector)]


def parse(text: str) -> Node:
    """Return the tree of an expression of the newest Prometheus; raises `ExpressionError`."""
    try:
        return parsed(text, _ANY)
    except PromqlError as error:
        raise ExpressionError(str(error)) from None


def _selection(node: tree.Selector) -> Selection:
    matchers = [(matcher.label, f"{_OPERATORS[matcher.sign]}{matcher.value}") for matcher in node.matchers]
    name = node.name or _name(matchers)
    return Selection(name, tuple(pair for pair in matchers if pair[0] != "__name__"))


def _name(matchers: Iterable[tuple[str, str]]) -> str:
    return next((value[1:] for label, value in matchers if label == "__name__" and value[0] == "="), "")
