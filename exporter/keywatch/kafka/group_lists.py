"""Asks brokers which groups they coordinate, and reads as many of them as are chosen; of the others only the number."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from keywatch import bounds
from keywatch.engine import supervised
from keywatch.engine.deadline import Deadline
from keywatch.engine.probe import Reason
from keywatch.engine.supervised import Part
from keywatch.kafka.chosen_groups import ChosenGroups, ListedPart
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.peers import Peers
from keywatch.kafka.releases import OLDEST_WITH_GROUPS
from keywatch.kafka.wire import groups as group_wire
from keywatch.kafka.wire import requests
from keywatch.kafka.wire.groups import ListedGroup
from keywatch.kafka.wire.reply_memory import ReplyMemory

# Where the whole list of a broker is too large, these are asked for: whoever floods it has no members, as a rule.
_WITH_MEMBERS = ("Stable", "PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling", "NotReady")
_TOO_LARGE_FOR = 30.0
# Of ListGroups, the first version that tells the states of groups (KIP-518).
_TELLS_STATES = 4
# So many groups of a broker are a large list: it takes longer than the look at lags may.
_LARGE = 10_000
_LARGE_WITHIN = 10.0
_LARGE_EVERY = 3.0
# Reading it takes a fifth of a core: slices of 4 ms, and then this long a rest.
_REST = 0.016
# Of the time for a look, what is waited for a large list before the last one serves, which it does for so long.
_PATIENCE = 0.3
_SERVES = 30.0
_LARGEST_ENTRY = 33_000  # bytes of a group in such a list: a name of 32,767, and a few words

_Listed = tuple[int, Sequence[ListedGroup]]


@dataclass(slots=True)
class _List:
    """What a broker listed last, and for which choice that was sorted; `active_until` only some states are listed."""

    memory: ReplyMemory[tuple[int, ListedPart]] = field(default_factory=ReplyMemory)
    version: tuple[int, int] = (0, 0)
    active_until: float = float("-inf")
    is_large: bool = False
    reading: asyncio.Future[_Listed] | None = None
    last: _Listed | None = None
    read_at: float = float("-inf")


class GroupLists:
    """The lists of all brokers of one cluster; a list that says the same is neither decoded nor sorted again.

    One that is large is read `beside`, on connections of its own and for as long as it takes, so that no lag waits for
    it; the one before serves meanwhile.
    """

    def __init__(
        self,
        peers: Peers,
        beside: Peers,
        chosen: ChosenGroups,
        named: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._peers = peers
        self._beside = beside
        self._chosen = chosen
        self._named = tuple(named)
        self._clock = clock
        self._lists: dict[str, _List] = {}
        self.unlistable = ""
        """Why only named groups are known, in words; empty where all are."""

    async def fetch(self, label: str, deadline: Deadline, known: Callable[[], Sequence[ListedGroup]]) -> _Listed:
        """Return an error code of Kafka, and the chosen groups that a broker coordinates; raises `BrokerError`.

        `known` are those that it coordinated when it was last asked: where its whole list is too large to be read, only
        groups with members are listed, and the others are taken to be there.
        """
        version = min(await self._peers.highest(label, requests.LIST_GROUPS, deadline.left), 5)
        if version < _TELLS_STATES:
            # librdkafka's mock has none.
            self.unlistable = await self._why(label, deadline.left) if version >= 0 else ""
            return 0, await self._find(label, deadline)
        self.unlistable = ""
        kept = self._lists.setdefault(label, _List())
        if kept.reading is None and not kept.is_large:
            try:
                return await self._read(label, self._peers, version, kept, deadline, known)
            except BrokerError as error:
                kept.is_large = error.reason is Reason.TIMEOUT_RESPONSE
                raise
        if kept.reading is None and kept.last is not None and self._clock() - kept.read_at < _LARGE_EVERY:
            return self._still_chosen(kept.last)
        if kept.reading is None:
            reading = self._read(label, self._beside, version, kept, Deadline(_LARGE_WITHIN), known)
            kept.reading = supervised.task(Part.QUESTION, reading, f"groups of {label}", answers=(BrokerError,))
        done, _ = await asyncio.wait({kept.reading}, timeout=deadline.share(_PATIENCE).left)
        if done:
            read, kept.reading = kept.reading, None
            return read.result()
        if kept.last is None or self._clock() - kept.read_at > _SERVES:
            raise BrokerError(Reason.TIMEOUT_RESPONSE, f"broker {label} has not told its groups yet")
        return self._still_chosen(kept.last)

    def _still_chosen(self, listed: _Listed) -> _Listed:
        code, groups = listed
        return code, [group for group in groups if group.name in self._chosen]

    async def _read(
        self,
        label: str,
        peers: Peers,
        version: int,
        kept: _List,
        deadline: Deadline,
        known: Callable[[], Sequence[ListedGroup]],
    ) -> _Listed:
        if kept.version != self._chosen.version:
            # Noted before it is read: what a reading that is cut short has decoded serves the next one.
            kept.version = self._chosen.version
            kept.memory.clear()
        states = _WITH_MEMBERS if self._clock() < kept.active_until else ()
        try:
            error, parts = await self._ask(label, peers, version, states, kept, deadline)
        except BrokerError as refusal:
            if not refusal.too_large or states:
                raise
            kept.active_until = self._clock() + _TOO_LARGE_FOR
            states = _WITH_MEMBERS
            self._chosen.left_out[label] = max(refusal.too_large // _LARGEST_ENTRY - len(known()), 1)
            error, parts = await self._ask(label, peers, version, states, kept, deadline)
        sorted_in = [group for part in parts for group in part.groups]
        groups = [group for group in sorted_in if group.name in self._chosen]  # or put out for one further down
        count = sum(part.left_out for part in parts) + len(sorted_in)
        if states:
            listed = {group.name for group in groups}
            groups += [group._replace(state="Empty") for group in known() if group.name not in listed]
        else:
            self._chosen.left_out[label] = count - len(groups)
        kept.is_large = count > _LARGE
        kept.last, kept.read_at = (error, groups), self._clock()
        return kept.last

    def close(self) -> None:
        """Give up what is under way, and close the connections for it."""
        self.retain(())
        self._beside.close()

    def retain(self, brokers: Collection[str] | Mapping[str, object]) -> None:
        """Drop the lists of all other brokers."""
        for label in [label for label in self._lists if label not in brokers]:
            if (reading := self._lists.pop(label).reading) is not None:
                reading.cancel()
            self._chosen.left_out.pop(label, None)

    async def _ask(
        self, label: str, peers: Peers, version: int, states: Sequence[str], kept: _List, deadline: Deadline
    ) -> tuple[int, list[ListedPart]]:
        return await peers.ask_much(
            label,
            group_wire.list_groups(version, states),
            deadline.left,
            lambda r: group_wire.reading_list_groups(r, version, kept.memory, self._chosen.sort),
            bounds.LISTING_BYTES,
            _REST if kept.is_large else 0.0,
        )

    async def _why(self, label: str, timeout: float) -> str:
        kafka = await self._peers.release(label, timeout)
        words = f"Kafka {kafka} by the requests that it speaks; which groups there are is told from"
        return f"{words} {OLDEST_WITH_GROUPS} on"

    async def _find(self, label: str, deadline: Deadline) -> Sequence[ListedGroup]:
        """Without ListGroups (Kafka before 2.6, librdkafka's mock) only groups named in the configuration are known."""
        calls = [
            self._peers.ask(label, group_wire.find_coordinator(name), deadline.left, group_wire.read_find_coordinator)
            for name in self._named
        ]
        found = []
        for name, answer in zip(self._named, await asyncio.gather(*calls, return_exceptions=True), strict=True):
            if isinstance(answer, BaseException):
                raise answer
            error, coordinator = answer
            if not error and str(coordinator) == label:
                found.append(ListedGroup(name, "consumer", "Unknown", ""))
        return self._chosen.sort(found).groups
