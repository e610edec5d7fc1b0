"""What a rule found wrong, and in which line."""

from __future__ import annotations

from typing import NamedTuple


class LintFinding(NamedTuple):
    """A line, the name of the rule that it breaks, and words about it."""

    line: int
    rule: str
    problem: str
