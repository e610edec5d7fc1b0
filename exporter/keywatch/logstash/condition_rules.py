"""Rules for conditions that Logstash compiles and that mean something else than they seem to."""

from __future__ import annotations

from collections.abc import Iterator

from keywatch.logstash.compiling import compared
from keywatch.logstash.finding import LintFinding
from keywatch.logstash.tree import (
    Call,
    Chain,
    Comparison,
    Condition,
    Field,
    Holds,
    Items,
    Number,
    Operand,
    Pattern,
    PipelineFile,
    Text,
)


def problems(config: PipelineFile) -> Iterator[LintFinding]:
    """Say which conditions do not do what they seem to."""
    for condition in config.conditions():
        yield from _problems(condition)


def _problems(condition: Condition) -> Iterator[LintFinding]:
    match condition:
        case Holds(operand, line):
            yield from _operand(operand)
            if not isinstance(operand, Field | Call):
                yield LintFinding(
                    line,
                    "condition-value",
                    "a value alone never changes; beside and, or Logstash does not start",
                )
        case Comparison(operator, left, right, line):
            yield from _operand(left)
            yield from _operand(right)
            yield from _compared(operator, left, right, line)
        case Chain(_, operators, line) if len(set(operators)) > 1:
            yield LintFinding(line, "condition-mixed", "Logstash does not always join and before or; use parentheses")


def _compared(operator: str, left: Operand, right: Operand, line: int) -> Iterator[LintFinding]:
    if operator in {"in", "not in"}:
        if isinstance(right, Pattern) or isinstance(left, Pattern):
            yield LintFinding(line, "condition-pattern", f"{operator} takes a pattern for a text; =~ does not")
        return
    if operator in {"=~", "!~"}:
        if _fixed(left) and _fixed(right):
            yield LintFinding(line, "condition-pattern", f"left of {operator} stands no field: it never changes")
        return
    if isinstance(right, Items) and len(compared(right)) > 1:
        yield LintFinding(
            line, "condition-part", f"{operator} compares with the first of the list only; in asks for any of it"
        )


def _fixed(operand: Operand) -> bool:
    return isinstance(operand, Text | Number | Pattern | Items) and "${" not in getattr(operand, "raw", "")


def _operand(operand: Operand) -> Iterator[LintFinding]:
    if isinstance(operand, Field) and ('"' in operand.reference or "'" in operand.reference):
        yield LintFinding(
            operand.line,
            "condition-list",
            f"{operand.reference} is a field of that name; a list needs commas, so two entries at least",
        )
    if isinstance(operand, Call):
        yield LintFinding(
            operand.line, "condition-call", f"{operand.name}(…): Logstash knows no calls, and takes a part of it only"
        )
