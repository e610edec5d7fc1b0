"""The series of one listener's events: what came since the last look, and what counts of it for ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from keywatch.engine.distribution import Distribution
from keywatch.engine.probe import Sample
from keywatch.engine.series import Labels, Observations
from keywatch.listeners.profile import MalformedReason, Outcome
from keywatch.metrics.events import (
    EVENT_ARRIVAL_DELAY_SECONDS,
    EVENT_DELIVERY_DELAY_SECONDS,
    EVENT_LAST_TIMESTAMP_SECONDS,
    EVENTS_BYTES_TOTAL,
    EVENTS_CLOCK_SKEWED_TOTAL,
    EVENTS_DUPLICATED_TOTAL,
    EVENTS_KEY_UNEXPECTED_TOTAL,
    EVENTS_MALFORMED_TOTAL,
    EVENTS_RECEIVED_TOTAL,
    EVENTS_SKIPPED_RECORDS_TOTAL,
)
from keywatch.metrics.metric import Metric
from keywatch.probes.events.digest import EventTally
from keywatch.probes.events.realms import Realms

_PLAIN = (
    EVENTS_CLOCK_SKEWED_TOTAL,
    EVENTS_DUPLICATED_TOTAL,
    EVENTS_KEY_UNEXPECTED_TOTAL,
    EVENTS_BYTES_TOTAL,
    EVENTS_SKIPPED_RECORDS_TOTAL,
)
_DELAYS = (EVENT_DELIVERY_DELAY_SECONDS, EVENT_ARRIVAL_DELAY_SECONDS)
# Realms by id are bounded where their labels are; this bounds the moments kept of those that share a label.
_MOMENTS_KEPT = 10_000


class EventSeries:
    """Sums tallies up into series; what can be named beforehand stands there at 0 from the beginning."""

    def __init__(self, cluster: str, listener: str, realms: Realms) -> None:
        self._labels: Labels = (cluster, listener)
        self._realms = realms
        self._greeted: set[str] = set()
        self._last: dict[str, float] = {}
        self._counts: Counter[tuple[Metric, Labels]] = Counter()
        self._notes: dict[tuple[Metric, Labels], str] = {}
        self._delays: list[Distribution] = []
        self._begin()
        for metric in _PLAIN:
            self._counts[metric, self._labels] = 0
        for reason in MalformedReason:
            self._counts[EVENTS_MALFORMED_TOTAL, (*self._labels, reason)] = 0
        for realm in realms.labels:
            self._greet(realm)

    def add(self, tally: EventTally) -> None:
        """Count a batch; the realms must know the names that came with it."""
        for (realm_id, event, outcome), count in tally.received.items():
            realm = self._realms.label(realm_id)
            self._greet(realm)
            self._counts[EVENTS_RECEIVED_TOTAL, (*self._labels, realm, event, outcome)] += count
        for realm_id, moment in tally.last.items():
            if moment > self._last.get(realm_id, 0.0) and (realm_id in self._last or len(self._last) < _MOMENTS_KEPT):
                self._last[realm_id] = moment
        for reason, count in tally.malformed.items():
            self._counts[EVENTS_MALFORMED_TOTAL, (*self._labels, reason)] += count
            if place := tally.malformed_at.get(reason):
                self._notes[EVENTS_MALFORMED_TOTAL, (*self._labels, reason)] = f"the newest: {place}"
        self._counts[EVENTS_CLOCK_SKEWED_TOTAL, self._labels] += tally.skewed
        self._counts[EVENTS_DUPLICATED_TOTAL, self._labels] += tally.duplicated
        self._counts[EVENTS_KEY_UNEXPECTED_TOTAL, self._labels] += tally.key_unexpected
        self._counts[EVENTS_BYTES_TOTAL, self._labels] += tally.size
        for mine, theirs in zip(self._delays, (tally.delivery, tally.arrival), strict=True):
            mine.add(theirs)

    def skip(self, records: int) -> None:
        """Count records that were deleted before they were read."""
        self._counts[EVENTS_SKIPPED_RECORDS_TOTAL, self._labels] += records

    def drain(self) -> tuple[list[Sample], list[Observations]]:
        """Return what came since the last call, and when the last event of each realm happened."""
        notes = self._notes
        samples = [Sample(*key, float(count), notes.get(key)) for key, count in self._counts.items()]
        samples += self._moments()
        delays = [(metric, self._labels, found) for metric, found in zip(_DELAYS, self._delays, strict=True)]
        self._begin()
        return samples, delays

    def _begin(self) -> None:
        self._counts = Counter()
        self._notes = {}
        self._delays = [Distribution.of(metric) for metric in _DELAYS]

    def _greet(self, realm: str) -> None:
        """Let a realm's logins stand at 0 before the first one: what comes into being at 1 has not risen."""
        if realm not in self._greeted:
            self._greeted.add(realm)
            for outcome in (Outcome.SUCCESS, Outcome.ERROR):
                self._counts[EVENTS_RECEIVED_TOTAL, (*self._labels, realm, "login", outcome)] += 0

    def _moments(self) -> Iterator[Sample]:
        newest: dict[str, float] = {}
        for realm_id, moment in self._last.items():
            realm = self._realms.label(realm_id)
            newest[realm] = max(moment, newest.get(realm, 0.0))
        for realm, moment in newest.items():
            yield Sample(EVENT_LAST_TIMESTAMP_SECONDS, (*self._labels, realm), moment)
