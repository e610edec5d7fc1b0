"""What `keywatch listener check` found, as a table for people or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from keywatch.cli import tables
from keywatch.cli.out import say_json
from keywatch.cli.report_table import cell
from keywatch.provider.finding import Severity
from keywatch.surfaces import terminal

if TYPE_CHECKING:
    from keywatch.provider.jar_check import Report

_COLOURS = {Severity.BROKEN: "red", Severity.WARNING: "yellow", Severity.NOTE: "dim"}


def show(report: Report, *, as_json: bool) -> None:
    """Print a report on standard output."""
    if as_json:
        say_json(report.as_data(), 2)
        return
    count = {severity: sum(one.severity is severity for one in report.findings) for severity in Severity}
    verdict = "good" if report.good else "BROKEN"
    words = f"{report.jar}: {verdict}; {count[Severity.BROKEN]} broken, {count[Severity.WARNING]} warnings"
    tables.show(Text(terminal(words), "green" if report.good else "red"))
    about = Table(show_header=False, box=None)
    about.add_column(no_wrap=True)
    about.add_column(overflow="fold")
    for name, value in _about(report):
        about.add_row(cell(name), cell(value))
    tables.show(about)
    table = Table()
    for heading in ("", "check", "found"):
        table.add_column(heading, overflow="fold")
    for one in report.findings:
        table.add_row(Text(one.severity, _COLOURS[one.severity]), cell(one.subject), cell(one.words))
    tables.show(table)


def _about(report: Report) -> list[tuple[str, str]]:
    providers = ", ".join(f"{one.id or '?'} ({one.name})" for one in report.providers) or "none"
    signers = ", ".join(one.subject for one in report.signed.signers) or "nobody"
    rows = [
        ("provider", providers),
        ("sha256", report.sha256),
        ("signed by", signers),
        ("checked with", ", ".join(part for part in (report.keycloak, report.java) if part)),
    ]
    if report.listener is not None:
        rows.insert(1, ("listener", report.listener.listener))
    return rows
