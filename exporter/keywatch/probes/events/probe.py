"""Which events arrive, how late, and what is wrong with them? Reads on in one listener's topics, from their ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence

from confluent_kafka import KafkaException

from keywatch.engine.deadline import Deadline
from keywatch.engine.left_out import left_out
from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.engine.series import SeriesSet
from keywatch.engine.store import key_of
from keywatch.kafka.client import Clients
from keywatch.kafka.errors import kafka_error
from keywatch.kafka.offsets import Watermarks
from keywatch.kafka.peers import Peers
from keywatch.kafka.records.record import Moment, Record
from keywatch.kafka.records.tail import Tail, Troubles
from keywatch.kafka.rights import DESCRIBE_TOPICS, READ_TOPICS
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import requests
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.listeners.parser import Parser
from keywatch.listeners.profile import Profile, topic_patterns
from keywatch.metrics.events import EVENTS_BEHIND_RECORDS, EVENTS_PARTITIONS, EVENTS_PARTITIONS_UNREAD, EVENTS_UP
from keywatch.probes.events.digest import Digest, EventTally
from keywatch.probes.events.plan import ReadingPlan
from keywatch.probes.events.realms import Realms
from keywatch.probes.events.seen import EventsSeen
from keywatch.probes.events.series import EventSeries

# How long reading may be behind the ends before it counts as behind: a leader's death and the client's way to the
# next one take up to three seconds.
_LATE_AFTER = 5.0
# How long a partition may stand still although there is something to read in it.
_STUCK_AFTER = 10.0
# The share of the deadline that each of up to three stages may take: by default as long as a broker needs that takes
# 0.9 s for each answer and must be connected to first. What is left is for the tail to come to the ends that were read:
# this many seconds, which is enough unless a broker is slow or much comes.
_STAGE = 0.337
_PATIENCE, _LEAST = 0.3, 0.05
_NAMED = 4

_Why = tuple[Reason, str]
_UNPLACED: _Why = (Reason.NO_LEADER, "where reading begins is not known")


class EventsProbe:
    """The events of one listener: read all the time by a tail, counted and judged each period."""

    name = "events"

    def __init__(
        self,
        cluster: str,
        listener: str,
        profile: Profile,
        topology: Topology,
        peers: Peers,
        clients: Clients,
        schedule: Schedule,
        *,
        realms: Realms,
        max_bytes: int,
        look_back: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cluster = cluster
        self.target = listener
        self.schedule = schedule
        self.seen = EventsSeen(listener, realms)
        """What others are told of the events."""
        self._topology = topology
        self._peers = peers
        self._clients = clients
        self._clock = clock
        self._foremost = topic_patterns(profile.user or profile.admin)
        self._plan = ReadingPlan(topology, peers, profile.topics(), profile.names, look_back=look_back)
        self._ends = Watermarks(topology, peers, requests.END)
        self._parse = Parser(profile, max_bytes).parse
        self._digest = Digest(self._parse)
        self._series = EventSeries(cluster, listener, realms)
        self._tail: Tail[EventTally] | None = None
        self._kept_up = float("-inf")
        self._goal: tuple[float, dict[TopicPartition, int]] | None = None
        self._standing: dict[TopicPartition, tuple[int, float]] = {}

    async def run(self, timeout: float) -> Collection[Sample]:
        """Judge where reading stands and tell what came; raises `ProbeError` without topics, rights or any leader."""
        try:
            return await self._look(Deadline(timeout * 0.95))
        except ProbeError as error:
            if error.samples:
                raise
            samples, distributions = self._series.drain()
            raise ProbeError(error.reason, error.detail, SeriesSet([], samples, distributions)) from None

    async def _look(self, deadline: Deadline) -> SeriesSet:
        """Read on and judge; each stage has its share of the time, so that a slow broker's answers are waited for."""
        await self._topology.partitions(deadline.share(_STAGE).left)
        tail = self._at_work()
        change = await self._plan.compare(tail.positions, tail.lost, deadline.share(2 * _STAGE).left)
        tail.subscribe(change.places, change.dropped)
        self._series.skip(change.skipped)
        if change.places or change.dropped:
            self._goal = None
        if change.gap:
            self.seen.interrupt()
        looked = self._clock()
        reading = await self._ends.fetch(self._plan.wanted, deadline.share(_STAGE).left)
        unread = {**reading.unread, **dict.fromkeys(self._plan.unplaced(tail.positions), _UNPLACED)}
        await self._catch_up(tail, unread, min(max(deadline.left, _LEAST), _PATIENCE))
        return self._judge(tail, unread, looked)

    async def close(self) -> None:
        """End the tail and close the connections."""
        if self._tail is not None:
            self._tail.end()
        self._peers.close()

    def _at_work(self) -> Tail[EventTally]:
        """Return the tail; one that a defect ended is followed by a new one at the same places, and the defect told."""
        tail, failure = self._tail, self._tail.failure if self._tail is not None else None
        if tail is None or failure is not None:
            self._digest = Digest(self._parse)  # a batch that broke off is read again, and holds no duplicates
            made = Tail(self._clients, f"{self.cluster}-{self.target}", self._make, self._take)
            made.subscribe(tail.positions if tail is not None else {})
            self._tail = made
            if isinstance(failure, KafkaException):
                raise ProbeError(*kafka_error(failure))
            if failure is not None:
                raise failure
            return made
        return tail

    def _make(self, records: Sequence[Record], now: Moment, on_time: bool) -> EventTally:
        return self._digest.batch(records, now, on_time=on_time, wanted=self.seen.wanted)

    def _take(self, tally: EventTally) -> None:
        for realm_id, name in tally.names.items():
            self.seen.realms.record(realm_id, name)
        self._series.add(tally)
        if tally.seen:
            self.seen.hand_on(tally.seen)

    async def _catch_up(self, tail: Tail[EventTally], unread: Mapping[TopicPartition, _Why], timeout: float) -> None:
        """Wait a moment for the tail to come to the ends that were read."""
        try:
            async with asyncio.timeout(timeout):
                while any(partition not in unread for partition in self._behind(tail)) and tail.failure is None:
                    tail.moved.clear()
                    await tail.moved.wait()
        except TimeoutError:
            return

    def _behind(self, tail: Tail[EventTally]) -> dict[TopicPartition, int]:
        """Return how many records are left to read, of each partition that has any."""
        behind = {}
        for partition, position in tail.positions.items():
            end = self._ends.get(partition)
            if end is not None and end > position:
                behind[partition] = end - position
        return behind

    def _judge(self, tail: Tail[EventTally], unread: dict[TopicPartition, _Why], looked: float) -> SeriesSet:
        now = self._clock()
        behind = self._behind(tail)
        for partition in tail.positions:
            if partition.topic in tail.troubles:
                unread.setdefault(partition, tail.troubles[partition.topic])
        for partition in self._stuck(tail, behind, now):
            words = f"nothing came from it for {_STUCK_AFTER:g} s"
            unread.setdefault(partition, (Reason.TIMEOUT_RESPONSE, words))
        self._reach(tail, unread, looked)
        tail.on_time = now - self._kept_up <= _LATE_AFTER
        missing = not any(topic in self._foremost for topic in self._plan.wanted)
        whole = not (unread or missing or self._plan.forbidden)
        leaders_live = all(
            state.leader >= 0 and self._topology.lives(state.leader)
            for topic in self._plan.wanted
            for state in self._topology.existing.get(topic, {}).values()
        )
        complete = self._kept_up if whole else None
        self.seen.judge(looked, complete, caught_up=whole and not behind, leaders_live=leaders_live)
        trouble = self._trouble(unread, tail.troubles, sum(behind.values()), missing=missing, on_time=tail.on_time)
        return self._tell(trouble, len(unread), sum(behind.values()))

    def _reach(self, tail: Tail[EventTally], unread: Mapping[TopicPartition, _Why], looked: float) -> None:
        """Find out up to when all was read that was there; where much comes, an earlier look's ends are reached."""
        ends = {partition: self._ends.get(partition) or 0 for partition in tail.positions}
        for goal in (self._goal, (looked, ends)):
            if goal is None:
                continue
            if any(tail.positions.get(p, end) < end and p not in unread for p, end in goal[1].items()):
                self._goal = goal
                return
            self._kept_up = goal[0]
        self._goal = None

    def _stuck(self, tail: Tail[EventTally], behind: Mapping[TopicPartition, int], now: float) -> list[TopicPartition]:
        standing: dict[TopicPartition, tuple[int, float]] = {}
        for partition in behind:
            position = tail.positions[partition]
            known = self._standing.get(partition)
            standing[partition] = known if known is not None and known[0] == position else (position, now)
        self._standing = standing
        return [partition for partition, (_, since) in standing.items() if now - since >= _STUCK_AFTER]

    def _trouble(
        self, unread: Mapping[TopicPartition, _Why], troubles: Troubles, behind: int, *, missing: bool, on_time: bool
    ) -> tuple[_Why, bool] | None:
        """Name what is wrong, and whether it leaves nothing to tell."""
        forbidden = [(topic, READ_TOPICS) for topic, (reason, _) in troubles.items() if reason is Reason.AUTHORIZATION]
        forbidden += [(topic, DESCRIBE_TOPICS) for topic in self._plan.forbidden]
        if forbidden:
            words = "; ".join(right.missing(topic) for topic, right in forbidden[:_NAMED])
            return (Reason.AUTHORIZATION, f"{words} for the events of {self.target}"), True
        if missing:
            return (Reason.UNKNOWN_TOPIC, f"the topics of {self.target} are not there"), True
        if unread:
            first = min(unread)
            reason, detail = unread[first]
            count = sum(len(indexes) for indexes in self._plan.wanted.values())
            where = f"{first.topic}/{first.partition}, {detail}"
            words = f"{len(unread)} of {count} partitions of {self.target} cannot be read: {where}"
            return (reason, words), len(unread) >= count
        if not on_time:
            return (Reason.TIMEOUT_RESPONSE, f"reading is {behind} records behind"), False
        return None

    def _tell(self, trouble: tuple[_Why, bool] | None, unread: int, behind: int) -> SeriesSet:
        labels = (self.cluster, self.target)
        samples, distributions = self._series.drain()
        note = f"{trouble[0][0]}: {trouble[0][1]}" if trouble is not None else None
        count = sum(len(indexes) for indexes in self._plan.wanted.values())
        samples += [
            Sample(EVENTS_UP, labels, float(trouble is None), note),
            Sample(EVENTS_PARTITIONS, labels, float(count)),
            Sample(EVENTS_PARTITIONS_UNREAD, labels, float(unread)),
            Sample(EVENTS_BEHIND_RECORDS, labels, float(behind)),
            left_out(key_of(self), "realm", self.seen.realms.left_out, "max_realms"),
            *self._plan.chosen.samples(key_of(self)),
        ]
        told = SeriesSet([], samples, distributions)
        if trouble is not None and trouble[1]:
            raise ProbeError(*trouble[0], told)
        return told
