"""Reads the end or start offsets of many partitions: one request per leader, side by side, dead leaders left out."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from keywatch.engine.probe import Reason
from keywatch.engine.slices import Pieces, in_slices
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.errors import name_of, reason_of
from keywatch.kafka.peers import Peers
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import requests
from keywatch.kafka.wire.codec import Reader, WireError
from keywatch.kafka.wire.reply_memory import ReplyMemory
from keywatch.kafka.wire.request import Request
from keywatch.kafka.wire.requests import PartitionState, TopicPartition

_PARTITIONS_PER_PIECE = 1000

Wanted = Mapping[str, Collection[int]]
"""Topic → partitions whose offsets are asked for."""


@dataclass(slots=True)
class Offsets:
    """What was read, and why each other partition was not."""

    found: dict[TopicPartition, int] = field(default_factory=dict)
    unread: dict[TopicPartition, tuple[Reason, str]] = field(default_factory=dict)


@dataclass(slots=True)
class Reading:
    """What one reading of a `Watermarks` brought: the partitions whose offset is another now, and those not read."""

    changed: set[TopicPartition]
    unread: dict[TopicPartition, tuple[Reason, str]]


@dataclass(slots=True)
class _Leader:
    """What is asked of one leader, and its last reply, topic by topic."""

    wanted: list[TopicPartition]
    request: Request
    memory: ReplyMemory[int] = field(default_factory=ReplyMemory)


class Watermarks:
    """The offsets of one kind, `wire.END` or `wire.START`, of many partitions, read again and again.

    Requests are written anew only when the partitions or their leaders change, and of a reply only the topics that
    changed are decoded.
    """

    def __init__(self, topology: Topology, peers: Peers, timestamp: int) -> None:
        self._topology = topology
        self._peers = peers
        self._timestamp = timestamp
        self._wanted: Wanted = {}
        self._version = -1
        self._leaders: dict[int, _Leader] = {}
        self._leaderless: dict[TopicPartition, tuple[Reason, str]] = {}
        self._changed: set[TopicPartition] = set()
        self.known: dict[str, dict[int, int]] = {}
        """Topic → partition → offset as last read; what is unread now keeps its last known one."""

    async def fetch(self, wanted: Wanted, timeout: float) -> Reading:
        """Read within `timeout` seconds; never raises for a dead leader. The same object `wanted` means the same."""
        if wanted is not self._wanted or self._version != self._topology.version:
            await in_slices(self._plan(wanted))
        unread = dict(self._leaderless)
        await asyncio.gather(*(self._ask(label, leader, unread, timeout) for label, leader in self._leaders.items()))
        # Handed over only now: what changed in a reading that was cancelled is told by the next one.
        changed, self._changed = self._changed, set()
        return Reading(changed, unread)

    def get(self, partition: TopicPartition) -> int | None:
        """Return a partition's last known offset."""
        return self.known.get(partition.topic, {}).get(partition.partition)

    def record(self, partition: TopicPartition, offset: int) -> bool:
        """Record an offset that was read otherwise and later; returns whether it is another than the last one."""
        known = self.known.setdefault(partition.topic, {})
        if known.get(partition.partition) == offset:
            return False
        known[partition.partition] = offset
        for leader in self._leaders.values():
            leader.memory.drop(partition.topic)
        return True

    def drop(self, topic: str) -> None:
        """Drop a topic's offsets, because it was made anew; they are told as changed once they are read again."""
        self.known.pop(topic, None)
        for leader in self._leaders.values():
            leader.memory.drop(topic)

    def _plan(self, wanted: Wanted) -> Pieces[None]:
        """Write the requests; those of what was known before serve until all are written."""
        version, topics = self._topology.version, self._topology.topics or {}
        asked, leaderless = yield from by_leader(self._topology, wanted)
        leaders: dict[int, _Leader] = {}
        for leader, partitions in asked.items():
            leaders[leader] = _Leader(partitions, requests.list_offsets(partitions, self._timestamp))
            yield
        for topic in self.known.keys() - topics.keys():
            del self.known[topic]
        self._leaders, self._leaderless, self._wanted, self._version = leaders, leaderless, wanted, version

    async def _ask(
        self, label: int, leader: _Leader, unread: dict[TopicPartition, tuple[Reason, str]], timeout: float
    ) -> None:
        def take(topic: str, index: int, error: int, offset: int) -> None:
            if error or offset < 0:
                words = f"broker {label} answered {name_of(error)}" if error else "no offset was given"
                unread[TopicPartition(topic, index)] = (reason_of(error), words)
                self._topology.outdate()
                return
            known = self.known.setdefault(topic, {})
            if known.get(index) != offset:
                known[index] = offset
                self._changed.add(TopicPartition(topic, index))

        def read(reader: Reader) -> Pieces[None]:
            count = yield from requests.reading_list_offsets(reader, leader.memory, take)
            if count != len(leader.wanted):
                raise WireError(f"ListOffsets was answered for {count} of {len(leader.wanted)} partitions")

        try:
            await self._peers.ask_much(str(label), leader.request, timeout, read)
        except BrokerError as error:
            leader.memory.clear()
            unread.update(dict.fromkeys(leader.wanted, (error.reason, error.detail)))
        except BaseException:
            leader.memory.clear()
            raise


async def read_offsets(
    topology: Topology, peers: Peers, partitions: Iterable[TopicPartition], timestamp: int, timeout: float
) -> Offsets:
    """Read offsets of `partitions` once from their leaders within `timeout` seconds; as `Watermarks.read`."""
    wanted: dict[str, list[int]] = {}
    for topic, index in partitions:
        wanted.setdefault(topic, []).append(index)
    marks = Watermarks(topology, peers, timestamp)
    reading = await marks.fetch(wanted, timeout)
    found = {one: marks.known[one.topic][one.partition] for one in reading.changed if one not in reading.unread}
    return Offsets(found, reading.unread)


def without(wanted: Wanted, unread: Collection[TopicPartition]) -> Wanted:
    """Leave out what is `unread`; the same object when that is nothing."""
    if not unread:
        return wanted
    return {
        topic: [index for index in indexes if TopicPartition(topic, index) not in unread]
        for topic, indexes in wanted.items()
    }


_Planned = tuple[dict[int, list[TopicPartition]], dict[TopicPartition, tuple[Reason, str]]]


def by_leader(topology: Topology, wanted: Wanted) -> Pieces[_Planned]:
    """Sort partitions by leader, those that cannot be asked for apart with why."""
    topics: Mapping[str, Mapping[int, PartitionState]] = topology.topics or {}
    found: dict[int, list[TopicPartition]] = {}
    unread: dict[TopicPartition, tuple[Reason, str]] = {}
    for topic, indexes in wanted.items():
        states = topics.get(topic, {})
        for count, index in enumerate(indexes):
            partition, state = TopicPartition(topic, index), states.get(index)
            if state is None:
                unread[partition] = (Reason.UNKNOWN_TOPIC, "metadata does not know the partition")
            elif state.leader < 0:
                unread[partition] = (Reason.NO_LEADER, "the partition has no leader")
            elif topology.known_down(state.leader):
                reason, words = topology.why_down(state.leader)
                unread[partition] = (reason, f"its leader, {words}")
            else:
                found.setdefault(state.leader, []).append(partition)
            if count % _PARTITIONS_PER_PIECE == 0:
                yield
    return found, unread
