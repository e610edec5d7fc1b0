"""Counts a batch of records, on any one thread: which events they are, how late, what is malformed or came twice."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from keywatch.engine.distribution import Distribution
from keywatch.kafka.records.record import Moment, Record
from keywatch.listeners.marked_event import KEY
from keywatch.listeners.profile import Event, Malformed, MalformedReason, Outcome
from keywatch.metrics.events import EVENT_ARRIVAL_DELAY_SECONDS, EVENT_DELIVERY_DELAY_SECONDS
from keywatch.probes.events.seen import SeenEvent

_WINDOW = 50_000

Parse = Callable[[str, bytes | None, bytes | None], Event | Malformed]


@dataclass(slots=True)
class EventTally:
    """What a batch holds; realms by id."""

    received: Counter[tuple[str, str, Outcome]] = field(default_factory=Counter)
    names: dict[str, str] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)
    malformed: Counter[MalformedReason] = field(default_factory=Counter)
    malformed_at: dict[MalformedReason, str] = field(default_factory=dict)
    """Where the newest of each kind lies, in words."""
    duplicated: int = 0
    skewed: int = 0
    key_unexpected: int = 0
    size: int = 0
    delivery: Distribution = field(default_factory=lambda: Distribution.of(EVENT_DELIVERY_DELAY_SECONDS))
    arrival: Distribution = field(default_factory=lambda: Distribution.of(EVENT_ARRIVAL_DELAY_SECONDS))
    seen: list[SeenEvent] = field(default_factory=list)


class Digest:
    """Counts batch after batch; remembers the ids of the last `window` events."""

    def __init__(self, parse: Parse, window: int = _WINDOW) -> None:
        self._parse = parse
        self._window = window
        # Not a dict alone: to find its oldest key it walks over all that were deleted before.
        self._ids: set[str] = set()
        self._order: deque[str] = deque()

    def batch(self, records: Iterable[Record], now: Moment, *, on_time: bool, wanted: bool) -> EventTally:
        """Count the records read at `now`.

        `on_time` tells that they were read when they came, so that their arrival means something; `wanted` that each
        event is wanted in `seen`.
        """
        tally = EventTally()
        for topic, key, value, timestamp, partition, offset in records:
            if key == KEY:
                continue  # an event of keywatch's own, which proves the way of logs and is nobody's
            tally.size += len(key or b"") + len(value or b"")
            found = self._parse(topic, key, value)
            if isinstance(found, Malformed):
                tally.malformed[found.reason] += 1
                tally.malformed_at[found.reason] = f"topic {topic}, partition {partition}, offset {offset}"
            elif found.event_id is not None and self._known(found.event_id):
                tally.duplicated += 1
            else:
                self._count(tally, found)
                self._time(tally, found, timestamp, now.wall if on_time else None)
                happened = min(found.time, now.wall)  # or a wrong clock would hide that nothing comes any more
                if happened > tally.last.get(found.realm_id, 0.0):
                    tally.last[found.realm_id] = happened
                if wanted:
                    tally.seen.append(_seen(found, now.monotonic))
        return tally

    def _known(self, event_id: str) -> bool:
        if event_id in self._ids:
            return True
        self._ids.add(event_id)
        self._order.append(event_id)
        if len(self._order) > self._window:
            self._ids.remove(self._order.popleft())
        return False

    @staticmethod
    def _count(tally: EventTally, event: Event) -> None:
        tally.received[event.realm_id, event.event, event.outcome] += 1
        if event.realm_name is not None:
            tally.names[event.realm_id] = event.realm_name
        if not event.key_fits:
            tally.key_unexpected += 1

    @staticmethod
    def _time(tally: EventTally, event: Event, written: float | None, read: float | None) -> None:
        skewed = False
        if written is not None:
            skewed = written < event.time
            tally.delivery.observe(EVENT_DELIVERY_DELAY_SECONDS, max(written - event.time, 0.0))
        if read is not None:
            skewed = skewed or read < event.time
            tally.arrival.observe(EVENT_ARRIVAL_DELAY_SECONDS, max(read - event.time, 0.0))
        tally.skewed += skewed


def _seen(event: Event, arrived: float) -> SeenEvent:
    return SeenEvent(event.realm_id, event.realm_name, event.event, event.outcome, event.kind, event.time, arrived)
