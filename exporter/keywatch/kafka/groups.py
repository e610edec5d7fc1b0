"""Reads consumer groups from their coordinators, one broker after the other's own deadline, and remembers the rest."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from keywatch.kafka import group_wire, wire
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.errors import GROUP_AUTHORIZATION_FAILED, TOPIC_AUTHORIZATION_FAILED, name_of, reason_of
from keywatch.kafka.group_wire import GroupOffsets, ListedGroup
from keywatch.kafka.peers import Peers
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import TopicPartition
from keywatch.probe import Reason

_GROUPS_PER_REQUEST = 500
_MEMBERS_KNOWN_FOR = 5.0
# A group moves between coordinators within this time; one that stays away longer was deleted.
_VANISHED_AFTER = 5.0
_MOST_ASKED_FOR = 20
_WITHOUT_MEMBERS = frozenset({"Empty", "Dead"})


@dataclass(slots=True)
class Group:
    """A group as last known; `trouble` says why it could not be read in the last cycle."""

    name: str
    kind: str = ""
    state: str = "Unknown"
    coordinator: str = ""
    members: int | None = None
    members_at: float = float("-inf")
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
        self.known: dict[str, Group] = {}
        self.unread_brokers: dict[str, tuple[Reason, str]] = {}

    async def read(self, timeout: float) -> None:
        """Read all groups within `timeout` seconds; what could not be read says so in `trouble` and `unread`."""
        for group in self.known.values():
            group.trouble = (Reason.COORDINATOR, "no broker lists the group any more")
        self.unread_brokers = {}
        living = [broker.label for broker in self._topology.living()]
        for label in set(self._topology.brokers) - set(living):
            self.unread_brokers[label] = (Reason.COORDINATOR, f"broker {label} is down")
        await asyncio.gather(*(self._broker(label, timeout) for label in living))
        now = self._clock()
        for group in self.known.values():
            if group.trouble is None:
                continue
            if group.coordinator in self.unread_brokers:
                reason, detail = self.unread_brokers[group.coordinator]
                group.trouble = (reason, f"its coordinator, broker {group.coordinator}: {detail}")
        for name in self._named:
            if name not in self.known:
                self.known[name] = Group(name, trouble=(Reason.COORDINATOR, "no broker lists this group"))
        await self._ask_for_rights(living, timeout / 2)
        for name, group in list(self.known.items()):
            gone = group.trouble is not None and now - group.seen > _VANISHED_AFTER and not self.unread_brokers
            if gone and name not in self._named:
                del self.known[name]

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

    async def _broker(self, label: str, timeout: float) -> None:
        """List a broker's groups, then fetch what they committed and who their members are, by one deadline."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        try:
            listed = await self._list(label, timeout)
            fresh = [self._adopt(label, group) for group in listed]
            await self._offsets(label, fresh, deadline - loop.time())
        except BrokerError as error:
            self.unread_brokers[label] = (error.reason, error.detail)
            return
        with contextlib.suppress(BrokerError):  # the lag is known; members are asked for again in the next cycle
            await self._members(label, fresh, deadline - loop.time())

    async def _list(self, label: str, timeout: float) -> list[ListedGroup]:
        version = min(await self._peers.highest(label, wire.LIST_GROUPS, timeout), 5)
        if version < 4:
            return await self._find(label, timeout)
        error, groups = await self._peers.ask(
            label, group_wire.list_groups(version), timeout, lambda r: group_wire.read_list_groups(r, version)
        )
        if error:
            self.unread_brokers[label] = (reason_of(error), f"ListGroups: {name_of(error)}")
        return [g for g in groups if g.kind != "share" and g.state != "Dead" and self._wanted(g.name)]

    async def _find(self, label: str, timeout: float) -> list[ListedGroup]:
        """Without ListGroups (Kafka before 2.6, librdkafka's mock) only groups named in the configuration are known."""
        found = []
        for name in self._named:
            request = group_wire.find_coordinator(name)
            error, coordinator = await self._peers.ask(label, request, timeout, group_wire.read_find_coordinator)
            if not error and str(coordinator) == label:
                found.append(ListedGroup(name, "consumer", "Unknown", ""))
        return found

    def _adopt(self, label: str, listed: ListedGroup) -> Group:
        group = self.known.setdefault(listed.name, Group(listed.name))
        if listed.state != group.state or label != group.coordinator:
            group.members_at = float("-inf")
        group.kind, group.state, group.coordinator = listed.kind or "classic", listed.state, label
        if listed.state in _WITHOUT_MEMBERS:
            group.members, group.members_at = 0, self._clock()
        return group

    async def _offsets(self, label: str, groups: Sequence[Group], timeout: float) -> None:
        version = 8 if await self._peers.highest(label, wire.OFFSET_FETCH, timeout) >= 8 else 5
        for names in _chunks([group.name for group in groups], _GROUPS_PER_REQUEST if version >= 8 else 1):
            answer = await self._peers.ask(
                label,
                group_wire.fetch_offsets(names, version),
                timeout,
                lambda r, names=names: group_wire.read_fetched_offsets(r, names, version),  # type: ignore[misc]
            )
            for name, found in answer.items():
                if version < 8 and not found.error and not found.offsets:
                    found = await self._named_offsets(label, name, timeout)  # noqa: PLW2901 - a fuller answer
                self._take(self.known[name], found)

    async def _named_offsets(self, label: str, group: str, timeout: float) -> GroupOffsets:
        """Ask partition by partition: some brokers (librdkafka's mock) do not answer for all when none is named."""
        named = [TopicPartition(t, p) for t, states in (self._topology.topics or {}).items() for p in states]
        request = group_wire.fetch_offsets([group], 5, named)
        answer = await self._peers.ask(
            label, request, timeout, lambda reader: group_wire.read_fetched_offsets(reader, [group], 5)
        )
        return answer[group]

    def _take(self, group: Group, found: GroupOffsets) -> None:
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

    def _keep(self, group: Group, found: GroupOffsets, read: dict[TopicPartition, int]) -> None:
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

    async def _members(self, label: str, groups: Sequence[Group], timeout: float) -> None:
        due = [g for g in groups if self._clock() - g.members_at > _MEMBERS_KNOWN_FOR]
        classic = [group.name for group in due if group.kind != "consumer"]
        modern = [group.name for group in due if group.kind == "consumer"]
        found: dict[str, tuple[int, str, int]] = {}
        if classic and await self._peers.highest(label, wire.DESCRIBE_GROUPS, timeout) >= 4:
            for names in _chunks(classic, _GROUPS_PER_REQUEST):
                request = group_wire.describe_groups(names)
                found.update(await self._peers.ask(label, request, timeout, group_wire.read_describe_groups))
        if modern:
            for names in _chunks(modern, _GROUPS_PER_REQUEST):
                request = group_wire.describe_consumer_groups(names)
                found.update(await self._peers.ask(label, request, timeout, group_wire.read_describe_consumer_groups))
        for name, (error, _, members) in found.items():
            group = self.known.get(name)
            if group is not None and not error:
                group.members, group.members_at = members, self._clock()


def _chunks(names: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    for start in range(0, len(names), size):
        yield names[start : start + size]
