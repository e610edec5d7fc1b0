"""Which cluster is meant, and who was found at the addresses of its brokers instead."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

# Kafka's own ids are 22 letters of base64; what else a stranger calls itself is not shown.
_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")


class Claim(NamedTuple):
    """Who should answer at an address; which broker only where that is known and no other lives there too."""

    label: str
    broker: int | None


class Membership:
    """The id of the cluster that is watched, held from the first answer on, and strangers found at its addresses."""

    def __init__(self, cluster_id: str = "", *, check_brokers: bool = True) -> None:
        self.cluster_id = cluster_id
        """The id that is meant; empty until somebody answered."""
        self.strangers: Mapping[str, str] = {}
        """The label of each address at which another cluster answered last → that cluster's id."""
        self.generation = 0
        """Counts how often the first stranger came or the last one went."""
        self._configured = bool(cluster_id)
        self.check_brokers = check_brokers
        """Whether brokers must prove their ids."""
        self.without_right: dict[str, float] = {}
        """The label of each broker whose settings may not be asked for → when that was last tried (monotonic)."""

    @property
    def replaced(self) -> bool:
        """Whether another cluster answers where the one that was met first was, and nobody said which one is meant."""
        return bool(self.strangers) and not self._configured

    @property
    def doubt(self) -> str:
        """Why a client that goes where metadata leads may end up in another cluster; empty while it cannot."""
        met = next(iter(self.strangers.items()), None)
        return f"cluster {met[1]} answers at an address of broker {met[0]}" if met is not None else ""

    def met(self, label: str, cluster_id: str) -> None:
        """Record that another cluster answers at an address."""
        self._settle({**self.strangers, label: told(cluster_id)})

    def cleared(self, label: str) -> None:
        """Record that no other cluster answers at an address any more, or that nobody will ask there again."""
        if label in self.strangers:
            self._settle({one: found for one, found in self.strangers.items() if one != label})

    def _settle(self, strangers: Mapping[str, str]) -> None:
        self.generation += bool(strangers) is not bool(self.strangers)
        self.strangers = strangers

    def admits(self, cluster_id: str) -> bool:
        """Return whether an answer of this cluster is one of the cluster that is meant; the first one decides."""
        if not self.cluster_id:
            self.cluster_id = told(cluster_id)
        # Before Kafka 0.10.1 clusters had no id.
        return not cluster_id or told(cluster_id) == self.cluster_id


def told(cluster_id: str) -> str:
    """Return a cluster's id as it may be shown; nobody but a stranger has one of another form."""
    return cluster_id if not cluster_id or _ID.fullmatch(cluster_id) else "(not an id)"
