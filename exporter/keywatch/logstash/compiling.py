"""What Logstash's compiler refuses in files that its grammar lets through: the pipeline does not start."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from keywatch.logstash.leaves import leaves
from keywatch.logstash.merging import merged
from keywatch.logstash.regex import flaw
from keywatch.logstash.tree import (
    Call,
    Chain,
    Comparison,
    Condition,
    Field,
    Holds,
    Items,
    Key,
    Number,
    Operand,
    Parentheses,
    Pattern,
    PipelineFile,
    Plugin,
    Table,
    Text,
    Value,
)

_PATTERNS = ("=~", "!~")


class Refusal(NamedTuple):
    """A line, and why Logstash does not compile what stands there."""

    line: int
    problem: str


def refusals(config: PipelineFile) -> Iterator[Refusal]:
    """Say what keeps the pipeline from starting, however good its grammar."""
    for _, plugin in config.plugins():
        yield from _plugin(plugin)
    for condition in config.conditions():
        yield from _condition(condition)


def compared(operand: Operand) -> Sequence[Text | Number | Field]:
    """Return the parts of an operand of == != < > <= >= that Logstash takes; more than the first it leaves out."""
    match operand:
        case Text() | Number() | Field():
            return (operand,)
        case Items(values):
            return [part for value in values for part in _within(value)]
        case Call(_, arguments):
            return [part for argument in arguments for part in compared(argument)]
        case Pattern():
            return ()


def _within(value: Value) -> Iterator[Text | Number]:
    """Return the texts and numbers within a value; words without quotes are none of them."""
    return (part for part in leaves(value) if isinstance(part, Text | Number))


def _plugin(plugin: Plugin) -> Iterator[Refusal]:
    for setting in plugin.settings:
        yield from _value(setting.value)
        if isinstance(setting.value, Plugin):
            yield from _plugin(setting.value)
    seen: dict[str, Value] = {}
    for setting in plugin.settings:
        before = seen.setdefault(setting.name, setting.value)
        if isinstance(before, Table) and not isinstance(setting.value, Table | Items):
            yield Refusal(setting.line, f"{plugin.name}: {setting.name} is a table, and is then given one value more")
    codec = merged(plugin).get("codec")
    given = sum(setting.name == "codec" for setting in plugin.settings)
    if given > 1 and codec is not None and isinstance(codec.value, Items) and len(codec.value.values) > 1:
        yield Refusal(codec.line, f"{plugin.name}: two different codecs are given; one plugin has one codec")


def _value(value: Value) -> Iterator[Refusal]:
    """Say what is wrong in a value, in lists and tables within it too."""
    match value:
        case Number():
            yield from _number(value)
        case Items(values):
            for inner in values:
                if isinstance(inner, Plugin):
                    for setting in inner.settings:
                        yield from _value(setting.value)
                else:
                    yield from _value(inner)
        case Table(entries):
            yield from _table(entries)


def _table(entries: Sequence[tuple[Key, Value]]) -> Iterator[Refusal]:
    seen: set[tuple[str, str]] = set()
    for key, value in entries:
        # The compiler compares keys as they are written, quotes included.
        written = (key.raw, key.quote if isinstance(key, Text) else "")
        if written in seen:
            yield Refusal(key.line, f"the key {key.raw} stands twice in one table")
        seen.add(written)
        if isinstance(key, Number):
            yield from _number(key)
        if isinstance(value, Plugin):
            yield Refusal(value.line, f"{value.name} with braces stands as a value in a table, where no plugin may")
        yield from _value(value)


def _number(number: Number) -> Iterator[Refusal]:
    try:
        _ = number.value
    except ValueError as error:
        why = str(error) if "invalid literal" not in str(error) else "a number that begins with 0 has no 8 or 9"
        yield Refusal(number.line, f"{number.raw} is no number to Logstash: {why}")


def _condition(condition: Condition) -> Iterator[Refusal]:
    match condition:
        case Holds(operand, line):
            yield from _alone(operand, line)
        case Comparison(operator, left, right, line) if operator in _PATTERNS:
            yield from _matched(operator, left, right, line)
        case Comparison(operator, left, right, line) if operator not in {"in", "not in"}:
            yield from _compared(operator, left, right, line)
        case Comparison(_, left, right):
            for operand in [*_taken(left), *_taken(right)][:2]:
                yield from _operand(operand)
        case Chain(_, operators, line) if len(operators) > 1:
            for operator in sorted({"xor", "nand"} & set(operators)):
                yield Refusal(line, f"{operator} stands beside other operators, which Logstash cannot order")


def _alone(operand: Operand, line: int) -> Iterator[Refusal]:
    if isinstance(operand, Call):
        fields = _fields(operand)
        if fields != 1:
            yield Refusal(line, f"{operand.name}(…): Logstash knows no such call, and reads it with one field only")
    else:
        yield from _operand(operand)


def _fields(call: Call) -> int:
    return sum(
        _fields(argument) if isinstance(argument, Call) else isinstance(argument, Field) for argument in call.arguments
    )


def _matched(operator: str, left: Operand, right: Operand, line: int) -> Iterator[Refusal]:
    looked_at = _matchable(left)
    if looked_at != 1:
        yield Refusal(line, f"left of {operator} stands no single field or text")
    for part in (left, right):
        for pattern in _patterns(part):
            yield from _pattern(pattern)
    if isinstance(right, Text):
        yield from _pattern(right)


def _patterns(operand: Operand) -> Iterator[Pattern]:
    if isinstance(operand, Pattern):
        yield operand
    elif isinstance(operand, Call):
        for argument in operand.arguments:
            yield from _patterns(argument)


def _taken(operand: Operand) -> Iterator[Operand]:
    """Return what the compiler takes of a side of in: of a call its name and its arguments, as if they stood alone."""
    if isinstance(operand, Call):
        yield Text(operand.name, operand.line)
        for argument in operand.arguments:
            yield from _taken(argument)
    else:
        yield operand


def _matchable(operand: Operand) -> int:
    """Return how many fields, texts and patterns the left side of =~ has."""
    match operand:
        case Items(values):
            return sum(isinstance(part, Text) for value in values for part in _within(value))
        case Call(_, arguments):
            return sum(_matchable(argument) for argument in arguments)
        case Number():
            return 0
        case _:
            return 1


def _compared(operator: str, left: Operand, right: Operand, line: int) -> Iterator[Refusal]:
    for side, operand in (("left", left), ("right", right)):
        parts = compared(operand)
        for part in parts:
            if isinstance(part, Number):
                yield from _number(part)
        if not parts:
            what = "a pattern, which only =~ and !~ take" if isinstance(operand, Pattern) else "nothing to compare"
            yield Refusal(line, f"{side} of {operator} stands {what}")
        elif side == "left" and len(parts) > 1:
            yield Refusal(line, f"left of {operator} stands a list; one can stand right of in")


def _operand(operand: Operand) -> Iterator[Refusal]:
    match operand:
        case Number():
            yield from _number(operand)
        case Items():
            yield from _value(operand)
        case Pattern():
            yield from _pattern(operand)
        case Parentheses() | Call() | Field() | Text():
            pass


def _pattern(pattern: Pattern | Text) -> Iterator[Refusal]:
    why = flaw(pattern.raw)
    if why is not None:
        yield Refusal(pattern.line, f"/{pattern.raw[:40]}/ is no regular expression: {why}")
