"""Reads consumer groups from their coordinators, one broker after the other's own deadline, and remembers the rest."""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import time
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import Any
from zlib import crc32

from keywatch import bounds
from keywatch.engine.deadline import Deadline
from keywatch.engine.probe import Reason
from keywatch.engine.slices import Pieces, in_slices
from keywatch.kafka.chosen_groups import ChosenGroups
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.consumer_group import ConsumerGroup
from keywatch.kafka.errors import (
    COORDINATOR_NOT_AVAILABLE,
    GROUP_AUTHORIZATION_FAILED,
    TOPIC_AUTHORIZATION_FAILED,
    name_of,
    reason_of,
)
from keywatch.kafka.group_lists import GroupLists
from keywatch.kafka.group_members import SHARE, describe_members
from keywatch.kafka.offsets_topic import OFFSETS_TOPIC, why_silent
from keywatch.kafka.peers import Peers
from keywatch.kafka.portions import in_portions, portions
from keywatch.kafka.rights import DESCRIBE_GROUPS
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import groups as group_wire
from keywatch.kafka.wire import requests, share_groups
from keywatch.kafka.wire.groups import GroupOffsets, ListedGroup
from keywatch.kafka.wire.reply_memory import ReplyMemory
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.names import shortened

_GROUPS_PER_REQUEST = 500
# A group moves between coordinators within this time; one that stays away longer was deleted.
_VANISHED_AFTER = 5.0
# Groups that no broker lists and that are asked for by name each cycle, those first for which it was longest ago; and
# the share of the time that is kept for it where there were such groups in the cycle before.
_MOST_ASKED_FOR = 20
_RIGHTS_SHARE = 0.2
_WITHOUT_MEMBERS = frozenset({"Empty", "Dead"})
_GROUPS_PER_PIECE = 500
# Of a group that was not asked yet nobody knows on how many partitions it committed.
_COMMITS_EXPECTED = 200
_BYTES_PER_COMMIT = 20
_UNRECKONED_EVERY = 60  # cycles


class Groups:
    """The groups of one cluster: those that are `chosen` of what brokers list, and `named` ones in any case."""

    def __init__(
        self,
        topology: Topology,
        peers: Peers,
        chosen: ChosenGroups,
        named: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
        *,
        beside: Peers | None = None,
        owners: int = 0,
    ) -> None:
        """Take whom to ask for which groups; of `owners` members of each broker's groups it is kept who they are."""
        self._topology = topology
        self._peers = peers
        self._chosen = chosen
        self._owners = owners
        self._named = tuple(named)
        self._clock = clock
        self.known: dict[str, ConsumerGroup] = {}
        self.unread_brokers: dict[str, tuple[Reason, str]] = {}
        self.cycle = 0
        self._unlisted = bool(named)
        self._lists = GroupLists(peers, beside or peers, chosen, named, clock)
        self._committed: ReplyMemory[GroupOffsets] = ReplyMemory()

    async def fetch(self, timeout: float, may_wait: Callable[[ConsumerGroup], bool] = lambda _: False) -> None:
        """Read all groups within `timeout` seconds; what could not be read says so in `trouble` and `unread`.

        A group that `may_wait`, and that its coordinator lists as before, is not asked what it committed.
        """
        deadline = Deadline(timeout)
        self.cycle += 1
        self._chosen.begin(first=self.cycle == 1)
        for group in self.known.values():
            group.trouble = (Reason.COORDINATOR, "no broker lists the group any more")
        self.unread_brokers = {}
        living = [broker.label for broker in self._topology.living()]
        for label in set(self._topology.brokers) - set(living):
            self.unread_brokers[label] = (Reason.COORDINATOR, f"broker {label} is down")
        reading = deadline.share(1 - _RIGHTS_SHARE if self._unlisted else 1)
        await asyncio.gather(*(self._broker(label, reading, may_wait) for label in living))
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
        unexplained = await in_slices(self._missing(now))
        await self._ask_for_rights(unexplained, living, deadline)
        self._let_go(now)
        self._committed.retain(self.known)
        self._lists.retain(self._topology.brokers)

    def _let_go(self, now: float) -> None:
        """Drop groups that are gone, and those that were put out for others while several brokers told theirs."""
        for name, group in list(self.known.items()):
            if name in self._named:
                continue
            if name not in self._chosen:
                del self.known[name]
                self._chosen.put_out(name, group.coordinator, uncounted=group.listed == self.cycle)
            elif group.trouble is not None and now - group.seen > _VANISHED_AFTER and not self.unread_brokers:
                del self.known[name]
                self._chosen.release(name)

    @property
    def unlistable(self) -> str:
        """Why only named groups are known, in words; empty where all are."""
        return self._lists.unlistable

    @property
    def left_out(self) -> int:
        """How many groups are left out, because there are more than are read."""
        return sum(self._chosen.left_out.values())

    @property
    def unreckoned(self) -> int:
        """On how many partitions groups committed whose lag is left out, because it is more than is reckoned."""
        return sum(group.unreckoned for group in self.known.values())

    def _missing(self, now: float) -> Pieces[list[ConsumerGroup]]:
        """Tell groups that are gone from those whose coordinator is: nobody lists these either, and they come back.

        Returns the groups of which that is not known.
        """
        unexplained = []
        for group in list(self.known.values()):
            if group.trouble is None or group.coordinator in self.unread_brokers:
                continue
            if (silent := why_silent(self._topology, group.name)) is not None:
                group.trouble, group.seen = silent, now
            else:
                unexplained.append(group)
                if now - group.seen <= _VANISHED_AFTER:
                    self._topology.outdate()  # it may be that metadata is older than this
            yield
        return unexplained

    async def _ask_for_rights(
        self, unlisted: Sequence[ConsumerGroup], living: Sequence[str], deadline: Deadline
    ) -> None:
        """Ask by name for groups that are not listed: only so does a broker say that they may not be described."""
        self._unlisted = bool(unlisted)
        chosen = heapq.nsmallest(_MOST_ASKED_FOR, unlisted, key=lambda group: group.named_at)
        if living and not deadline.over:
            await asyncio.gather(*(self._ask_by_name(living[0], group, deadline) for group in chosen))
        now = self._clock()
        for group in unlisted:
            if group.refusal is not None:
                group.trouble, group.seen = group.refusal, now

    async def _ask_by_name(self, label: str, group: ConsumerGroup, deadline: Deadline) -> None:
        group.named_at = self._clock()
        request = group_wire.find_coordinator(group.name)
        try:
            error, _ = await self._peers.ask(label, request, deadline.left, group_wire.read_find_coordinator)
        except BrokerError:
            return  # what was said before holds until somebody answers
        group.refusal = None
        if error == GROUP_AUTHORIZATION_FAILED:
            group.refusal = (Reason.AUTHORIZATION, DESCRIBE_GROUPS.missing(shortened(group.name)))
        elif error == COORDINATOR_NOT_AVAILABLE:
            group.refusal = (Reason.COORDINATOR, f"nobody leads the partition of {OFFSETS_TOPIC} which holds it")

    def rank(self, name: str) -> int:
        """Return how much a group matters, the most with 0."""
        return self._chosen.rank(name)

    def close(self) -> None:
        """Give up what is under way, and close the connections that are not for lags."""
        self._lists.close()

    async def refetch(self, groups: Iterable[ConsumerGroup], timeout: float) -> None:
        """Read what these groups committed, within `timeout` seconds, after they waited in `read`."""
        deadline = Deadline(timeout)
        by_coordinator: dict[str, list[ConsumerGroup]] = {}
        for group in groups:
            by_coordinator.setdefault(group.coordinator, []).append(group)

        async def ask(label: str, some: list[ConsumerGroup]) -> None:
            try:
                await self._offsets(label, some, deadline)
            except BrokerError as error:
                self.unread_brokers[label] = (error.reason, error.detail)
                for group in some:
                    group.trouble = (error.reason, f"its coordinator, broker {label}: {error.detail}")

        await asyncio.gather(*(ask(label, some) for label, some in by_coordinator.items()))

    async def _broker(self, label: str, deadline: Deadline, may_wait: Callable[[ConsumerGroup], bool]) -> None:
        """List a broker's groups, then fetch what they committed and who their members are, by one deadline."""
        try:
            error, listed = await self._lists.fetch(label, deadline, partial(self._of, label))
            if error:
                self.unread_brokers[label] = (reason_of(error), f"ListGroups: {name_of(error)}")
            fresh, asked = await in_slices(self._adopting(label, listed, may_wait))
            await self._offsets(label, asked, deadline)
        except BrokerError as failure:
            self.unread_brokers[label] = (failure.reason, failure.detail)
            return
        with contextlib.suppress(BrokerError):  # the lag is known; members are asked for again in the next cycle
            room = bounds.GROUP_PARTITIONS - sum(group.assigned for group in self.known.values())
            await describe_members(self._peers, label, fresh, room, deadline, self._clock, self._owners)

    def _of(self, label: str) -> Sequence[ListedGroup]:
        groups = [group for group in self.known.values() if group.coordinator == label]
        return [ListedGroup(group.name, group.protocol, group.state, group.kind) for group in groups]

    def _adopting(
        self, label: str, listed: Sequence[ListedGroup], may_wait: Callable[[ConsumerGroup], bool]
    ) -> Pieces[tuple[list[ConsumerGroup], list[ConsumerGroup]]]:
        """Take over what a broker lists: return its groups, and those of them to be asked what they committed."""
        now = self._clock()
        fresh: list[ConsumerGroup] = []
        asked: list[ConsumerGroup] = []
        for one in listed:
            group = self._adopt(label, one)
            fresh.append(group)
            if group.offsets and not self._chosen.is_reckoned(group.name):
                self._leave_out(group, len(group.offsets))
            waits = not self._its_turn(group) if group.unreckoned else not group.moved and may_wait(group)
            if waits:
                group.trouble, group.seen = None, now
            else:
                asked.append(group)
            if len(fresh) % _GROUPS_PER_PIECE == 0:
                yield
        # Should time run out, it is for those that matter least, and not always for the same ones.
        return fresh, sorted(asked, key=lambda group: (self._chosen.rank(group.name), group.asked))

    def _its_turn(self, group: ConsumerGroup) -> bool:
        """Return whether a group whose lag is left out is looked at again: it may have become smaller, or find room."""
        return crc32(group.name.encode()) % _UNRECKONED_EVERY == self.cycle % _UNRECKONED_EVERY

    def _leave_out(self, group: ConsumerGroup, partitions: int) -> None:
        group.unreckoned, group.found, group.offsets, group.unread, group.gone = partitions, None, {}, {}, {}
        group.moved = group.was_read = False
        self._committed.drop(group.name)

    def _adopt(self, label: str, listed: ListedGroup) -> ConsumerGroup:
        group = self.known.setdefault(listed.name, ConsumerGroup(listed.name))
        if listed.state != group.state or label != group.coordinator:
            group.members_at = float("-inf")
            group.moved = True
        group.refusal = None
        group.protocol, group.kind, group.seen = listed.protocol, listed.kind or "classic", self._clock()
        group.state, group.coordinator, group.listed = listed.state, label, self.cycle
        if listed.state in _WITHOUT_MEMBERS:
            group.members, group.members_at, group.reading = 0, self._clock(), None
        return group

    async def _offsets(self, label: str, groups: Sequence[ConsumerGroup], deadline: Deadline) -> None:
        if sharing := [group.name for group in groups if group.kind == SHARE]:
            await self._start_offsets(label, sharing, deadline)
        await self._commits(label, [group for group in groups if group.kind != SHARE], deadline)

    async def _start_offsets(self, label: str, sharing: Sequence[str], deadline: Deadline) -> None:
        """Share groups (KIP-932) commit nothing; the first record that is not settled stands for the commit."""
        found = {name: GroupOffsets(0, {}) for name in sharing}
        if await self._peers.highest(label, requests.DESCRIBE_SHARE_GROUP_OFFSETS, deadline.left) < 0:
            for name in sharing:  # Kafka before 4.1 does not tell, so that nothing is known of their lag
                self.known[name].trouble, self.known[name].moved = None, False
            return

        async def ask(names: Sequence[str]) -> None:
            request = share_groups.fetch_start_offsets(names)
            found.update(await self._peers.ask(label, request, deadline.left, share_groups.read_start_offsets))

        await self._in_portions(sharing, _GROUPS_PER_REQUEST, ask)
        for name, offsets in found.items():
            known = self.known[name].found
            found[name] = known if known == offsets else offsets
        await in_slices(self._taking(found))

    async def _commits(self, label: str, groups: Sequence[ConsumerGroup], deadline: Deadline) -> None:
        version = 8 if await self._peers.highest(label, requests.OFFSET_FETCH, deadline.left) >= 8 else 5
        took = 0.0

        async def ask(names: Sequence[str]) -> None:
            nonlocal took
            if (left := deadline.left) < took:  # to ask and to give up would cost the connection
                raise BrokerError(Reason.TIMEOUT_RESPONSE, "there was no time left to read what all groups committed")
            read = partial(group_wire.reading_fetched_offsets, groups=names, version=version, memory=self._committed)
            answer = await self._peers.ask_much(label, group_wire.fetch_offsets(names, version), left, read)
            took = left - deadline.left
            if version < 8:
                for name, found in answer.items():
                    if not found.error and not found.offsets:
                        answer[name] = await self._named_offsets(label, name, deadline)
            await in_slices(self._taking(answer))

        most = _GROUPS_PER_REQUEST if version >= 8 else 1
        if len(groups) > most:  # those that were left out when there was too little time come first now
            groups = sorted(groups, key=lambda group: group.asked)
        await self._in_portions([group.name for group in groups], most, ask)

    async def _in_portions(
        self, names: Iterable[str], most: int, ask: Callable[[Sequence[str]], Coroutine[Any, Any, None]]
    ) -> None:
        await in_portions(portions(names, most, bounds.COMMITS_PER_REQUEST, self._expected), ask, self._too_large)

    def _too_large(self, name: str, error: BrokerError) -> None:
        group = self.known[name]
        group.trouble = (error.reason, f"what it committed is too large to be read: {error.too_large} bytes")
        group.seen = self._clock()  # it is there

    def _expected(self, name: str) -> int:
        """Return for how many commits an answer about a group is expected to be as large."""
        group = self.known[name]
        known = len(group.offsets) or group.unreckoned or (0 if group.asked else _COMMITS_EXPECTED)
        return known + len(name) // _BYTES_PER_COMMIT

    async def _named_offsets(self, label: str, group: str, deadline: Deadline) -> GroupOffsets:
        """Ask partition by partition: some brokers (librdkafka's mock) do not answer for all when none is named."""
        named = [TopicPartition(t, p) for t, states in (self._topology.topics or {}).items() for p in states]
        request = group_wire.fetch_offsets([group], 5, named)
        answer = await self._peers.ask(
            label, request, deadline.left, lambda reader: group_wire.read_fetched_offsets(reader, [group], 5)
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
        if not found.error and not self._chosen.reckoned(group.name, len(found.offsets)):
            self._leave_out(group, len(found.offsets))
            group.trouble, group.seen = None, self._clock()
            return
        group.unreckoned = 0
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
        group.offsets, group.trouble, group.seen, group.was_read = read, None, self._clock(), True

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
