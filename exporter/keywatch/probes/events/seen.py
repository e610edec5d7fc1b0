"""Hands on what the tail of the event topics read, to whoever compares it with another truth."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from keywatch.listeners.profile import EventKind, Outcome
from keywatch.probes.events.realms import Realms


class SeenEvent(NamedTuple):
    """An event that arrived, once; `time` is the event's own in Unix time, `arrived` is monotonic, in seconds."""

    realm_id: str
    realm_name: str | None
    event: str
    outcome: Outcome
    kind: EventKind
    time: float
    arrived: float


class EventsSeen:
    """The events of one listener as they arrive, and how far they are complete; lives on the event loop.

    `on_batch(call)` has `call` called with a sequence of `SeenEvent` some milliseconds after they were read, at least
    ten times a second while events come; before the call, `realms` knows the realm names that came with them. Events
    from before keywatch began, malformed records and duplicates are not among them.

    The other members are renewed once a period, after the events that they speak of were handed over:

    - `caught_up`: whether every partition was read to the end that it had when this period began;
    - `since`: from which moment on (monotonic) that has been so; None while it is not;
    - `complete_until`: every record that Kafka had at this moment (monotonic) was handed over; None before the first
      time. It stands still while a partition cannot be read;
    - `unbroken_since`: all records since this moment (monotonic) were or will be handed over, also when late; it begins
      anew after a gap in which records were skipped or may have been; None before the first time;
    - `leaders_live`: whether the leaders of all partitions live, by what the broker probes see.
    """

    def __init__(self, listener: str, realms: Realms) -> None:
        self.listener = listener
        self.realms = realms
        self.caught_up = False
        self.since: float | None = None
        self.complete_until: float | None = None
        self.unbroken_since: float | None = None
        self.leaders_live = False
        self._calls: list[Callable[[Sequence[SeenEvent]], object]] = []

    @property
    def wanted(self) -> bool:
        """Whether anybody listens."""
        return bool(self._calls)

    def on_batch(self, call: Callable[[Sequence[SeenEvent]], object]) -> None:
        """Have `call` called with each batch of events from now on."""
        self._calls.append(call)

    def off_batch(self, call: Callable[[Sequence[SeenEvent]], object]) -> None:
        """Call `call` no more."""
        self._calls.remove(call)

    def hand_on(self, events: Sequence[SeenEvent]) -> None:
        """Call the listeners; for the tail's use."""
        for call in tuple(self._calls):
            call(events)

    def judge(self, looked: float, complete: float | None, *, caught_up: bool, leaders_live: bool) -> None:
        """Renew what is known of completeness. For the tail's use.

        `looked` is when the ends were read; `complete` the last such moment up to whose ends everything was handed
        over, None while some partition cannot be read.
        """
        self.leaders_live = leaders_live
        self.caught_up = caught_up
        self.since = (looked if self.since is None else self.since) if caught_up else None
        if complete is not None:
            self.complete_until = complete
            self.unbroken_since = complete if self.unbroken_since is None else self.unbroken_since

    def interrupt(self) -> None:
        """Record that records were skipped, or may have been. For the tail's use."""
        self.since = None
        self.unbroken_since = None
