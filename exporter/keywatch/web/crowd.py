"""Who is connected, and who has to make room when there is none left."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from enum import Enum, auto
from typing import Protocol

from keywatch.web.limits import Limits, Refusal
from keywatch.web.throttle import neighbourhood


class Stage(Enum):
    """What a connection is at."""

    HANDSHAKE = auto()
    READING = auto()
    """A request is awaited or has begun to come."""
    CHECKING = auto()
    """It is being found out whether the request is allowed."""
    ANSWERING = auto()
    IDLE = auto()
    """Between two requests."""


_WAITING = frozenset({Stage.HANDSHAKE, Stage.READING, Stage.IDLE})


class Visitor(Protocol):
    """A connection, as far as it matters here."""

    address: str
    """Where it comes from."""
    stage: Stage
    since: float
    """When the stage began, on the monotonic clock."""
    trusted: bool
    """Whether a request of it was allowed once."""

    def end(self, refusal: Refusal) -> None:
        """End the connection at once."""


class Crowd:
    """All visitors. When it is full, the one goes who waits longest among those of the address with the most.

    So nobody who holds many connections without using them keeps others out, and who was let in before stays longer
    than who was not.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self.clock = clock
        self._inside: set[Visitor] = set()

    def __len__(self) -> int:
        """Count the visitors."""
        return len(self._inside)

    def enter(self, visitor: Visitor) -> bool:
        """Let somebody in; False when there is no room and none to be made."""
        if len(self._inside) >= self.limits.connections and not self.make_room():
            return False
        self._inside.add(visitor)
        return True

    def leave(self, visitor: Visitor) -> None:
        """Drop somebody whose connection ended."""
        self._inside.discard(visitor)

    def make_room(self) -> bool:
        """End the connection of somebody who waits; False when nobody does."""
        return self._part_with((v for v in self._inside if v.stage in _WAITING), Refusal.CROWDED)

    def may_be_answered(self) -> bool:
        """Return whether there is a place for another answer, if need be by ending one that is not being taken."""
        answered = [visitor for visitor in self._inside if visitor.stage is Stage.ANSWERING]
        if len(answered) < self.limits.answers:
            return True
        before = self.clock() - self.limits.patience
        return self._part_with((visitor for visitor in answered if visitor.since < before), Refusal.SLOW_READER)

    def _part_with(self, candidates: Iterable[Visitor], refusal: Refusal) -> bool:
        shares = Counter(neighbourhood(visitor.address) for visitor in self._inside)
        found = max(
            candidates,
            key=lambda visitor: (not visitor.trusted, shares[neighbourhood(visitor.address)], -visitor.since),
            default=None,
        )
        if found is None:
            return False
        self._inside.discard(found)
        found.end(refusal)
        return True
