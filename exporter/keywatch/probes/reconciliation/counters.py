"""Reads of Keycloak's /metrics what reconciliation needs: its counter of user events, its clock, its requests."""

from __future__ import annotations

import time
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from keywatch.engine.probe import ProbeError, Reason
from keywatch.engine.slices import Pieces, at_once, in_slices
from keywatch.net.http_peer import HttpPeer
from keywatch.probes.reconciliation.exposition_text import (
    labels_of,
    lines_of,
    number_of,
    sample_of,
    shown,
    type_of,
)
from keywatch.probes.reconciliation.tally import is_count

_MOST_BYTES = 8 * 1024 * 1024
_MOST_SERIES = 100_000
# A label set that is longer is none of Keycloak's, whose columns for realms and errors hold 255 letters.
_LONGEST_LABELS = 16_384
_LONGEST_NAME = 255
_LINES_PER_PIECE = 100
_EVENTS = b"keycloak_user_events_total"
# OpenMetrics names the type of a counter without the end of its samples' name.
_FAMILIES = (_EVENTS, _EVENTS.removesuffix(b"_total"))
_COUNTERS = frozenset({"", "counter", "untyped", "unknown"})
_REQUESTS, _STARTED, _UPTIME = b"http_server_active_requests", b"process_start_time_seconds", b"process_uptime_seconds"
# Until the year 2100; what is beyond is no moment, or in another unit.
_LATEST = 4_102_444_800.0

EventSeries = tuple[str, ...]
"""A series of the counter: realm name, event, error (empty on success); further labels in a fourth place."""


@dataclass(frozen=True, slots=True)
class KeycloakCounts:
    """One reading of a node.

    `events` counts by series. `started` and `wall` are the process' start and the moment of reading by its own clock,
    in Unix seconds; `before` and `after` are keywatch's monotonic ones around it. `requests` are under way there, this
    reading among them; None when it does not say. What is there and is no count is not among `events`: `malformed`
    are the series of which that is known, `nameless` is whether there is more, and `trouble` says in words what it is.
    """

    events: Mapping[EventSeries, float]
    started: float
    wall: float
    before: float
    after: float
    requests: int | None
    malformed: AbstractSet[EventSeries] = frozenset()
    nameless: bool = False
    trouble: str = ""


class KeycloakMetrics:
    """Reads one node's page."""

    def __init__(self, peer: HttpPeer) -> None:
        self._peer = peer
        self._known: dict[bytes, EventSeries] = {}

    async def fetch(self, timeout: float) -> KeycloakCounts:
        """Read the page within `timeout` seconds; raises `ProbeError`."""
        before = time.monotonic()
        answer = await self._peer.get("metrics", timeout, _MOST_BYTES)
        after = time.monotonic()
        if answer.status == 404:
            words = "answers 404: Keycloak lacks metrics-enabled=true, or this is not its management interface"
            raise ProbeError(Reason.UNSUPPORTED, words)
        if answer.status != 200:
            raise ProbeError(Reason.PROTOCOL, f"/metrics answers with status {answer.status}")
        return await in_slices(reading_counts(answer.body, before, after, self._known))

    async def close(self) -> None:
        """Close the connections."""
        await self._peer.close()


def counts(page: bytes, before: float, after: float) -> KeycloakCounts:
    """Read a page in either text format; raises `ProbeError` for one without a process' clock.

    A sample that is no count costs itself alone.
    """
    return at_once(reading_counts(page, before, after, {}))


def reading_counts(page: bytes, before: float, after: float, known: dict[bytes, EventSeries]) -> Pieces[KeycloakCounts]:
    """Read a page in pieces, as `counts` does; `known` remembers label sets, so that they need not be read again."""
    started, uptime = _moment(page, _STARTED), _moment(page, _UPTIME)
    if started is None or uptime is None:
        raise ProbeError(Reason.PROTOCOL, "/metrics does not hold the metrics of a Keycloak")
    for family in _FAMILIES:
        if (kind := type_of(page, family)) not in _COUNTERS:
            raise ProbeError(Reason.PROTOCOL, f"keycloak_user_events_total is said to be a {shown(kind.encode())}")
    reading = _Reading(known)
    for number, line in enumerate(lines_of(page, _EVENTS)):
        reading.take(line)
        if len(reading.events) + len(reading.malformed) > _MOST_SERIES:
            raise ProbeError(Reason.PROTOCOL, f"keycloak_user_events_total has more than {_MOST_SERIES} series")
        if number % _LINES_PER_PIECE == 0:
            yield
    return KeycloakCounts(
        reading.events,
        started,
        started + uptime,
        before,
        after,
        _requests(page),
        reading.malformed,
        reading.nameless,
        reading.trouble,
    )


class _Reading:
    """The samples of one page, each looked at by itself."""

    def __init__(self, known: dict[bytes, EventSeries]) -> None:
        self._known = known
        self.events: dict[EventSeries, float] = {}
        self.malformed: set[EventSeries] = set()
        self.nameless = False
        self.trouble = ""

    def take(self, line: bytes) -> None:
        """Take a sample's line behind its name; one that is none is noted."""
        found = sample_of(line)
        series = self._series(found[0]) if found is not None else None
        if found is None or series is None:
            self.nameless = True
            self._note(line, "is no sample of Keycloak's")
            return
        value = number_of(found[1])
        if value is None or not is_count(value):
            self._refuse(series)
            self._note(line, "is no count")
        elif series in self.events or series in self.malformed:
            # Twice the same is told twice and counts once; of two that differ nobody knows which is true.
            if self.events.get(series) != value:
                self._refuse(series)
            self._note(line, "is there twice")
        else:
            self.events[series] = value

    def _series(self, text: bytes) -> EventSeries | None:
        known = self._known.get(text)
        if known is not None or len(text) > _LONGEST_LABELS:
            return known
        labels = labels_of(text)
        if labels is None or "event" not in labels or "realm" not in labels:
            return None
        named = labels.pop("realm"), labels.pop("event"), labels.pop("error", "")
        if any(len(name) > _LONGEST_NAME for name in named):
            return None
        # With more tags, such as the client, there are several series of each.
        series = (*named, repr(sorted(labels.items()))) if labels else named
        if len(self._known) >= 2 * _MOST_SERIES:
            self._known.clear()
        self._known[text] = series
        return series

    def _refuse(self, series: EventSeries) -> None:
        self.events.pop(series, None)
        self.malformed.add(series)

    def _note(self, line: bytes, words: str) -> None:
        self.trouble = self.trouble or f"keycloak_user_events_total{shown(line)} {words}"


def _requests(page: bytes) -> int | None:
    """Return how many requests are under way; None where that is not said, or by what is no number of requests."""
    found: list[float] = []
    for line in lines_of(page, _REQUESTS):
        value = _value(line)
        if value is None or not is_count(value):
            return None
        found.append(value)
    return round(sum(found)) if found else None


def _moment(page: bytes, name: bytes) -> float | None:
    value = next((_value(line) for line in lines_of(page, name)), None)
    return value if value is not None and 0 <= value <= _LATEST else None


def _value(line: bytes) -> float | None:
    found = sample_of(line)
    return number_of(found[1]) if found is not None else None
