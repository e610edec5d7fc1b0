"""Makes of outcomes what docs/faults.md shows: a row for each fault, and how often each alert paged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from tests.bench.figures import percentile
from tests.faults.fault import Fault
from tests.faults.run import RESOLVED_WITHIN, Outcome


@dataclass(frozen=True)
class Row:
    """All runs of one fault."""

    fault: Fault
    outcomes: Sequence[Outcome]

    @property
    def alerts(self) -> list[str]:
        """Name the alerts that had to come, the main one first."""
        return list(dict.fromkeys(page.partition("{")[0] for outcome in self.outcomes for page in outcome.seconds))

    @property
    def missed(self) -> int:
        """Count the runs in which a page did not come, or not with the right labels and words."""
        return sum(outcome.slowest is None or bool(outcome.wrong) for outcome in self.outcomes)

    @property
    def false(self) -> int:
        """Count the pages that should not have come."""
        return sum(len(outcome.false) for outcome in self.outcomes)

    @property
    def cells(self) -> list[str]:
        """Return the row of the table."""
        came = [outcome.slowest for outcome in self.outcomes if outcome.slowest is not None]
        ended = [outcome.resolved for outcome in self.outcomes if outcome.resolved is not None]
        unresolved = sum(outcome.resolved is None or outcome.resolved > RESOLVED_WITHIN for outcome in self.outcomes)
        figures = [f"{of:.1f} s" for of in (median(came), percentile(came, 0.99), max(came))] if came else ["-"] * 3
        resolved = f"{median(ended):.1f} / {max(ended):.1f} s" if ended else "-"
        kept = not any(outcome.complaints for outcome in self.outcomes)
        return [
            self.fault.id,
            self.fault.title,
            ", ".join(f"`{alert}`" for alert in self.alerts),
            str(len(self.outcomes)),
            *figures,
            f"{resolved}{f', {unresolved} late' if unresolved else ''}",
            str(self.missed),
            str(self.false),
            "yes" if kept else "**no**",
        ]


_HEAD = ["", "fault", "pages", "runs", "median", "p99", "max", "resolved, median / max", "missed", "false", "kept"]


def rows(faults: Sequence[Fault], outcomes: Sequence[Outcome]) -> list[Row]:
    """Return a row for each fault that was made."""
    found = [Row(fault, [outcome for outcome in outcomes if outcome.fault == fault.id]) for fault in faults]
    return [row for row in found if row.outcomes]


def table(made: Sequence[Row]) -> str:
    """Return the rows as a table in Markdown."""
    lines = [_HEAD, ["---"] * len(_HEAD), *(row.cells for row in made)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def notes(faults: Sequence[Fault]) -> str:
    """Say from when seconds count where that is not the system call, and what cannot be made everywhere."""
    return "\n".join(f"- {fault.id}: {fault.clock}." for fault in faults if fault.clock)


def complaints(made: Sequence[Row]) -> str:
    """List what was not as promised."""
    found = [
        f"- {row.fault.id}, run {number}: {complaint}"
        for row in made
        for number, outcome in enumerate(row.outcomes, 1)
        for complaint in outcome.complaints
    ]
    return "\n".join(found) or "Nothing."


def matrix(made: Sequence[Row]) -> tuple[list[str], list[list[float]], list[list[bool]]]:
    """Return the alerts that paged, and by row and alert the share of runs in which it did and whether it may."""
    alerts = list(dict.fromkeys(alert for row in made for alert in row.alerts))
    alerts += sorted({a for row in made for o in row.outcomes for a in o.paged} - set(alerts))
    shares = [[sum(alert in o.paged for o in row.outcomes) / len(row.outcomes) for alert in alerts] for row in made]
    allowed = [[alert in row.alerts for alert in alerts] for row in made]
    return alerts, shares, allowed
