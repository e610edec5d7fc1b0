"""Does an event reach the search? Writes a marked one to Kafka now and then, and looks for it until it is found."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from keywatch.elastic.findable import findable
from keywatch.elastic.server import ElasticServer
from keywatch.elastic.stored_as import stored_as
from keywatch.engine.deadline import Deadline
from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.kafka.groups import Groups
from keywatch.kafka.peers import Peers
from keywatch.kafka.records.search import Position
from keywatch.kafka.topology import Topology
from keywatch.listeners.marked_event import KEY, marked_event
from keywatch.metrics import log_canary as cat

FOUND, LATE, LOST, REFUSED = RESULTS = ("found", "late", "lost", "refused")

WRITING = 0.4
"""Share of the deadline in which Kafka must take an event."""
_METADATA, _SEARCHING, _ASKING, _ELSEWHERE = 0.1, 0.25, 0.1, 0.1
# What was not found in so many times the limit will not be.
_GIVEN_UP_AFTER = 10


class Writes(Protocol):
    """What writes a record: `SingleRecord`."""

    async def write(self, key: bytes, value: bytes) -> Position:
        """Write a record and give its place; raises `ProbeError`."""

    def close(self) -> None:
        """Let go of everything."""


@dataclass(slots=True)
class _Sent:
    """An event that is under way: when it was written, where it lies, and whether its time is over."""

    at: float
    position: Position
    overdue: bool = False


class LogCanaryProbe:
    """One event every `every` seconds, which must be searchable `limit` seconds after it was written."""

    name = "log_canary"
    target = ""

    def __init__(
        self,
        cluster: str,
        topology: Topology,
        topic: str,
        writer: Writes,
        server: ElasticServer,
        schedule: Schedule,
        *,
        realm: str,
        carried: tuple[str, Groups, Peers] | None = None,
        every: float,
        limit: float,
        namespace: str = "default",
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """Watch what `writer` writes to `topic`; `carried` says by which consumer group, and reads how far that is."""
        self.cluster = cluster
        self.schedule = schedule
        self._topology = topology
        self._topic = topic
        self._writer = writer
        self._server = server
        self._realm = realm
        self._carried = carried
        self._every = every
        self._limit = limit
        self._namespace = namespace
        self._clock = clock
        self._wall = wall
        self._due = float("-inf")
        self._sent: dict[str, _Sent] = {}
        self._up: bool | None = None
        self._why = ""

    async def run(self, timeout: float) -> Sequence[Sample]:
        """Write when it is time, look for what is under way; raises `ProbeError`, with what is known all the same."""
        samples = [Sample(cat.LOG_CANARY_LIMIT_SECONDS, (self.cluster,), self._limit)]
        samples += [Sample(cat.LOG_CANARY_EVENTS_TOTAL, (self.cluster, result), 0.0) for result in RESULTS]
        failure: ProbeError | None = None
        deadline = Deadline(timeout)
        try:
            await self._write(deadline)
        except ProbeError as error:
            failure = error
            samples.append(self._became(REFUSED))
            self._up, self._why = False, f"Kafka did not take it, {error.reason}: {error.detail}"
        try:
            samples += await self._look(deadline)
        except ProbeError as error:
            failure = failure or error
        samples += await self._judge(deadline, failure)
        if failure is not None:
            raise ProbeError(failure.reason, failure.detail, samples) from failure
        return samples

    async def close(self) -> None:
        """Close the connections and let the thread end."""
        self._writer.close()
        await self._server.close()
        if self._carried is not None:
            self._carried[1].close()
            self._carried[2].close()

    async def _write(self, deadline: Deadline) -> None:
        if self._clock() < self._due:
            return
        self._due = self._clock() + self._every
        # A producer would have brokers create a topic whose name is misspelt.
        if self._topic not in await self._topology.partitions(deadline.share(_METADATA).left):
            raise ProbeError(Reason.UNKNOWN_TOPIC, f"the topic {self._topic!r} of marked events is not there")
        event_id, value = marked_event(self._realm, self._wall())
        begun = self._clock()
        self._sent[event_id] = _Sent(begun, await self._writer.write(KEY, value))

    async def _look(self, deadline: Deadline) -> list[Sample]:
        """Search for what is under way."""
        if not self._sent:
            return []
        samples = []
        for event_id in await findable(self._server, self._sent, self._namespace, deadline.share(_SEARCHING).left):
            if (sent := self._sent.pop(event_id, None)) is None:
                continue
            took = self._clock() - sent.at
            labels = (self.cluster,)
            in_time = took <= self._limit and not sent.overdue
            samples += [
                self._became(FOUND if in_time else LATE),
                Sample(cat.LOG_CANARY_ROUND_TRIP_SECONDS, labels, took),
                Sample(cat.LOG_CANARY_LAST_ROUND_TRIP_SECONDS, labels, took),
                Sample(cat.LOG_CANARY_LAST_FOUND_TIMESTAMP_SECONDS, labels, self._wall()),
            ]
            if in_time:
                self._up = True
        return samples

    async def _judge(self, deadline: Deadline, failure: ProbeError | None) -> list[Sample]:
        """Return whether events arrive in time, and where a late one is stuck; `failure` is why nobody looked."""
        samples, now = [], self._clock()
        for event_id, sent in list(self._sent.items()):
            if not sent.overdue and now - sent.at > self._limit:
                sent.overdue = True
                self._up = False
                self._why = str(failure) if failure else await self._where(sent.position, deadline)
            if now - sent.at > self._limit * _GIVEN_UP_AFTER:
                del self._sent[event_id]
                samples.append(self._became(LOST))
        if self._up is not None:
            note = None if self._up else f"marked events cannot be searched: {self._why}"
            samples.append(Sample(cat.LOG_CANARY_UP, (self.cluster,), float(self._up), note))
        return samples

    async def _where(self, position: Position, deadline: Deadline) -> str:
        """Tell in words how far an event came that Kafka has."""
        where = f"{position.partition.topic}/{position.partition.partition} at {position.offset}"
        words = f"{where} was not found within {self._limit:g} s"
        if self._carried is None:
            return f"{words}{await self._elsewhere(position, deadline)}"
        group, groups, _ = self._carried
        try:
            await groups.fetch(deadline.share(_ASKING).left)
        except ProbeError as error:
            return f"{words}; how far {group} is cannot be told, {error}"
        known = groups.known.get(group)
        committed = known.offsets.get(position.partition) if known is not None else None
        if committed is None or committed <= position.offset:
            return f"{words}, and {group} has not read it"
        return f"{words}, although {group} has read it{await self._elsewhere(position, deadline)}"

    async def _elsewhere(self, position: Position, deadline: Deadline) -> str:
        """Tell in words as what else an event is stored; empty when it is stored nowhere, or that cannot be told."""
        try:
            datasets = await stored_as(self._server, position, self._namespace, deadline.share(_ELSEWHERE).left)
        except ProbeError:
            return ""  # the next search tells why
        return f": it is stored as {' and '.join(datasets)}" if datasets else ""

    def _became(self, result: str) -> Sample:
        return Sample(cat.LOG_CANARY_EVENTS_TOTAL, (self.cluster, result), 1.0)
