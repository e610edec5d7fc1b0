"""Did all events arrive that Keycloak counted? Its counters, read every second, against the tail of the topics."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.listeners.event_types import OTHER, user_event
from keywatch.listeners.profile import EventKind, Outcome
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
from keywatch.patterns import Patterns
from keywatch.probes.events.seen import EventsSeen, SeenEvent
from keywatch.probes.reconciliation.balance import Reconciliation
from keywatch.probes.reconciliation.counters import KeycloakCounts
from keywatch.probes.reconciliation.tally import CountKey, KeycloakTally

# A node that cannot be read for so long is gone on without; until then everything waits for it.
_WAIT_FOR_NODE = 60.0
# An event from later than this after what Keycloak's clock is thought to say tells that it is thought wrongly.
_CLOCK_TOLERANCE = 0.5
_MOST_AHEAD = 120.0
# When everything up to a moment longer ago than this was read, the reading has come to a standstill.
_READ_WITHIN = 5.0
# What began before the reading of events did has ended after so long, also when requests never cease.
_ENDED_WITHIN = 10.0
# All realms together, where the listener writes ids and nobody says which names they have.
ALL_REALMS = "all"


class CounterReader(Protocol):
    """Reads the counters of one Keycloak node."""

    async def fetch(self, timeout: float) -> KeycloakCounts:
        """Read them within `timeout` seconds; raises `ProbeError`."""

    async def close(self) -> None:
        """Close its connections."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Which events count: of which realms (by name), and of which types and outcomes; None: of all."""

    realms: Patterns
    types: frozenset[tuple[str, Outcome]] | None
    names: Mapping[str, str]
    """Realm id → name, as configured, for listeners that write ids only."""
    named: bool
    """Whether the listener writes the realms' names."""

    def counted(self, realm: str, event: str, error: str) -> CountKey | None:
        """Return how what Keycloak counted is looked up; None for what is not looked for."""
        label = user_event(event)[0]
        outcome = Outcome.ERROR if error else Outcome.SUCCESS
        if not self._wanted(label, outcome):
            return None
        if self.named:
            return CountKey(realm, label, outcome) if realm in self.realms else None
        if self.names:
            return CountKey(realm, label, outcome) if realm in self.names.values() and realm in self.realms else None
        return CountKey(ALL_REALMS, label, outcome) if realm in self.realms else None

    def arrived(self, event: SeenEvent) -> CountKey | None:
        """Return the same for an event that arrived."""
        if event.kind is not EventKind.USER or not self._wanted(event.event, event.outcome):
            return None
        name = event.realm_name or self.names.get(event.realm_id)
        if name is None and (self.named or self.names):
            return None
        if name is not None and name not in self.realms:
            return None
        return CountKey(name if name is not None else ALL_REALMS, event.event, event.outcome)

    def _wanted(self, event: str, outcome: Outcome) -> bool:
        return event != OTHER and (self.types is None or (event, outcome) in self.types)


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
    ) -> None:
        self.cluster = cluster
        self.target = listener
        self.schedule = schedule
        self._seen = seen
        self._readers = dict(readers)
        self._scope = scope
        self._window, self._give_up_after = window, give_up_after
        self._tolerance = tolerance
        self._clock = clock
        self._tally = KeycloakTally()
        self._balance = Reconciliation(window, give_up_after)
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
        self._judge()
        samples = self._samples()
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
            if (key := self._scope.arrived(event)) is not None:
                if self._arrived_since is None:
                    self._arrived_since = event.arrived
                self._balance.arrived(key, event.time)
                ahead = event.time - (time.time() + self._offset)
                if _CLOCK_TOLERANCE < ahead <= _MOST_AHEAD:
                    self._ahead = max(self._ahead, ahead)

    async def _read(self, timeout: float) -> ProbeError | None:
        """Take a sample when all nodes that are not given up could be read; returns what kept one from it."""
        names = list(self._readers)
        found = await asyncio.gather(*(_attempt(self._readers[name].fetch(timeout)) for name in names))
        now, problem, counts = self._clock(), None, []
        for name, result in zip(names, found, strict=True):
            if isinstance(result, ProbeError):
                since = self._absent_since.setdefault(name, now)
                if now - since < _WAIT_FOR_NODE:
                    problem = ProbeError(result.reason, f"{name}: {result.detail}")
                else:
                    self._tally.leave_out(name)
                    problem = problem or ProbeError(result.reason, f"{name}, gone on without: {result.detail}")
            else:
                self._absent_since.pop(name, None)
                counts.append((name, result))
        waits = any(now - since < _WAIT_FOR_NODE for since in self._absent_since.values())
        if counts and not waits:
            self._sample(counts, now)
        return problem

    def _sample(self, counts: Sequence[tuple[str, KeycloakCounts]], now: float) -> None:
        earliest, latest, requests = [], [], 0
        for name, read in counts:
            took = read.after - read.before
            self._counts = self._counts or bool(read.events)
            by_key: dict[CountKey, float] = {}
            for (realm, event, error), value in read.events.items():
                if (key := self._scope.counted(realm, event, error)) is not None:
                    by_key[key] = by_key.get(key, 0.0) + value
            self._tally.record(name, read.started, read.wall, by_key)
            self._skews[name] = read.wall - (time.time() - (self._clock() - (read.before + read.after) / 2))
            earliest.append(read.wall - took)
            latest.append(read.wall + took + self._ahead)
            requests = requests + max(read.requests - 1, 0) if read.requests is not None else requests
        self._offset = max(self._skews[name] for name, _ in counts)
        known = all(read.requests is not None for _, read in counts)
        under_way = requests if known else None
        asked = min(read.before for _, read in counts)
        self._begun = self._begun or self._may_begin(asked, under_way)
        if self._begun:
            self._balance.sample(min(earliest), max(latest), now, self._tally.counted, under_way)

    def _may_begin(self, asked: float, under_way: int | None) -> bool:
        """Return whether all that Keycloak will count from now on is read: a balance begun earlier would miss some.

        An event is written before its transaction ends, and counted after. So what was under way when the reading began
        has to be over.
        """
        since = self._seen.unbroken_since
        return since is not None and asked >= since and (under_way == 0 or asked - since > _ENDED_WITHIN)

    def _judge(self) -> None:
        seen = self._seen
        if seen.unbroken_since != self._unbroken_since:
            # Records were skipped: nobody knows what was among them, so the balance starts anew.
            if self._unbroken_since is not None:
                self._balance = self._balance.anew()
                self._begun = False
            self._unbroken_since = seen.unbroken_since
        until = seen.complete_until
        if until is None or not seen.leaders_live or self._clock() - until > _READ_WITHIN:
            self._good_since = None
            return
        self._good_since = until if self._good_since is None else self._good_since
        self._balance.judge(until, self._good_since)

    def _samples(self) -> list[Sample]:
        labels = (self.cluster, self.target)
        samples = [Sample(EVENTS_MISSING_LIMIT, labels, float(self._tolerance))]
        if self._balance.judged_until is not None:
            samples.append(Sample(EVENTS_JUDGED_TIMESTAMP_SECONDS, labels, self._balance.judged_until))
        samples += [
            Sample(KEYCLOAK_CLOCK_SKEW_SECONDS, (self.cluster, name), skew) for name, skew in self._skews.items()
        ]
        for key, missing in self._balance.missing.items():
            note = None
            if missing > self._tolerance:
                note = f"missing: {missing} {key.event} ({key.outcome}) of realm {key.realm} did not arrive"
            samples.append(Sample(EVENTS_MISSING, (*labels, *key), float(missing), note))
            for metric, totals in (
                (EVENTS_COUNTED_TOTAL, self._tally.counted),
                (EVENTS_LOST_TOTAL, self._balance.lost),
                (EVENTS_UNCOUNTED_TOTAL, self._balance.uncounted),
            ):
                total = totals.get(key, 0)
                grown = total - self._told.get((metric, key), 0)
                if grown or (metric, key) not in self._told:
                    samples.append(Sample(metric, (*labels, *key), float(grown)))
                    self._told[metric, key] = total
        return samples


async def _attempt(reading: Awaitable[KeycloakCounts]) -> KeycloakCounts | ProbeError:
    try:
        return await reading
    except ProbeError as error:
        return error
