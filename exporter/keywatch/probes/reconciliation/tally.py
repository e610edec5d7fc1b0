"""How many events Keycloak counted since keywatch began: its nodes' counters joined, over restarts and absences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

# Two readings of one process give its start to the millisecond; another process started later than this.
_SAME_PROCESS = 1.0


class CountKey(NamedTuple):
    """What is counted: events of one realm (its name), type and outcome."""

    realm: str
    event: str
    outcome: str


@dataclass(slots=True)
class _Node:
    started: float
    last: dict[CountKey, float] = field(default_factory=dict)
    left_out: bool = False


class KeycloakTally:
    """The counts of all nodes of one Keycloak, from 0 on when keywatch first saw them."""

    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}
        self._began: float | None = None
        self.counted: dict[CountKey, int] = {}
        """Events counted since the beginning."""

    def record(self, node: str, started: float, now: float, counts: Mapping[CountKey, float]) -> None:
        """Record what a node's counters say; `started` and `now` are its own Unix time.

        A process that is older than keywatch's watching counts from what it says first; a younger one from 0.
        """
        if self._began is None:
            self._began = now
        known = self._nodes.get(node)
        if known is None or abs(known.started - started) > _SAME_PROCESS:
            known = self._nodes[node] = _Node(started)
            known.left_out = started <= self._began
        for kind, value in counts.items():
            before = known.last.get(kind, 0.0)
            grown = value - before if value >= before else value
            self.counted[kind] = self.counted.get(kind, 0) + (0 if known.left_out else round(grown))
        known.last = dict(counts)
        known.left_out = False

    def leave_out(self, node: str) -> None:
        """Go on without a node that cannot be read; should it come back, what it counted meanwhile is passed over."""
        if node in self._nodes:
            self._nodes[node].left_out = True
