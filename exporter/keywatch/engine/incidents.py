"""What is wrong now and since when: opens and closes incidents from noted samples, one log line per change."""

from __future__ import annotations

import heapq
import logging
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import chain, islice

from keywatch.engine.probe import Sample
from keywatch.engine.series import Labels, SeriesSet, shown
from keywatch.engine.slices import Pieces, at_once
from keywatch.engine.store import Key
from keywatch.metrics.metric import Metric
from keywatch.names import cut

_LOG = logging.getLogger(__name__)
# A dead coordinator may hold a thousand groups: that is one event for a reader, not a thousand lines.
_LINES_PER_FRAME = 10
_PER_PIECE = 500


@dataclass(slots=True)
class Incident:
    """One thing that is wrong: the metric that says so, its labels, since when (Unix time) and why."""

    metric: Metric
    labels: Labels
    since: float
    note: str
    value: float

    @property
    def reason(self) -> str:
        """The words before the first colon, which stay the same while the figures behind it change."""
        return self.note.partition(":")[0] if ":" in self.note else ""

    @property
    def where(self) -> str:
        """The object as `label=value` pairs."""
        return " ".join(f"{name}={value}" for name, value in shown(self.metric, self.labels).items())


class Incidents:
    """The incidents that are open, per probe."""

    def __init__(self) -> None:
        self._open: dict[Key, dict[tuple[Metric, Labels], Incident]] = {}

    def observe(self, key: Key, samples: Collection[Sample], now: float, *, partial: bool = False) -> None:
        """Compare a probe's samples with what was wrong before; `now` in Unix time.

        After a failed run they are `partial`: of a metric that was not told anew nobody knows that it is well again.
        """
        at_once(self.observing(key, samples, now, partial=partial))

    def observing(self, key: Key, samples: Collection[Sample], now: float, *, partial: bool = False) -> Pieces[None]:
        """Do as `observe` does in pieces; what is cut short has changed nothing."""
        before = self._open.get(key, {})
        after: dict[tuple[Metric, Labels], Incident] = {}
        if partial:
            told = samples.metrics() if isinstance(samples, SeriesSet) else {sample.metric for sample in samples}
            after = {identity: incident for identity, incident in before.items() if incident.metric not in told}
        opened: list[Incident] = []
        noted = samples.noted() if isinstance(samples, SeriesSet) else samples
        for count, (metric, labels, value, note) in enumerate(noted, 1):
            if note is None:
                continue
            known = before.get((metric, labels))
            incident = Incident(metric, labels, known.since if known else now, cut(note), value)
            after[(metric, labels)] = incident
            if known is None or known.reason != incident.reason:
                opened.append(incident)
            if count % _PER_PIECE == 0:
                yield
        closed = [incident for identity, incident in before.items() if identity not in after]
        self._open[key] = after
        _report(opened, closed, now)
        yield

    def foremost(self, most: int, rank: Callable[[Metric], int]) -> Pieces[list[Incident]]:
        """Return, in pieces, the `most` incidents that come first: by the rank of their metric, then by age."""
        found: list[Incident] = []
        for one in list(self._open.values()):  # which are replaced, never changed
            incidents = iter(one.values())
            while some := list(islice(incidents, _PER_PIECE)):
                found = heapq.nsmallest(most, chain(found, some), key=lambda i: (rank(i.metric), i.since))
                yield
        return found

    def __len__(self) -> int:
        """Return how many things are wrong now."""
        return sum(map(len, self._open.values()))

    def drop(self, key: Key) -> None:
        """Drop a probe that was taken out of service."""
        self._open.pop(key, None)

    def __iter__(self) -> Iterator[Incident]:
        """Return what is wrong now, the oldest first."""
        yield from sorted((i for found in self._open.values() for i in found.values()), key=lambda i: i.since)


def _report(opened: list[Incident], closed: list[Incident], now: float) -> None:
    for incident in opened[:_LINES_PER_FRAME]:
        _LOG.warning("%s: %s", incident.where, incident.note, extra=_fields(incident))
    for incident in closed[:_LINES_PER_FRAME]:
        after = now - incident.since
        _LOG.info("%s: over after %.1f s: %s", incident.where, after, incident.note, extra=_fields(incident))
    for level, verb, incidents in (
        (logging.WARNING, "went wrong", opened),
        (logging.INFO, "are well again", closed),
    ):
        if len(incidents) > _LINES_PER_FRAME:
            _LOG.log(level, "%d more of %s %s", len(incidents) - _LINES_PER_FRAME, incidents[0].metric, verb)


def _fields(incident: Incident) -> dict[str, object]:
    labels = shown(incident.metric, incident.labels)
    return {"keywatch": {"metric": incident.metric.name, "value": incident.value, "labels": labels}}
