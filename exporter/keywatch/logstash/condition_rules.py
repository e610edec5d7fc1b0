"""Rules for conditions that the grammar lets through and that mean something else, or do not compile."""

from __future__ import annotations

from collections.abc import Iterator

from keywatch.logstash.finding import LintFinding
from keywatch.logstash.tree import Call, Chain, Comparison, Condition, Field, Holds, Operand, PipelineFile


def problems(config: PipelineFile) -> Iterator[LintFinding]:
    """Say which conditions do not do what they seem to."""
    for condition in config.conditions():
        yield from _problems(condition)


def _problems(condition: Condition) -> Iterator[LintFinding]:
    match condition:
        case Holds(operand, line):
            yield from _operand(operand)
            if not isinstance(operand, Field | Call):
                yield LintFinding(line, "condition-value", "a value alone is no condition; compare it, or name a field")
        case Comparison(operator, left, right, line):
            yield from _operand(left)
            yield from _operand(right)
            if operator in {"=~", "!~"} and not isinstance(left, Field):
                yield LintFinding(line, "condition-pattern", f"left of {operator} only a field may stand")
        case Chain(_, operators, line):
            if len(set(operators)) > 1:
                yield LintFinding(
                    line, "condition-mixed", "Logstash does not always join and before or; use parentheses"
                )
            for operator in sorted({"xor", "nand"} & set(operators)):
                yield LintFinding(
                    line, "condition-operator", f"{operator} compiles only where it stands alone; say it otherwise"
                )


def _operand(operand: Operand) -> Iterator[LintFinding]:
    if isinstance(operand, Field) and ('"' in operand.reference or "'" in operand.reference):
        yield LintFinding(
            operand.line,
            "condition-list",
            f"{operand.reference} is a field of that name; a list needs commas, so two entries at least",
        )
    if isinstance(operand, Call):
        yield LintFinding(
            operand.line, "condition-call", f"{operand.name}(…): Logstash reads calls but cannot run them"
        )
