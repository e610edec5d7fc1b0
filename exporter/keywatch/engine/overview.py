"""What is wrong at a glance: the things that stand for themselves, causes first, each with what follows from it."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from keywatch.engine.causes import Causes
from keywatch.engine.incident import Incident
from keywatch.engine.series import Labels
from keywatch.metrics.metric import Metric

CAUSES_FIRST: Final = (
    "cluster", "broker", "keycloak", "topics", "canary", "reconciliation", "events", "dlq", "groups", "offsets",
    "logstash", "elasticsearch", "log_lag",
)  # fmt: skip
_RANKS = {name: rank for rank, name in enumerate(CAUSES_FIRST)}


@dataclass(slots=True)
class Followers:
    """What follows from one thing: how many, and the first of them."""

    count: int = 0
    first: list[Incident] = field(default_factory=list)


@dataclass(slots=True)
class Overview:
    """How many things stand for themselves, the first of them, and what follows from each cause."""

    things: int = 0
    following: int = 0
    first: list[Incident] = field(default_factory=list)
    followers: dict[tuple[Metric, Labels], Followers] = field(default_factory=dict)

    def add(self, incidents: Sequence[Incident], causes: Causes, most: int) -> None:
        """Sort some more of them in; of each kind the `most` that come first are kept."""
        own: list[Incident] = []
        for incident in incidents:
            cause = causes.of(incident)
            if cause is None:
                own.append(incident)
                continue
            # A cause that itself follows from another hands on what follows from it.
            cause = causes.of(cause) or cause
            followers = self.followers.setdefault((cause.metric, cause.labels), Followers())
            followers.count += 1
            self.following += 1
            if len(followers.first) < most:
                followers.first.append(incident)
        self.things += len(own)
        self.first = heapq.nsmallest(most, (*self.first, *own), key=_order)

    def follow(self, incident: Incident) -> Followers:
        """Return what follows from one of the `first`."""
        found = self.followers.get((incident.metric, incident.labels), Followers())
        return Followers(found.count, sorted(found.first, key=_order))

    @property
    def words(self) -> str:
        """Say in a sentence how much is wrong."""
        return sentence(self.things, self.following)


def sentence(things: int, following: int) -> str:
    """Say how many things are wrong, and how many more follow from them."""
    if not things:
        return "Nothing is wrong."
    wrong = "1 thing is wrong" if things == 1 else f"{things} things are wrong"
    if not following:
        return f"{wrong}."
    follow, them = "follows" if following == 1 else "follow", "it" if things == 1 else "them"
    return f"{wrong}, {following} {follow} from {them}."


def _order(incident: Incident) -> tuple[int, float, str]:
    return _RANKS.get(incident.metric.probe, len(_RANKS)), incident.since, incident.where
