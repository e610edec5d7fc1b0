"""What a check found about a jar: how bad it is, and a sentence with its reason."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from typing import Final, NamedTuple

_MOST_OF_A_KIND: Final = 12


class Severity(enum.StrEnum):
    """How bad a finding is."""

    BROKEN = "broken"
    """Keycloak does not start with the jar, or logins or the listener fail."""
    WARNING = "warning"
    """It works, and loses events or breaks under conditions that are told."""
    NOTE = "note"
    """Good to know."""


class Finding(NamedTuple):
    """One sentence of the report; `subject` is the check that found it."""

    severity: Severity
    subject: str
    words: str


def broken(subject: str, words: str) -> Finding:
    """Make a finding that keeps a jar from being installed."""
    return Finding(Severity.BROKEN, subject, words)


def warning(subject: str, words: str) -> Finding:
    """Make a finding of what goes wrong under conditions."""
    return Finding(Severity.WARNING, subject, words)


def note(subject: str, words: str) -> Finding:
    """Make a finding that is good to know."""
    return Finding(Severity.NOTE, subject, words)


def listed(names: Iterable[str], most: int = _MOST_OF_A_KIND) -> str:
    """Write names apart by commas, `most` of them, and how many more there are."""
    all_of_them = sorted(names)
    more = len(all_of_them) - most
    return ", ".join(all_of_them[:most]) + (f" and {more:,} more" if more > 0 else "")
