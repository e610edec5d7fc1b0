"""Reads consumer groups from their coordinators, one broker after the other's own deadline, and remembers the rest."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from keywatch.engine.probe import Reason
from keywatch.engine.slices import Pieces, in_slices
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.errors import GROUP_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED, name_of, reason_of
from keywatch.kafka.peers import Peers
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import groups as group_wire
from keywatch.kafka.wire import requests, share_groups
from keywatch.kafka.wire.codec import Reader
from keywatch.kafka.wire.groups import GroupOffsets, ListedGroup
from keywatch.kafka.wire.reply_memory import ReplyMemory
from keywatch.kafka.wire.request import Request
from keywatch.kafka.wire.requests import TopicPartition

_Describe = Callable[[Sequence[str]], Request]
_Described = Callable[[Reader], dict[str, tuple[int, str, int]]]

_GROUPS_PER_REQUEST = 500
# Members are asked for when a group's state or coordinator changes, and else after this time; where there are many
# groups, so many of a broker's a cycle, those first of which least is known.
_MEMBERS_KNOWN_FOR = 5.0
_DESCRIBED_PER_CYCLE = 50
# A group moves between coordinators within this time; one that stays away longer was deleted.
_VANISHED_AFTER = 5.0
_MOST_ASKED_FOR = 20
_WITHOUT_MEMBERS = frozenset({"Empty", "Dead"})
_SHARE = "share"
# By which request, at least in which version, members are asked for; those of streams groups (KIP-1071) are not.
_DESCRIBED_BY: dict[str, tuple[int, int, _Describe, _Described]] = {
    "classic": (requests.DESCRIBE_GROUPS, 4, group_wire.describe_groups, group_wire.read_describe_groups),
    "consumer": (
        requests.CONSUMER_GROUP_DESCRIBE,
        0,
        group_wire.describe_consumer_groups,
        group_wire.read_describe_consumer_groups,
    ),
    _SHARE: (
        requests.SHARE_GROUP_DESCRIBE,
        1,
        share_groups.describe_share_groups,
        share_groups.read_describe_share_groups,
    ),
}


@dataclass(slots=True)
class ConsumerGroup:
    """A group as last known; `trouble` says why it could not be read in the last cycle.

    `offsets` and `unread` are new objects whenever they change. `asked` is the cycle in which it was last asked for its
    commits; `moved` says that its state or its coordinator changed since.
    """

    name: str
    kind: str = ""
    state: str = "Unknown"
    coordinator: str = ""
    members: int | None = None
    members_at: float = float("-inf")
    found: GroupOffsets | None = None
    asked: int = 0
    moved: bool = True
    offsets: dict[TopicPartition, int] = field(default_factory=dict)
    unread: dict[TopicPartition, str] = field(default_factory=dict)
    gone: dict[TopicPartition, float] = field(default_factory=dict)
    trouble: tuple[Reason, str] | None = None
    seen: float = float("-inf")


class Groups:
    """The groups of one cluster: those that `wanted` names, found by listing, and `named` ones in any case."""

    def __init__(
        self,
        topology: Topology,
        peers: Peers,
        wanted: Callable[[str], bool],
        named: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._topology = topology
        self._peers = peers
        self._wanted = wanted
        self._named = tuple(named)
        self._clock = clock
        self.known: dict[str, ConsumerGroup] = {}
        self.unread_brokers: dict[str, tuple[Reason, str]] = {}
        self.cycle = 0
        self._listed: dict[str, ReplyMemory[tuple[int, list[ListedGroup]]]] = {}
        self._committed: ReplyMemory[GroupOffsets] = ReplyMemory()

    async def fetch(self, timeout: float, may_wait: Callable[[ConsumerGroup], bool] = lambda _: False) -> None:
        """Read all groups within `timeout` seconds; what could not be read says so in `trouble` and `unread`.

        A group that `may_wait`, and that its coordinator lists as before, is not asked what it committed.
        """
        self.cycle += 1
        for group in self.known.values():
            group.trouble = (Reason.COORDINATOR, "no broker lists the group any more")
        self.unread_brokers = {}
        living = [broker.label for broker in self._topology.living()]
        for label in set(self._topology.brokers) - set(living):
            self.unread_brokers[label] = (Reason.COORDINATOR, f"broker {label} is down")
        await asyncio.gather(*(self._broker(label, timeout, may_wait) for label in living))
        now = self._clock()
        for group in self.known.values():
            if group.trouble is None:
                continue
            if group.coordinator in self.unread_brokers:
                reason, detail = self.unread_brokers[group.coordinator]
                group.trouble = (reason, f"its coordinator, broker {group.coordinator}: {detail}")
        for name in self._named:
            if name not in self.known:
                self.known[name] = ConsumerGroup(name, trouble=(Reason.COORDINATOR, "no broker lists this group"))
        await self._ask_for_rights(living, timeout / 2)
        for name, group in list(self.known.items()):
            gone = group.trouble is not None and now - group.seen > _VANISHED_AFTER and not self.unread_brokers
            if gone and name not in self._named:
                del self.known[name]
        self._committed.retain(self.known)

    async def _ask_for_rights(self, living: Sequence[str], timeout: float) -> None:
        """Ask by name for groups that are not listed: only so does a broker say that they may not be described."""
        now = self._clock()
        unlisted = [
            g for g in self.known.values() if g.trouble is not None and g.coordinator not in self.unread_brokers
        ]
        for group in unlisted[:_MOST_ASKED_FOR]:
            for label in living[:1]:
                request = group_wire.find_coordinator(group.name)
                with contextlib.suppress(BrokerError):
                    error, _ = await self._peers.ask(label, request, timeout, group_wire.read_find_coordinator)
                    if error == GROUP_AUTHORIZATION_FAILED:
                        group.trouble = (Reason.AUTHORIZATION, f"Describe on Group:{group.name} is missing")
                        group.seen = now

    async def refetch(self, groups: Iterable[ConsumerGroup], timeout: float) -> None:
        """Read what these groups committed, within `timeout` seconds, after they waited in `read`."""
        by_coordinator: dict[str, list[ConsumerGroup]] = {}
        for group in groups:
            by_coordinator.setdefault(group.coordinator, []).append(group)

        async def ask(label: str, some: list[ConsumerGroup]) -> None:
            try:
                await self._offsets(label, some, timeout)
            except BrokerError as error:
                self.unread_brokers[label] = (error.reason, error.detail)
                for group in some:
                    group.trouble = (error.reason, f"its coordinator, broker {label}: {error.detail}")

        await asyncio.gather(*(ask(label, some) for label, some in by_coordinator.items()))

    async def _broker(self, label: str, timeout: float, may_wait: Callable[[ConsumerGroup], bool]) -> None:
        """List a broker's groups, then fetch what they committed and who their members are, by one deadline."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        try:
            listed = await self._list(label, timeout)
            fresh = [self._adopt(label, group) for group in listed]
            asked = [group for group in fresh if group.moved or not may_wait(group)]
            now = self._clock()
            for group in fresh:
                if not group.moved and may_wait(group):
                    group.trouble, group.seen = None, now
            await self._offsets(label, asked, deadline - loop.time())
        except BrokerError as error:
            self.unread_brokers[label] = (error.reason, error.detail)
            return
        with contextlib.suppress(BrokerError):  # the lag is known; members are asked for again in the next cycle
            await self._members(label, fresh, deadline - loop.time())

    async def _list(self, label: str, timeout: float) -> list[ListedGroup]:
        version = min(await self._peers.highest(label, requests.LIST_GROUPS, timeout), 5)
        if version < 4:
            return await self._find(label, timeout)
        memory = self._listed.setdefault(label, ReplyMemory())
        error, groups = await self._peers.ask_much(
            label,
            group_wire.list_groups(version),
            timeout,
            lambda r: group_wire.reading_list_groups(r, version, memory),
        )
        if error:
            self.unread_brokers[label] = (reason_of(error), f"ListGroups: {name_of(error)}")
        return [g for g in groups if g.state != "Dead" and self._wanted(g.name)]

    async def _find(self, label: str, timeout: float) -> list[ListedGroup]:
        """Without ListGroups (Kafka before 2.6, librdkafka's mock) only groups named in the configuration are known."""
        found = []
        for name in self._named:
            request = group_wire.find_coordinator(name)
            error, coordinator = await self._peers.ask(label, request, timeout, group_wire.read_find_coordinator)
            if not error and str(coordinator) == label:
                found.append(ListedGroup(name, "consumer", "Unknown", ""))
        return found

    def _adopt(self, label: str, listed: ListedGroup) -> ConsumerGroup:
        group = self.known.setdefault(listed.name, ConsumerGroup(listed.name))
        if listed.state != group.state or label != group.coordinator:
            group.members_at = float("-inf")
            group.moved = True
        group.kind, group.state, group.coordinator = listed.kind or "classic", listed.state, label
        if listed.state in _WITHOUT_MEMBERS:
            group.members, group.members_at = 0, self._clock()
        return group

    async def _offsets(self, label: str, groups: Sequence[ConsumerGroup], timeout: float) -> None:
        if sharing := [group.name for group in groups if group.kind == _SHARE]:
            await self._start_offsets(label, sharing, timeout)
        await self._commits(label, [group for group in groups if group.kind != _SHARE], timeout)

    async def _start_offsets(self, label: str, sharing: Sequence[str], timeout: float) -> None:
        """Share groups (KIP-932) commit nothing; the first record that is not settled stands for the commit."""
        found = {name: GroupOffsets(0, {}) for name in sharing}
        if await self._peers.highest(label, requests.DESCRIBE_SHARE_GROUP_OFFSETS, timeout) >= 0:
            for names in _chunks(sharing, _GROUPS_PER_REQUEST):
                request = share_groups.fetch_start_offsets(names)
                found |= await self._peers.ask(label, request, timeout, share_groups.read_start_offsets)
        for name, offsets in found.items():
            known = self.known[name].found
            found[name] = known if known == offsets else offsets
        await in_slices(self._taking(found))

    async def _commits(self, label: str, groups: Sequence[ConsumerGroup], timeout: float) -> None:
        version = 8 if await self._peers.highest(label, requests.OFFSET_FETCH, timeout) >= 8 else 5
        for names in _chunks([group.name for group in groups], _GROUPS_PER_REQUEST if version >= 8 else 1):
            read = partial(group_wire.reading_fetched_offsets, groups=names, version=version, memory=self._committed)
            answer = await self._peers.ask_much(label, group_wire.fetch_offsets(names, version), timeout, read)
            if version < 8:
                for name, found in answer.items():
                    if not found.error and not found.offsets:
                        answer[name] = await self._named_offsets(label, name, timeout)
            await in_slices(self._taking(answer))

    async def _named_offsets(self, label: str, group: str, timeout: float) -> GroupOffsets:
        """Ask partition by partition: some brokers (librdkafka's mock) do not answer for all when none is named."""
        named = [TopicPartition(t, p) for t, states in (self._topology.topics or {}).items() for p in states]
        request = group_wire.fetch_offsets([group], 5, named)
        answer = await self._peers.ask(
            label, request, timeout, lambda reader: group_wire.read_fetched_offsets(reader, [group], 5)
        )
        return answer[group]

    def _taking(self, answer: Mapping[str, GroupOffsets]) -> Pieces[None]:
        for name, found in answer.items():
            group = self.known.get(name)
            if group is not None:
                group.asked = self.cycle
                self._take(group, found)
            yield

    def _take(self, group: ConsumerGroup, found: GroupOffsets) -> None:
        group.moved = False
        if found is group.found and not found.error and not group.gone:
            group.trouble, group.seen = None, self._clock()
            return
        group.found = found
        if found.error:
            group.trouble = (reason_of(found.error), f"OffsetFetch: {name_of(found.error)}")
            return
        read: dict[TopicPartition, int] = {}
        group.unread = {}
        self._keep(group, found, read)
        for partition, (error, offset) in found.offsets.items():
            if error:
                group.unread[partition] = name_of(error)
                if partition in group.offsets:
                    read[partition] = group.offsets[partition]
            elif offset != group_wire.NO_COMMIT:
                read[partition] = offset
        group.offsets, group.trouble, group.seen = read, None, self._clock()

    def _keep(self, group: ConsumerGroup, found: GroupOffsets, read: dict[TopicPartition, int]) -> None:
        """Keep commits that are gone from the answer: for a while, or for as long as the topic may not be described.

        A broker leaves out what may not be described, and the cluster probe needs a moment to find out that it is so.
        """
        now = self._clock()
        gone = group.offsets.keys() - found.offsets.keys()
        group.gone = {partition: group.gone.get(partition, now) for partition in gone}
        for partition, since in group.gone.items():
            if partition.topic in self._topology.forbidden or now - since < _VANISHED_AFTER:
                group.unread[partition] = name_of(TOPIC_AUTHORIZATION_FAILED)
                read[partition] = group.offsets[partition]

    async def _members(self, label: str, groups: Sequence[ConsumerGroup], timeout: float) -> None:
        now = self._clock()
        due = [group for group in groups if now - group.members_at > _MEMBERS_KNOWN_FOR]
        due = heapq.nsmallest(_DESCRIBED_PER_CYCLE, due, key=lambda group: group.members_at)
        found: dict[str, tuple[int, str, int]] = {}
        for kind, (api, version, request, read) in _DESCRIBED_BY.items():
            names = [group.name for group in due if group.kind == kind]
            if names and await self._peers.highest(label, api, timeout) >= version:
                for some in _chunks(names, _GROUPS_PER_REQUEST):
                    found.update(await self._peers.ask(label, request(some), timeout, read))
        for name, (error, _, members) in found.items():
            group = self.known.get(name)
            if group is not None and not error:
                group.members, group.members_at = members, self._clock()


def _chunks(names: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    for start in range(0, len(names), size):
        yield names[start : start + size]
