"""How far behind are the consumer groups, and do they live? Committed offsets first, then ends, then record times."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence

from keywatch.engine.choice import ALWAYS
from keywatch.engine.deadline import Deadline
from keywatch.engine.left_out import left_out
from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.engine.series import MetricSeries, SeriesSet
from keywatch.engine.slices import Pieces, in_slices
from keywatch.engine.store import key_of
from keywatch.kafka.consumer_group import ConsumerGroup
from keywatch.kafka.groups import Groups
from keywatch.kafka.offsets import Watermarks, read_offsets
from keywatch.kafka.peers import Peers
from keywatch.kafka.records.search import Position
from keywatch.kafka.records.times import RecordTimes
from keywatch.kafka.recreated_topics import RecreatedTopics
from keywatch.kafka.rights import READ_TOPICS
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import requests
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.metrics import groups as cat
from keywatch.patterns import Patterns
from keywatch.probes.groups.index import LagIndex
from keywatch.probes.groups.lag import Bounds, Histories, PartitionLag, reckon
from keywatch.probes.groups.lookups import Lookups
from keywatch.probes.groups.members import MemberLags
from keywatch.probes.groups.rewind_counters import RewindCounters
from keywatch.probes.groups.series import GroupSeries, Limit
from keywatch.probes.groups.start_offsets import StartOffsets
from keywatch.probes.groups.turns import Turns
from keywatch.probes.groups.uncommitted import Holding, hold
from keywatch.probes.groups.unread import OldestUnread

# The share of the probe's deadline that a look-up of old records may take, beside the runs.
_LOOKUP_SHARE = 0.4
_PARTITIONS_PER_PIECE = 500
# Of the deadline, after which lags are reckoned in the next run: where keywatch gets hardly any CPU, what could be read
# is told all the same.
_RECKONING_SHARE = 0.9
# A record that was read may be compacted away, and nothing tells of it.
_COMPACTED_DOUBT_SECONDS = 15.0


class GroupsProbe:
    """Every group of the patterns: state, members and lag.

    At most `fetches` old records are read per run. `only_watched` says that no groups are wanted but those of `watch`.

    What is read `beside` the runs has connections of its own, so that no run waits behind it.

    What did not change is neither reckoned nor rendered again, and a group with nothing to read whose partitions get no
    records is asked for its commits every `idle_cycles` runs at the latest.
    """

    name = "groups"
    target = ""

    def __init__(
        self,
        cluster: str,
        topology: Topology,
        peers: Peers,
        groups: Groups,
        times: RecordTimes,
        schedule: Schedule,
        *,
        topics: Patterns,
        beside: Peers,
        limits: Sequence[Limit] = (),
        watch: Collection[str] = (),
        only_watched: bool = False,
        fetches: int = 100,
        idle_cycles: int = 10,
        detail: bool = True,
        members: int = 0,
        unread: OldestUnread | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.cluster = cluster
        self.schedule = schedule
        self._topology = topology
        self._peers = peers
        self._groups = groups
        self._times = times
        self._limits = tuple(limits)
        self._watch = frozenset(watch)
        self._only_watched = only_watched
        self._fetches = fetches
        self._detail = detail
        self._clock = clock
        self._turns = Turns(idle_cycles)
        self._ends = Watermarks(topology, peers, requests.END)
        self._starts = StartOffsets(topology, beside, schedule.timeout)
        self._renewals = RecreatedTopics(topology)
        self._doubted = clock()
        self._histories = Histories()
        self._index = LagIndex(topics)
        self._told_unread = unread or OldestUnread()
        self._unread: dict[TopicPartition, object] = {}
        self._holdings: dict[str, Holding] = {}
        self._noted: dict[TopicPartition, bool] = {}
        self._beside = beside
        self._lookups = Lookups(times, most=fetches, timeout=schedule.timeout * _LOOKUP_SHARE)
        self._counted = (0, 0)
        self._rewinds = RewindCounters(cluster)
        self._members = MemberLags(cluster, members)

    async def run(self, timeout: float) -> Collection[Sample]:
        """Read and reckon; raises `ProbeError` while nothing is known of the cluster."""
        deadline = Deadline(timeout)
        reckoning = deadline.share(_RECKONING_SHARE)
        await self._topology.partitions(deadline.share(0.5).left)
        self._renew()
        index = self._index
        self._turns.begin(sum(group_series.lagless for group_series in index.series.values()))
        await self._groups.fetch(deadline.share(0.4).left, self._may_wait)
        strangers = index.strangers
        await in_slices(index.update(self._groups.known, self._topology.existing, self._series_of))
        if index.strangers - strangers:
            self._topology.outdate()
        # Ends are read after commits: the other way round a commit could be ahead of its end.
        reading = await self._ends.fetch(index.wanted, deadline.share(0.3).left)
        await self._note(reading.changed, self._unread.keys() ^ reading.unread.keys())
        self._unread = dict(reading.unread)
        for partition in await self._starts.refresh(index.wanted, self._unread, deadline.share(0.08).left):
            index.touch(partition, self._turns.cycle)
        await self._wake(deadline.share(0.1))
        await in_slices(self._hold())
        await in_slices(self._reckon(index.due_now(), reckoning))
        await self._find_times(deadline.share(0.08).left, reckoning)
        self._told_unread.record(index.series)
        told = await in_slices(self._tell())
        self._demand_rights(told)
        if self._groups.unlistable and not self._only_watched:
            words = "groups that groups.watch does not name are not seen; name the same in groups.include to make do"
            raise ProbeError(Reason.UNSUPPORTED, f"{self._groups.unlistable}: {words}", told)
        return told

    def _demand_rights(self, samples: Collection[Sample]) -> None:
        """Raise `ProbeError` when a right is missing; what could be read all the same goes with it."""
        troubles = (group.trouble for group in self._groups.known.values() if group.trouble is not None)
        words = [detail for reason, detail in troubles if reason is Reason.AUTHORIZATION]
        if self._fetches:
            words += [
                f"{READ_TOPICS.missing(topic)}: lag in seconds is a guess (groups.fetches: 0 makes do)"
                for topic in sorted(self._times.forbidden)
            ]
        if words:
            raise ProbeError(Reason.AUTHORIZATION, words[0], samples)

    async def close(self) -> None:
        """Close the connections and give up what is under way."""
        self._groups.close()
        self._starts.close()
        self._lookups.close()
        self._beside.close()
        self._peers.close()

    def _series_of(self, group: ConsumerGroup) -> GroupSeries:
        limit = next((limit for limit in self._limits if group.name in limit.groups), None)
        return GroupSeries(self.cluster, group, limit, detail=self._detail, watched=group.name in self._watch)

    def _may_wait(self, group: ConsumerGroup) -> bool:
        """Return whether nothing can have been consumed since the group was last asked, and it is not its turn."""
        group_series = self._index.series.get(group.name)
        if group_series is None or not group_series.lagless or group_series.touched >= self._turns.cycle - 1:
            return False
        return not self._turns.due(group.name, group.asked)

    def _renew(self) -> None:
        """Drop what was known of topics that were made anew, and doubt what may have been compacted away since."""
        for topic in self._renewals.since_last_call():
            for known in (self._ends, self._starts, self._histories, self._times):
                known.drop(topic)
            for group_series in self._index.series.values():
                group_series.drop(topic)
        if self._clock() - self._doubted >= _COMPACTED_DOUBT_SECONDS:
            self._doubted = self._clock()
            for partition in self._times.doubt(self._topology.compacted):
                self._index.touch(partition, self._turns.cycle)

    async def _note(self, changed: Collection[TopicPartition], others: Iterable[TopicPartition]) -> None:
        """Record which ends moved, and which `others` have come to be read or unread."""
        self._noted.update(dict.fromkeys(others, False))
        self._noted.update(dict.fromkeys(changed, True))
        await in_slices(self._noting())

    def _noting(self) -> Pieces[None]:
        now = self._clock()
        count = 0
        while self._noted:  # what a run that was cut short left over is noted by the next one
            partition, moved = self._noted.popitem()
            end = self._ends.get(partition) if moved else None
            if end is not None:
                self._times.grown(partition)
                if self._histories.record(partition, end, now, behind=self._index.is_behind(partition)):
                    self._times.drop(partition.topic)
            self._index.touch(partition, self._turns.cycle)
            count += 1
            if count % _PARTITIONS_PER_PIECE == 0:
                yield

    async def _wake(self, deadline: Deadline) -> None:
        """Ask groups that waited although the ends of their partitions moved: first what they committed, then ends."""
        cycle = self._groups.cycle
        woken = [s for s in self._index.due if s.group.asked != cycle and s.group.trouble is None and s.partitions]
        if not woken:
            return
        await self._groups.refetch([group_series.group for group_series in woken], deadline.left)
        await in_slices(self._index.update(self._groups.known, self._topology.existing, self._series_of))
        partitions = {partition for group_series in woken for partition in group_series.partitions}
        ends = await read_offsets(self._topology, self._peers, partitions, requests.END, deadline.left)
        await self._note([p for p, end in ends.found.items() if self._ends.record(p, end)], ends.unread)
        self._unread.update(ends.unread)

    def _reckon(self, due: Collection[GroupSeries], deadline: Deadline | None = None) -> Pieces[None]:
        """Reckon lags anew, those of watched groups first; what is not reached in time stays due, the next to come."""
        now = self._clock()
        watched = [group_series for group_series in due if self._groups.rank(group_series.group.name) == ALWAYS]
        for count, group_series in enumerate(dict.fromkeys((*watched, *due))):
            if count > len(watched) and deadline is not None and deadline.over:
                return
            behind = group_series.behind
            group_series.record_uncommitted(self._holding, self._filled, self._ends.get)
            lags: list[PartitionLag] = []
            for partition in group_series.partitions:
                lags.append(self._lag(group_series.group, partition, now))
                if len(lags) % _PARTITIONS_PER_PIECE == 0:
                    yield
            group_series.record(lags, now)
            self._index.record(group_series, behind)
            yield

    def _hold(self) -> Pieces[None]:
        """Sum up what topics hold whose groups did not commit on all partitions, and what that means to these."""
        stale, self._index.stale = self._index.stale, set()
        for topic in stale:
            indexes = list(self._index.wanted.get(topic, ()))
            held = Holding()
            for start in range(0, len(indexes), _PARTITIONS_PER_PIECE):
                some = indexes[start : start + _PARTITIONS_PER_PIECE]
                held = held.plus(hold([TopicPartition(topic, index) for index in some], self._filled))
                yield
            self._holdings[topic] = held
        for group_series in self._index.lacking_commits(stale):
            if group_series.record_uncommitted(self._holding, self._filled, self._ends.get):
                self._index.due[group_series] = None
            yield

    def _holding(self, topic: str) -> Holding:
        return self._holdings.get(topic, Holding())

    def _filled(self, partition: TopicPartition) -> int | None:
        return None if partition in self._unread else self._bounds(partition).size

    def _lag(self, group: ConsumerGroup, partition: TopicPartition, now: float) -> PartitionLag:
        committed = group.offsets.get(partition)
        if committed is None:
            return PartitionLag(partition, -1, None, None, verified=False, estimated=False)
        verified = group.trouble is None and partition not in self._unread and partition not in group.unread
        bounds, history = self._bounds(partition), self._histories.get(partition)
        return reckon(partition, committed, bounds, verified=verified, times=self._times, history=history, now=now)

    def _bounds(self, partition: TopicPartition) -> Bounds:
        return Bounds(self._starts.get(partition), self._ends.get(partition))

    async def _find_times(self, timeout: float, reckoning: Deadline) -> None:
        """Look up the records that lags begin with, those first of which least is known.

        They are waited for a moment only; what comes later serves the next run, and until then the lag in seconds is an
        estimate and says so.
        """
        if not self._lookups.busy:
            self._lookups.begin(await in_slices(self._missing()))
        positions = await self._lookups.found(timeout)
        found = {group_series for position in positions for group_series in self._index.building_on(position.partition)}
        self._index.due.update(dict.fromkeys(found))
        await in_slices(self._reckon(found, reckoning))

    def _missing(self) -> Pieces[dict[Position, bool]]:
        """Name records that were not read, a few times as many as may be; groups looked at come last the next time."""
        missing: dict[Position, bool] = {}
        for group_series in self._index.next_guessed():
            for partition in group_series.guessed:
                committed = group_series.group.offsets.get(partition, -1)
                position = Position(partition, self._bounds(partition).first(committed))
                if committed >= 0 and partition not in self._unread and self._times.at(position) is None:
                    history = self._histories.get(partition)
                    missing[position] = history is not None and history.arrival(position.offset) is not None
            if len(missing) >= 4 * self._fetches:
                break
            yield
        return missing

    def _tell(self) -> Pieces[SeriesSet]:
        unread = self._groups.unread_brokers
        reads, received = self._times.reads - self._counted[0], self._times.received - self._counted[1]
        self._counted = (self._times.reads, self._times.received)
        loose = [
            Sample(cat.GROUP_COORDINATORS_UNREAD, (self.cluster,), float(len(unread))),
            Sample(cat.GROUP_RECORD_READS_TOTAL, (self.cluster,), float(reads)),
            Sample(cat.GROUP_RECORD_READ_BYTES_TOTAL, (self.cluster,), float(received)),
            left_out(key_of(self), "group", self._groups.left_out, "groups.max_groups"),
            left_out(key_of(self), "partition", self._groups.unreckoned, "groups.max_partitions"),
        ]
        now = self._clock()
        series: list[MetricSeries] = []
        for group_series in self._index.series.values():
            if not group_series.age(now):
                yield from self._reckon([group_series])
            series += (*group_series.series, group_series.verdict(now))
            loose += self._rewinds.samples(group_series.group.name, group_series.topics, group_series.take_rewinds())
            yield
        series += yield from self._members.tell(self._index.series.values(), self._groups.rank)
        loose.append(left_out(key_of(self), "member", self._members.left_out, "groups.members"))
        self._rewinds.retain(self._index.series)
        self._holdings = {topic: held for topic, held in self._holdings.items() if topic in self._index.wanted}
        self._histories.retain(self._index.partitions)
        self._times.retain(self._index.partitions)
        return SeriesSet(series, loose)
