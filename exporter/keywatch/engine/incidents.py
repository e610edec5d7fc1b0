"""What is wrong now and since when: opens and closes incidents from samples, and logs each change, causes first."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import chain, islice

from keywatch.engine.causes import Causes, explains
from keywatch.engine.incident import Incident
from keywatch.engine.incident_log import report
from keywatch.engine.judged import RecentRises, noted
from keywatch.engine.overview import Overview
from keywatch.engine.probe import Sample
from keywatch.engine.series import Labels, SeriesSet
from keywatch.engine.slices import Pieces, at_once
from keywatch.engine.store import Key
from keywatch.metrics.metric import Metric
from keywatch.metrics.trouble import COUNTERS
from keywatch.names import cut

_PER_PIECE = 500


class Incidents:
    """The incidents that are open, per probe."""

    def __init__(self) -> None:
        self._open: dict[Key, dict[tuple[Metric, Labels], Incident]] = {}
        self._rises: dict[Key, RecentRises] = {}
        self._causes: dict[Key, list[Incident]] = {}

    def observe(self, key: Key, samples: Collection[Sample], now: float, *, partial: bool = False) -> None:
        """Compare a probe's samples with what was wrong before; `now` in Unix time.

        After a failed run they are `partial`: of a metric that was not told anew nobody knows that it is well again.
        """
        at_once(self.observing(key, samples, now, partial=partial))

    def observing(self, key: Key, samples: Collection[Sample], now: float, *, partial: bool = False) -> Pieces[None]:
        """Do as `observe` does in pieces; of what is cut short nothing but the rise of counters is kept."""
        before = self._open.get(key, {})
        after: dict[tuple[Metric, Labels], Incident] = {}
        if partial:
            told = samples.metrics() if isinstance(samples, SeriesSet) else {sample.metric for sample in samples}
            told |= COUNTERS.keys()  # whose window goes on whatever a run brings
            after = {identity: incident for identity, incident in before.items() if incident.metric not in told}
        rises = self._rises.setdefault(key, RecentRises())
        changed: list[Incident] = []
        following = [incident for incident in after.values() if incident.follows]
        for count, (metric, labels, value, note) in enumerate(noted(samples, rises, now), 1):
            known = before.get((metric, labels))
            since, follows = (known.since, known.follows) if known else (now, "")
            incident = after[(metric, labels)] = Incident(metric, labels, since, cut(note or ""), value, follows)
            if known is None or known.reason != incident.reason:
                changed.append(incident)
            elif follows:
                following.append(incident)
            if count % _PER_PIECE == 0:
                yield
        closed = [incident for identity, incident in before.items() if identity not in after]
        yield
        self._open[key] = after
        self._causes[key] = [incident for incident in after.values() if explains(incident.metric)]
        left = yield from self._fold(changed, following)
        report(changed, left, closed, now)
        yield

    def _fold(self, changed: Sequence[Incident], following: Sequence[Incident]) -> Pieces[list[Incident]]:
        """Say of each what it follows from; returns those whose cause is over and that now stand for themselves."""
        causes, left = Causes(chain.from_iterable(self._causes.values())), []
        for count, incident in enumerate(chain(changed, following), 1):
            cause = causes.of(incident)
            if cause is None and incident.follows and count > len(changed):
                left.append(incident)
            incident.follows = cause.where if cause is not None else ""
            if count % _PER_PIECE == 0:
                yield
        return left

    def overview(self, most: int) -> Pieces[Overview]:
        """Return, in pieces, the `most` things that come first, with `most` of what follows from each."""
        causes = Causes(chain.from_iterable(self._causes.values()))
        found = Overview()
        for one in list(self._open.values()):  # which are replaced, never changed
            incidents = iter(one.values())
            while some := list(islice(incidents, _PER_PIECE)):
                found.add(some, causes, most)
                yield
        return found

    def count(self, key: Key) -> int:
        """Return how many things are wrong now by what one probe says."""
        return len(self._open.get(key, ()))

    def __len__(self) -> int:
        """Return how many things are wrong now."""
        return sum(map(len, self._open.values()))

    def drop(self, key: Key) -> None:
        """Drop a probe that was taken out of service."""
        for kept in (self._open, self._rises, self._causes):
            kept.pop(key, None)

    def __iter__(self) -> Iterator[Incident]:
        """Return what is wrong now, the oldest first."""
        yield from sorted((i for found in self._open.values() for i in found.values()), key=lambda i: i.since)
