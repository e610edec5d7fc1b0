"""What people are told of a probe beside its series: what it needs, which rights it lacks when, and why it may fail."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

from keywatch.engine.probe import Reason

ANY_PROBE: Final = frozenset({Reason.STUCK, Reason.INTERNAL})
"""Why the run of any probe may fail, whatever it asks."""


class Right(NamedTuple):
    """A right that somebody has to be given, and what is missing without it."""

    right: object
    """Text, or what says in words which it is."""
    without: str


@dataclass(frozen=True, slots=True)
class About:
    """What stands on the page of a probe, in Markdown that says "probe `name`" of another one.

    `needs` is a list. `reasons` are all that its series, the log and the page for people may name, but for those of
    `ANY_PROBE`. `guides` are files of docs/guides.
    """

    needs: str
    reasons: frozenset[Reason]
    rights: tuple[Right, ...] = ()
    guides: tuple[str, ...] = ()

    @property
    def all_reasons(self) -> Iterable[Reason]:
        """All reasons, in the order of their declaration."""
        return [reason for reason in Reason if reason in self.reasons | ANY_PROBE]
