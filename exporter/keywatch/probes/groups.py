"""How far behind are the consumer groups, and do they live? Committed offsets first, then ends, then record times."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from keywatch import catalogue
from keywatch.kafka import wire
from keywatch.kafka.groups import Group, Groups
from keywatch.kafka.offsets import Offsets, read_offsets
from keywatch.kafka.peers import Peers
from keywatch.kafka.record_times import Position, RecordTimes
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import TopicPartition
from keywatch.lag import EndHistory, PartitionLag, by_topic, reckon
from keywatch.patterns import Patterns
from keywatch.probe import ProbeError, Reason, Sample, Schedule

STATES = (
    "Stable",
    "Empty",
    "PreparingRebalance",
    "CompletingRebalance",
    "Assigning",
    "Reconciling",
    "NotReady",
    "Dead",
    "Unknown",
)


@dataclass(frozen=True, slots=True)
class Limit:
    """What lag is tolerated of the groups that a pattern names; None means any."""

    groups: Patterns
    records: float | None
    seconds: float | None


class GroupsProbe:
    """Every group of the patterns: state, members and lag; at most `fetches` old records are read per run."""

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
        limits: Sequence[Limit] = (),
        fetches: int = 100,
        detail: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.cluster = cluster
        self.schedule = schedule
        self._topology = topology
        self._peers = peers
        self._groups = groups
        self._times = times
        self._topics = topics
        self._limits = tuple(limits)
        self._fetches = fetches
        self._detail = detail
        self._clock = clock
        self._ends: dict[TopicPartition, int] = {}
        self._history: dict[TopicPartition, EndHistory] = {}

    async def run(self, timeout: float) -> Sequence[Sample]:
        """Read and reckon; raises `ProbeError` while nothing is known of the cluster."""
        await self._topology.partitions(timeout / 2)
        await self._groups.read(timeout * 0.4)
        # Ends are read after commits: the other way round a commit could be ahead of its end.
        wanted = {p for group in self._groups.known.values() for p in self._partitions(group)}
        ends = await read_offsets(self._topology, self._peers, wanted, wire.END, timeout * 0.35)
        self._remember(wanted, ends)
        await self._find_times(ends, timeout * 0.2)
        samples = self._cluster_samples()
        for group in self._groups.known.values():
            samples += self._group(group, ends)
        self._demand_rights(samples)
        return samples

    def _demand_rights(self, samples: Sequence[Sample]) -> None:
        """Raise `ProbeError` when a right is missing; what could be read all the same goes with it."""
        troubles = (group.trouble for group in self._groups.known.values() if group.trouble is not None)
        words = [detail for reason, detail in troubles if reason is Reason.AUTHORIZATION]
        if self._fetches:
            words += [
                f"Read on Topic:{topic} is missing: lag in seconds is a guess (groups.fetches: 0 makes do)"
                for topic in sorted(self._times.forbidden)
            ]
        if words:
            raise ProbeError(Reason.AUTHORIZATION, words[0], samples)

    async def close(self) -> None:
        """Close the connections and let the record reader go."""
        self._peers.close()
        self._times.close()

    def _partitions(self, group: Group) -> list[TopicPartition]:
        """Name a group's partitions that exist; commits outlive a deleted topic and mean nothing then."""
        topics = self._topology.topics or {}
        named = dict.fromkeys((*group.offsets, *group.unread))
        forbidden = self._topology.forbidden
        return [
            p
            for p in named
            if p.topic in self._topics and (p.partition in topics.get(p.topic, ()) or p.topic in forbidden)
        ]

    def _remember(self, wanted: set[TopicPartition], ends: Offsets) -> None:
        now = self._clock()
        for partition, end in ends.found.items():
            known = self._ends.get(partition)
            if known is not None and end != known:
                self._times.unknow_end(Position(partition, known))
            self._ends[partition] = end
            self._history.setdefault(partition, EndHistory()).note(end, now)
        for partition in self._ends.keys() - wanted:
            del self._ends[partition]
            self._history.pop(partition, None)
        self._times.retain(self._ends)

    async def _find_times(self, ends: Offsets, timeout: float) -> None:
        """Look up the records that lags begin with, those first of which least is known."""
        missing: dict[Position, bool] = {}
        for group in self._groups.known.values():
            for partition, committed in group.offsets.items():
                position = Position(partition, committed)
                behind = committed < ends.found.get(partition, -1)
                if behind and not self._times.known(position):
                    history = self._history.get(partition)
                    missing[position] = history is not None and history.arrival(committed) is not None
        if missing:
            chosen = sorted(missing, key=lambda position: missing[position])[: self._fetches]
            # Without these records the lag in seconds is estimated, and says so: no reason to withhold the rest.
            with contextlib.suppress(ProbeError, TimeoutError):
                async with asyncio.timeout(timeout + 0.1):
                    await self._times.find(chosen, timeout)

    def _cluster_samples(self) -> list[Sample]:
        unread = self._groups.unread_brokers
        return [Sample(catalogue.GROUP_COORDINATORS_UNREAD, (self.cluster,), float(len(unread)))]

    def _group(self, group: Group, ends: Offsets) -> list[Sample]:
        labels = (self.cluster, group.name)
        now = self._clock()
        lags: list[PartitionLag] = []
        for partition in self._partitions(group):
            committed = group.offsets.get(partition)
            if committed is None:
                lags.append(PartitionLag(partition, -1, None, None, verified=False, estimated=False))
                continue
            verified = group.trouble is None and partition in ends.found and partition not in group.unread
            end, history = self._ends.get(partition), self._history.get(partition)
            lags.append(
                reckon(partition, committed, end, verified=verified, times=self._times, history=history, now=now)
            )
        trouble = f"{group.trouble[0]}: {group.trouble[1]}" if group.trouble else None
        samples = [Sample(catalogue.GROUP_UP, labels, float(trouble is None), trouble)]
        samples += self._state(group) if group.trouble is None else []
        samples += self._lags(group, lags)
        samples += self._limit(group)
        return samples

    def _state(self, group: Group) -> list[Sample]:
        labels = (self.cluster, group.name)
        samples = [Sample(catalogue.GROUP_STATE, (*labels, state), float(state == group.state)) for state in STATES]
        if group.members is not None:
            samples.append(Sample(catalogue.GROUP_MEMBERS, labels, float(group.members)))
        info = (*labels, group.kind or "unknown", group.coordinator)
        samples.append(Sample(catalogue.GROUP_INFO, info, 1.0))
        return samples

    def _lags(self, group: Group, lags: Sequence[PartitionLag]) -> list[Sample]:
        samples: list[Sample] = []
        limit = self._limit_of(group.name)
        estimated = 0
        for topic, lag in by_topic(lags).items():
            labels = (self.cluster, group.name, topic)
            estimated += lag.estimated
            if lag.records is not None:
                note = _above("records", lag.records, limit.records if limit else None)
                samples.append(Sample(catalogue.GROUP_LAG_RECORDS, labels, float(lag.records), note))
            if lag.seconds is not None:
                note = _above("seconds", lag.seconds, limit.seconds if limit else None)
                samples.append(Sample(catalogue.GROUP_LAG_SECONDS, labels, lag.seconds, note))
            note = f"{lag.unknown} partitions could not be read, their last known lag stands" if lag.unknown else None
            samples.append(Sample(catalogue.GROUP_PARTITIONS_UNKNOWN, labels, float(lag.unknown), note))
        samples.append(Sample(catalogue.GROUP_LAG_SECONDS_ESTIMATED, (self.cluster, group.name), float(estimated)))
        if self._detail:
            for part in lags:
                if part.records is None:
                    continue
                where = (self.cluster, group.name, part.partition.topic, str(part.partition.partition))
                samples.append(Sample(catalogue.GROUP_PARTITION_LAG_RECORDS, where, float(part.records)))
                samples.append(Sample(catalogue.GROUP_PARTITION_COMMITTED_OFFSET, where, float(part.committed)))
        return samples

    def _limit(self, group: Group) -> list[Sample]:
        limit, labels = self._limit_of(group.name), (self.cluster, group.name)
        samples: list[Sample] = []
        if limit is not None and limit.records is not None:
            samples.append(Sample(catalogue.GROUP_LAG_RECORDS_LIMIT, labels, limit.records))
        if limit is not None and limit.seconds is not None:
            samples.append(Sample(catalogue.GROUP_LAG_SECONDS_LIMIT, labels, limit.seconds))
        return samples

    def _limit_of(self, group: str) -> Limit | None:
        return next((limit for limit in self._limits if group in limit.groups), None)


def _above(unit: str, value: float, limit: float | None) -> str | None:
    if limit is None or value <= limit:
        return None
    return f"lag of {value:.0f} {unit}, above the limit of {limit:.0f}"
