"""What a pipeline file says: sections, plugins with their settings and values, branches, and conditions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

_NO_LONG = 2**63


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted string, as it stands between its quotes: Logstash reads no escapes unless it is told to."""

    raw: str
    line: int
    quote: str = field(default='"', compare=False)


@dataclass(frozen=True, slots=True)
class Number:
    """A number, as it is written."""

    raw: str
    line: int

    @property
    def value(self) -> int | float:
        """The number as Ruby reads it, which takes 010 for 8; raises `ValueError` for what Ruby does not read."""
        if "." in self.raw:
            if self.raw.endswith("."):
                raise ValueError("a digit must follow the point")
            return float(self.raw)
        digits = self.raw.removeprefix("-")
        value = int(digits, 8) if digits.startswith("0") else int(digits)
        if value >= _NO_LONG:
            raise ValueError("it needs more than 64 bits")
        return -value if self.raw.startswith("-") else value


@dataclass(frozen=True, slots=True)
class Word:
    """A word without quotes; to Logstash it is a string as well."""

    raw: str
    line: int


@dataclass(frozen=True, slots=True)
class Items:
    """A list in brackets."""

    values: tuple[Value, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Table:
    """Entries in braces, keys that stand twice included."""

    entries: tuple[tuple[Key, Value], ...]
    line: int


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a plugin."""

    name: str
    value: Value
    line: int


@dataclass(frozen=True, slots=True)
class Plugin:
    """A plugin with its settings; a codec is a plugin that stands as a value."""

    name: str
    settings: tuple[Setting, ...]
    line: int

    def setting(self, name: str) -> Setting | None:
        """Return the first setting of that name."""
        return next((setting for setting in self.settings if setting.name == name), None)

    def text(self, name: str) -> str | None:
        """Return a setting's value if it is a string, a word or a number, as it is written."""
        setting = self.setting(name)
        return setting.value.raw if setting and isinstance(setting.value, Text | Word | Number) else None


Key = Text | Number | Word
Value = Text | Number | Word | Items | Table | Plugin


@dataclass(frozen=True, slots=True)
class Field:
    """A field that a condition names, such as `[log][level]`."""

    reference: str
    line: int


@dataclass(frozen=True, slots=True)
class Pattern:
    """A regular expression, as it stands between its slashes."""

    raw: str
    line: int


@dataclass(frozen=True, slots=True)
class Call:
    """A method call: the grammar has it, and nothing behind the grammar does."""

    name: str
    arguments: tuple[Operand, ...]
    line: int


Operand = Text | Number | Field | Items | Pattern | Call


@dataclass(frozen=True, slots=True)
class Holds:
    """A field alone: neither missing nor false."""

    operand: Operand
    line: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two operands and one of == != < > <= >= =~ !~ in, `not in`."""

    operator: str
    left: Operand
    right: Operand
    line: int


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a field that holds, or of a condition in parentheses."""

    condition: Condition
    line: int


@dataclass(frozen=True, slots=True)
class Parentheses:
    """A condition in parentheses."""

    condition: Condition
    line: int


@dataclass(frozen=True, slots=True)
class Chain:
    """Conditions joined by and, or, xor, nand, as they stand."""

    parts: tuple[Condition, ...]
    operators: tuple[str, ...]
    line: int


Condition = Holds | Comparison | Not | Parentheses | Chain


@dataclass(frozen=True, slots=True)
class Case:
    """One way of a branch; the condition is None for `else`."""

    condition: Condition | None
    body: tuple[Step, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Branch:
    """An `if` with its `else if` and `else`."""

    cases: tuple[Case, ...]
    line: int


Step = Plugin | Branch


@dataclass(frozen=True, slots=True)
class PipelineSection:
    """One `input`, `filter` or `output`."""

    kind: str
    body: tuple[Step, ...]
    line: int


class Newer(NamedTuple):
    """A place that Logstash reads since 8.15 only: line and column, counted from 1, and what stands there."""

    line: int
    column: int
    what: str


@dataclass(frozen=True, slots=True)
class PipelineFile:
    """A whole file; its comments have the line in which they stand."""

    sections: tuple[PipelineSection, ...]
    comments: tuple[tuple[int, str], ...] = ()
    newer: tuple[Newer, ...] = ()
    depth: int = 0
    deepest_line: int = 1

    def plugins(self, kind: str | None = None) -> Iterator[tuple[str, Plugin]]:
        """Return each plugin with its kind, in the order in which they stand; codecs are not among them."""
        for section in self.sections:
            if kind in {None, section.kind}:
                for plugin in _plugins(section.body):
                    yield section.kind, plugin

    def conditions(self) -> Iterator[Condition]:
        """Return every condition, the inner ones of a condition too."""
        for section in self.sections:
            yield from _conditions(section.body)


def codecs(plugin: Plugin) -> Iterator[Plugin]:
    """Return the plugins that stand as values of a plugin's settings."""
    for setting in plugin.settings:
        if isinstance(setting.value, Plugin):
            yield setting.value


def _plugins(body: tuple[Step, ...]) -> Iterator[Plugin]:
    for step in body:
        if isinstance(step, Plugin):
            yield step
        else:
            for case in step.cases:
                yield from _plugins(case.body)


def _conditions(body: tuple[Step, ...]) -> Iterator[Condition]:
    for step in body:
        if isinstance(step, Branch):
            for case in step.cases:
                if case.condition is not None:
                    yield from _inner(case.condition)
                yield from _conditions(case.body)


def _inner(condition: Condition) -> Iterator[Condition]:
    yield condition
    match condition:
        case Not(inner) | Parentheses(inner):
            yield from _inner(inner)
        case Chain(parts):
            for part in parts:
                yield from _inner(part)
