"""The tree of an expression."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["scalar", "instant vector", "range vector", "string"]


class PromqlError(Exception):
    """The expression is no PromQL for that Prometheus: the text says why, `place` is where, in letters."""

    def __init__(self, place: int, words: str) -> None:
        super().__init__(words)
        self.place = place


@dataclass(slots=True)
class Node:
    """Any part of an expression; `place` is where it begins."""

    place: int


@dataclass(slots=True)
class Number(Node):
    """A number, or a duration in seconds."""

    value: float


@dataclass(slots=True)
class Text(Node):
    """A quoted text."""

    value: str


@dataclass(slots=True)
class Matcher:
    """One condition of a selector: a label, `=`, `!=`, `=~` or `!~`, and a value."""

    label: str
    sign: str
    value: str
    matches_nothing: bool
    """Whether a series without the label fits."""


@dataclass(slots=True)
class Modified(Node):
    """What may have an offset and a time."""

    offset: bool = field(default=False, kw_only=True)
    at: bool = field(default=False, kw_only=True)
    late: bool = field(default=False, kw_only=True)
    """Whether only the evaluation tells its offset or time: `@ end()`, `offset step()`."""


@dataclass(slots=True)
class Selector(Modified):
    """A selector of series; `name` is empty when it stands in the braces or nowhere."""

    name: str
    matchers: list[Matcher]
    anchored: bool = field(default=False, kw_only=True)
    smoothed: bool = field(default=False, kw_only=True)


@dataclass(slots=True)
class Range(Node):
    """A selector with a range: `up[5m]`."""

    selector: Selector
    seconds: float | None
    """None where only the evaluation tells it."""


@dataclass(slots=True)
class Subquery(Modified):
    """An expression over a range: `up[5m:1m]`."""

    inner: Node


@dataclass(slots=True)
class Call(Node):
    """A call of a function."""

    name: str
    arguments: list[Node]


@dataclass(slots=True)
class Aggregation(Node):
    """An aggregation: `sum by (job) (up)`."""

    operator: str
    inner: Node
    parameter: Node | None
    grouping: list[str]
    without: bool


@dataclass(slots=True)
class Matching:
    """How two sides find each other."""

    on: bool = False
    labels: list[str] = field(default_factory=list)
    group: str = ""
    """`group_left`, `group_right` or nothing."""
    include: list[str] = field(default_factory=list)
    fill: bool = False


@dataclass(slots=True)
class Binary(Node):
    """Two sides and an operator."""

    operator: str
    left: Node
    right: Node
    returns_bool: bool
    matching: Matching


@dataclass(slots=True)
class Unary(Node):
    """A sign before an expression."""

    sign: str
    inner: Node


@dataclass(slots=True)
class Paren(Node):
    """An expression in parentheses."""

    inner: Node


def parts(node: Node) -> list[Node]:
    """Return what a node directly holds."""
    match node:
        case Range():
            return [node.selector]
        case Subquery() | Unary() | Paren():
            return [node.inner]
        case Call():
            return node.arguments
        case Aggregation():
            return [node.inner] if node.parameter is None else [node.parameter, node.inner]
        case Binary():
            return [node.left, node.right]
        case _:
            return []


def walk(node: Node) -> Iterator[Node]:
    """Return the node and all below it, in their order."""
    waiting = [node]
    while waiting:
        found = waiting.pop()
        yield found
        waiting.extend(reversed(parts(found)))
