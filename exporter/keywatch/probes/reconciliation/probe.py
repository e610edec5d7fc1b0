"""Did all events arrive that Keycloak counted? Its counters, read every second, against the tail of the topics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.engine.slices import Pieces, to_the_end
from keywatch.metrics.metric import Metric
from keywatch.metrics.reconciliation import (
    EVENTS_COUNTED_TOTAL,
    EVENTS_JUDGED_TIMESTAMP_SECONDS,
    EVENTS_LOST_TOTAL,
    EVENTS_MISSING,
    EVENTS_MISSING_LIMIT,
    EVENTS_UNCOUNTED_TOTAL,
    KEYCLOAK_CLOCK_SKEW_SECONDS,
)
from keywatch.probes.events.seen import EventsSeen, SeenEvent
from keywatch.probes.reconciliation.balance import Reconciliation
from keywatch.probes.reconciliation.counters import EventSeries, KeycloakCounts
from keywatch.probes.reconciliation.scope import Kinds, Scope
from keywatch.probes.reconciliation.tally import CountKey, KeycloakTally, Moment

# A node that cannot be read for so long is gone on without; until then everything waits for it.
_WAIT_FOR_NODE = 60.0
# An event from later than this after what Keycloak's clock is thought to say tells that it is thought wrongly.
_CLOCK_TOLERANCE = 0.5
_MOST_AHEAD = 120.0
# When everything up to a moment longer ago than this was read, the reading has come to a standstill.
_READ_WITHIN = 5.0
# What began before the reading of events did has ended after so long, also when requests never cease.
_ENDED_WITHIN = 10.0


_PER_PIECE = 200


class CounterReader(Protocol):
    """Reads the counters of one Keycloak node."""

    async def fetch(self, timeout: float) -> KeycloakCounts:
        """Read them within `timeout` seconds; raises `ProbeError`."""

    async def close(self) -> None:
        """Close its connections."""


class ReconciliationProbe:
    """One listener: what its Keycloaks counted, and what of it has not arrived."""

    name = "reconciliation"

    def __init__(
        self,
        cluster: str,
        listener: str,
        seen: EventsSeen,
        readers: Mapping[str, CounterReader],
        schedule: Schedule,
        *,
        scope: Scope,
        window: float,
        give_up_after: float,
        tolerance: int = 0,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.cluster = cluster
        self.target = listener
        self.schedule = schedule
        self._seen = seen
        self._readers = dict(readers)
        self._window, self._give_up_after = window, give_up_after
        self._tolerance = tolerance
        self._clock = clock
        self._wall = wall
        self._tally = KeycloakTally()
        self._balance = Reconciliation(window, give_up_after)
        self._kinds = Kinds(scope, self._compares)
        self._forgotten_at = float("-inf")
        self._unbroken_since: float | None = None
        self._begun = False
        self._told: dict[tuple[Metric, CountKey], int] = {}
        self._absent_since: dict[str, float] = {}
        self._skews: dict[str, float] = {}
        self._arrived_since: float | None = None
        self._good_since: float | None = None
        self._counts = False
        # Keycloak's clock is the wall clock of keywatch's machine plus this; and by how much events tell it wrong.
        self._offset = 0.0
        self._ahead = 0.0
        seen.on_batch(self._take)

    async def run(self, timeout: float) -> Sequence[Sample]:
        """Read all nodes, judge, and tell; raises `ProbeError` when a node cannot be read and is not given up yet."""
        problem = await self._read(timeout)
        await self._judge()
        samples = await to_the_end(self._samples())
        since = self._arrived_since
        if not self._counts and since is not None and self._clock() - since > self._window:
            words = "events arrive and Keycloak counts none: it lacks event-metrics-user-enabled=true"
            problem = problem or ProbeError(Reason.UNSUPPORTED, words)
        if problem is not None:
            raise ProbeError(problem.reason, problem.detail, samples)
        return samples

    async def close(self) -> None:
        """Close the connections."""
        self._seen.off_batch(self._take)
        await asyncio.gather(*(reader.close() for reader in self._readers.values()))

    def _take(self, events: Sequence[SeenEvent]) -> None:
        """Count a batch that arrived."""
        for event in events:
            if (key := self._kinds.arrived(event)) is not None:
                if self._arrived_since is None:
                    self._arrived_since = event.arrived
                self._balance.arrived(key, event.time)
                ahead = event.time - (self._wall() + self._offset)
                if _CLOCK_TOLERANCE < ahead <= _MOST_AHEAD:
                    self._ahead = max(self._ahead, ahead)

    async def _read(self, timeout: float) -> ProbeError | None:
        """Take a sample when all nodes that are not given up could be read; returns what kept one from it."""
        names = list(self._readers)
        found = await asyncio.gather(*(_attempt(self._readers[name].fetch(timeout)) for name in names))
        now, problem, counts = self._clock(), None, []
        for name, read in zip(names, found, strict=True):
            result = self._followed(name, read, now)
            if isinstance(result, ProbeError):
                since = self._absent_since.setdefault(name, now)
                if now - since < _WAIT_FOR_NODE:
                    problem = ProbeError(result.reason, f"{name}: {result.detail}")
                else:
                    self._tally.leave_out(name)
                    problem = problem or ProbeError(result.reason, f"{name}, gone on without: {result.detail}")
                continue
            self._absent_since.pop(name, None)
            counts.append((name, result))
        waits = any(now - since < _WAIT_FOR_NODE for since in self._absent_since.values())
        if counts and not waits:
            problem = await to_the_end(self._sampling(counts, now)) or problem
        return problem

    def _followed(self, name: str, read: KeycloakCounts | ProbeError, now: float) -> KeycloakCounts | ProbeError:
        """Return a reading that follows on the one before; otherwise why it cannot be taken."""
        if isinstance(read, ProbeError):
            return read
        words = self._tally.trouble(name, read.started, read.wall, Moment(now, self._wall()))
        return ProbeError(Reason.PROTOCOL, words) if words else read

    def _sampling(self, counts: Sequence[tuple[str, KeycloakCounts]], now: float) -> Pieces[ProbeError | None]:
        """Take what all nodes say; returns what of it is no count, and was left out."""
        earliest, latest, requests, troubles = [], [], 0, []
        for name, read in counts:
            took = read.after - read.before
            self._counts = self._counts or bool(read.events)
            kinds = yield from self._kinds_of([*read.events, *read.malformed])
            fallen = yield from self._tally.recording(
                name,
                read.started,
                read.wall,
                {series: value for series, value in read.events.items() if series in kinds},
                kinds=kinds,
                malformed=kinds.keys() & read.malformed,
                nameless=read.nameless,
                at=Moment(now, self._wall()),
            )
            troubles += [f"{name}: {words}" for words in (read.trouble, fallen) if words]
            self._skews[name] = read.wall - (self._wall() - (self._clock() - (read.before + read.after) / 2))
            earliest.append(read.wall - took)
            latest.append(read.wall + took + self._ahead)
            requests = requests + max(read.requests - 1, 0) if read.requests is not None else requests
        self._offset = max(self._skews[name] for name, _ in counts)
        known = all(read.requests is not None for _, read in counts)
        under_way = requests if known else None
        asked = min(read.before for _, read in counts)
        if self._balance.overrun:
            self._begin_anew(now)
        self._begun = self._begun or self._may_begin(asked, under_way)
        anew = self._tally.take_begun_anew()
        if self._begun:
            unread = self._tally.unread
            yield from self._balance.sampling(
                min(earliest), max(latest), now, self._tally.counted, under_way, unread=unread, anew=anew
            )
        return ProbeError(Reason.PROTOCOL, troubles[0]) if troubles else None

    def _kinds_of(self, every: Sequence[EventSeries]) -> Pieces[dict[EventSeries, CountKey]]:
        found = {}
        for number, series in enumerate(every, 1):
            if (kind := self._kinds.counted(series)) is not None:
                found[series] = kind
            if number % _PER_PIECE == 0:
                yield
        return found

    def _compares(self, kind: CountKey) -> bool:
        return self._balance.knows(kind)

    def _begin_anew(self, now: float) -> None:
        """Begin the balance at nothing, since nobody knows what arrived."""
        self._balance = self._balance.anew()
        self._begun, self._forgotten_at = False, now

    def _may_begin(self, asked: float, under_way: int | None) -> bool:
        """Return whether all that Keycloak will count from now on is read: a balance begun earlier would miss some.

        An event is written before its transaction ends, and counted after. So what was under way when the reading began
        has to be over.
        """
        if self._seen.unbroken_since is None:
            return False
        since = max(self._seen.unbroken_since, self._forgotten_at)
        return asked >= since and (under_way == 0 or asked - since > _ENDED_WITHIN)

    async def _judge(self) -> None:
        seen = self._seen
        if seen.unbroken_since != self._unbroken_since:
            # Records were skipped: nobody knows what was among them, so the balance starts anew.
            if self._unbroken_since is not None:
                self._begin_anew(self._forgotten_at)
            self._unbroken_since = seen.unbroken_since
        until = seen.complete_until
        if until is None or not seen.leaders_live or self._clock() - until > _READ_WITHIN:
            self._good_since = None
            return
        self._good_since = until if self._good_since is None else self._good_since
        await to_the_end(self._balance.judging(until, self._good_since))

    def _samples(self) -> Pieces[list[Sample]]:
        labels = (self.cluster, self.target)
        samples = [Sample(EVENTS_MISSING_LIMIT, labels, float(self._tolerance))]
        if self._balance.judged_until is not None:
            samples.append(Sample(EVENTS_JUDGED_TIMESTAMP_SECONDS, labels, self._balance.judged_until))
        samples += [
            Sample(KEYCLOAK_CLOCK_SKEW_SECONDS, (self.cluster, name), skew) for name, skew in self._skews.items()
        ]
        for number, (key, missing) in enumerate(self._balance.missing.items(), 1):
            if number % _PER_PIECE == 0:
                yield
            note = None
            if missing > self._tolerance:
                note = f"missing: {missing} {key.event} ({key.outcome}) of realm {key.realm} did not arrive"
            samples.append(Sample(EVENTS_MISSING, (*labels, *key), float(missing), note))
            if key not in self._tally.counted:
                continue  # anybody may have invented it, and a counter's series stays
            samples += self._grown(EVENTS_COUNTED_TOTAL, key, self._tally.counted)
            samples += self._grown(EVENTS_LOST_TOTAL, key, self._balance.lost)
            samples += self._grown(EVENTS_UNCOUNTED_TOTAL, key, self._balance.uncounted)
        for key in self._balance.uncounted.keys() - self._tally.counted.keys():
            samples += self._grown(EVENTS_UNCOUNTED_TOTAL, key, self._balance.uncounted)
        return samples

    def _grown(self, metric: Metric, key: CountKey, totals: Mapping[CountKey, int]) -> list[Sample]:
        """Return by how much a total grew since it was told last, if it did; one that is new is told as it is."""
        total = totals.get(key, 0)
        told = self._told.get((metric, key))
        if total == told:
            return []
        self._told[metric, key] = total
        return [Sample(metric, (self.cluster, self.target, *key), float(total - (told or 0)))]


async def _attempt(reading: Awaitable[KeycloakCounts]) -> KeycloakCounts | ProbeError:
    try:
        return await reading
    except ProbeError as error:
        return error
