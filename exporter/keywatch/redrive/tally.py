"""What a run did so far, counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from keywatch.redrive.refusal import Refusal


@dataclass(slots=True)
class Tally:
    """Counts of letters; a letter is counted once a run."""

    put: int = 0
    parked: int = 0
    refused: Counter[Refusal] = field(default_factory=Counter)
    not_meant: int = 0
    settled_before: int = 0
    moved: int = 0
    """Files that were only moved, as an earlier run had put their letters back."""
    batches: int = 0
    bytes: int = 0
    returned: int = 0
    """Letters of this run that died again while it went on."""
    destinations: Counter[str] = field(default_factory=Counter)
    stopped: str = ""
    """Why the run ended before the last letter; empty when it did not."""

    def add(self, other: Tally) -> None:
        """Add what a batch did."""
        self.put += other.put
        self.parked += other.parked
        self.refused += other.refused
        self.not_meant += other.not_meant
        self.settled_before += other.settled_before
        self.moved += other.moved
        self.bytes += other.bytes
        self.destinations += other.destinations

    @property
    def refusals(self) -> int:
        """How many letters were refused."""
        return sum(self.refused.values())

    def as_json(self) -> dict[str, Any]:
        """Return it for people's programs."""
        return {
            "replayed": self.put,
            "parked": self.parked,
            "refused": {str(reason): count for reason, count in sorted(self.refused.items())},
            "not_selected": self.not_meant,
            "settled_before": self.settled_before,
            "only_moved": self.moved,
            "died_again": self.returned,
            "batches": self.batches,
            "bytes": self.bytes,
            "destinations": dict(self.destinations.most_common()),
            "stopped": self.stopped or None,
        }
