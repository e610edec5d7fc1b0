"""How far behind is the search: which records has Logstash not read, and which has it read that cannot be found?"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from keywatch.elastic.newest import Newest, Recent, older, recent
from keywatch.elastic.server import ElasticServer
from keywatch.engine.deadline import Deadline
from keywatch.engine.probe import ProbeError, Sample, Schedule
from keywatch.kafka.groups import Groups
from keywatch.kafka.offsets import Watermarks, read_offsets
from keywatch.kafka.peers import Peers
from keywatch.kafka.records.search import Position
from keywatch.kafka.records.times import RecordTimes
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import requests
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.metrics import logs as cat
from keywatch.probes.logs.deltas import Deltas
from keywatch.probes.logs.log_lag_series import LogLagSeries

# How the deadline is shared: metadata and commits, offsets, the records' times. The search, which takes longest where
# there are many documents, has what those before it left.
_SHARES = (0.3, 0.2, 0.15)
# Of the search's time, for the documents of the last hour; the rest is for partitions that had none.
_RECENT_SHARE = 0.7
# Partitions that are looked up one by one in a run; the others follow in the next ones.
_MOST_LOOKED_UP = 5
_MOST_RECORDS = 100
# Moments remembered of each partition, for how long records have waited whose own times cannot be read.
_MOST_ENDS = 60


@dataclass(slots=True)
class _Partition:
    """One partition as last known: what can be searched of it, and where the counters stand."""

    newest: Newest | None = None
    looked_up: bool = False
    first_committed: int | None = None
    """What was committed when keywatch first looked: what came before is taken for searchable until it is known."""
    counted_newest: int | None = None
    ends: list[tuple[float, int]] = field(default_factory=list)
    """When the partition was first seen to end there, on keywatch's clock: the oldest first."""

    @property
    def searchable(self) -> int | None:
        """The offset up to which, exclusively, records can be searched."""
        if self.newest is not None:
            return self.newest.offset + 1
        return self.first_committed

    def look(self, now: float, end: int) -> None:
        """Remember where it ends now; of many moments every other one is enough."""
        if not self.ends or end > self.ends[-1][1]:
            self.ends.append((now, end))
        if len(self.ends) > _MOST_ENDS:
            del self.ends[1:-1:2]

    def waited(self, now: float, searchable: int) -> float:
        """Return for how many seconds at least the first record that cannot be searched has been there."""
        while self.ends and self.ends[0][1] <= searchable:
            del self.ends[0]
        return now - self.ends[0][0] if self.ends else 0.0


class LogLagProbe:
    """The topics that are carried by each consumer group of Logstash, over all their partitions."""

    name = "log_lag"
    target = ""

    def __init__(
        self,
        cluster: str,
        topology: Topology,
        peers: Peers,
        groups: Groups,
        times: RecordTimes,
        server: ElasticServer,
        schedule: Schedule,
        *,
        carried: Mapping[str, str],
        namespace: str = "default",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cluster = cluster
        self.schedule = schedule
        self._topology = topology
        self._peers = peers
        self._groups = groups
        self._times = times
        self._server = server
        self._carried = dict(carried)
        """Topic → group."""
        self._namespace = namespace
        self._clock = clock
        self._ends = Watermarks(topology, peers, requests.END)
        self._known: dict[TopicPartition, _Partition] = {}
        self._written = Deltas()
        self._made_anew: dict[str, float] = {}
        """Topic → when it was noticed to be another one of its name; documents of the one before stay for months."""

    async def run(self, timeout: float) -> Sequence[Sample]:
        """Read both sides and compare; raises `ProbeError`, with what Kafka alone tells where the search fails."""
        deadline = Deadline(timeout)
        searching = deadline.share(1 - _SHARES[2])
        committed, ends, unread = await self._kafka(deadline)
        series = LogLagSeries(self.cluster, self._carried, self._topology.existing)
        for partition in unread:
            series.unknown(partition)
        self._begin_anew(ends)
        for partition, end in ends.items():
            known = self._known.setdefault(partition, _Partition())
            self._consumed(series, partition, known, committed[partition], end)
        failure, answer = None, None
        try:
            answer = await self._search(searching)
        except ProbeError as error:
            failure = error
        if answer is not None:
            await self._found(series, committed, ends, deadline.share(_SHARES[2]).left)
            failed = answer.redaction_failed
            note = f"{failed} documents of the last hour were left empty, since redaction failed" if failed else None
            series.loose.append(Sample(cat.LOG_REDACTION_FAILED_DOCUMENTS, (self.cluster,), float(failed), note))
        self._forget(ends.keys() | unread)
        samples = series.samples(searched=answer is not None)
        if failure is not None:
            raise ProbeError(failure.reason, failure.detail, samples) from failure
        return samples

    async def close(self) -> None:
        """Close the connections and give up what is under way."""
        self._times.close()
        self._groups.close()
        self._peers.close()
        await self._server.close()

    async def _kafka(
        self, deadline: Deadline
    ) -> tuple[dict[TopicPartition, int], dict[TopicPartition, int], set[TopicPartition]]:
        """Read what is committed, then where partitions end; and name those of which either cannot be known."""
        partitions = await self._topology.partitions(deadline.share(_SHARES[0] / 2).left)
        wanted = {topic: sorted(partitions[topic]) for topic in self._carried if topic in partitions}
        every = {TopicPartition(topic, index) for topic, indexes in wanted.items() for index in indexes}
        await self._groups.fetch(deadline.share(_SHARES[0] / 2).left)
        committed: dict[TopicPartition, int] = {}
        unread: set[TopicPartition] = set()
        fresh: set[TopicPartition] = set()
        for partition in every:
            group = self._groups.known.get(self._carried[partition.topic])
            if group is None or group.trouble is not None or partition in group.unread:
                unread.add(partition)
            elif partition in group.offsets:
                committed[partition] = group.offsets[partition]
            else:
                fresh.add(partition)  # never committed: nothing of it was read, from its start on
        if fresh:
            left = deadline.share(_SHARES[1] / 2).left
            starts = await read_offsets(self._topology, self._peers, fresh, requests.START, left)
            committed |= starts.found
            unread |= starts.unread.keys()
        reading = await self._ends.fetch(wanted, deadline.share(_SHARES[1] / 2).left)
        unread |= reading.unread.keys() & every
        ends = {one: end for one in committed.keys() - unread if (end := self._ends.get(one)) is not None}
        return committed, ends, unread

    async def _search(self, deadline: Deadline) -> Recent:
        now = self._clock()
        ages = {topic: now - moment for topic, moment in self._made_anew.items()}
        within = deadline.left * _RECENT_SHARE
        found = await recent(self._server, list(self._carried), self._namespace, within, ages=ages)
        for partition, newest in found.newest.items():
            self._learn(partition, newest)
        missing = [one for one, known in self._known.items() if known.newest is None and not known.looked_up]
        if chosen := missing[:_MOST_LOOKED_UP]:
            each = deadline.left / len(chosen)
            for partition, newest in (await older(self._server, chosen, self._namespace, each)).items():
                self._learn(partition, newest)
            for partition in chosen:
                self._known[partition].looked_up = True
        return found

    def _learn(self, partition: TopicPartition, newest: Newest) -> None:
        if partition.topic not in self._carried:
            return
        known = self._known.setdefault(partition, _Partition())
        if known.newest is None or newest.offset > known.newest.offset:
            known.newest = newest

    def _begin_anew(self, ends: Mapping[TopicPartition, int]) -> None:
        """Drop what can be searched of topics of which more can be than there is: their offsets begin anew."""
        beyond = {
            partition.topic
            for partition, end in ends.items()
            if (known := self._known.get(partition)) and known.newest is not None and known.newest.offset >= end
        }
        for partition, known in self._known.items():
            if partition.topic in beyond:
                known.newest, known.first_committed, known.counted_newest = None, None, None
                known.ends.clear()
                known.looked_up = True  # what is older is of the topic before
        self._made_anew |= dict.fromkeys(beyond, self._clock())

    def _consumed(
        self, series: LogLagSeries, partition: TopicPartition, known: _Partition, committed: int, end: int
    ) -> None:
        if known.first_committed is None:
            known.first_committed = committed
        series.add(cat.LOG_CONSUME_LAG_RECORDS, partition, max(end - committed, 0))
        series.add(cat.LOG_WRITTEN_RECORDS_TOTAL, partition, self._written.step(partition, end))
        known.look(self._clock(), end)

    async def _found(
        self,
        series: LogLagSeries,
        committed: Mapping[TopicPartition, int],
        ends: Mapping[TopicPartition, int],
        timeout: float,
    ) -> None:
        behind = {}
        for partition, end in ends.items():
            known = self._known[partition]
            searchable = known.searchable
            if searchable is None:
                continue
            series.add(cat.LOG_INDEX_LAG_RECORDS, partition, max(committed[partition] - searchable, 0))
            if known.counted_newest is not None:
                series.add(cat.LOG_SEARCHABLE_RECORDS_TOTAL, partition, max(searchable - known.counted_newest, 0))
            known.counted_newest = searchable
            if end > searchable:
                behind[Position(partition, end - 1)] = known
        chosen = list(behind)[:_MOST_RECORDS]
        if chosen:
            await self._times.find([one for one in chosen if self._times.at(one) is None], timeout)
        for position, known in behind.items():
            record, since = self._times.at(position), known.newest
            if record is not None and record.time is None:
                continue  # what lies at the end is no record
            if record is not None and record.time is not None and since is not None and since.time is not None:
                lag = max(record.time - since.time, 0.0)
            else:
                lag = known.waited(self._clock(), position.offset + 1 if known.searchable is None else known.searchable)
            series.worst(position.partition, lag)

    def _forget(self, partitions: Collection[TopicPartition]) -> None:
        for partition in [partition for partition in self._known if partition not in partitions]:
            del self._known[partition]
        self._times.retain(partitions)
