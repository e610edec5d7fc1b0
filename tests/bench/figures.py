"""What a benchmark found: one row of the table in docs/benchmarks.md."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured thing: what, the goal, what was measured, whether the goal is met, and what peers need."""

    what: str
    goal: str
    measured: str
    met: bool
    peers: str = ""


def spread(values: Sequence[float], unit: str = "s", digits: int = 2) -> str:
    """Write minimum, median and maximum."""
    low, middle, high = min(values), statistics.median(values), max(values)
    return f"{low:.{digits}f} / {middle:.{digits}f} / {high:.{digits}f} {unit}"


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` (0 to 1) of the values do not exceed, by the nearest rank."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def table(figures: Sequence[Figure]) -> str:
    """Write the rows as a Markdown table."""
    lines = ["| what | goal | measured | met | peers, measured |", "|---|---|---|---|---|"]
    lines += [f"| {f.what} | {f.goal} | {f.measured} | {'yes' if f.met else '**no**'} | {f.peers} |" for f in figures]
    return "\n".join(lines)
