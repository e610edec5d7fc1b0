"""Asks brokers which groups they coordinate, and reads as many of them as are chosen; of the others only the number."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from keywatch import bounds
from keywatch.kafka.chosen_groups import ChosenGroups, ListedPart
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.peers import Peers
from keywatch.kafka.wire import groups as group_wire
from keywatch.kafka.wire import requests
from keywatch.kafka.wire.groups import ListedGroup
from keywatch.kafka.wire.reply_memory import ReplyMemory

# Where the whole list of a broker is too large, these are asked for: whoever floods it has no members, as a rule.
_WITH_MEMBERS = ("Stable", "PreparingRebalance", "CompletingRebalance", "Assigning", "Reconciling", "NotReady")
_TOO_LARGE_FOR = 30.0
_LARGEST_ENTRY = 33_000  # bytes of a group in such a list: a name of 32,767, and a few words


@dataclass(slots=True)
class _List:
    """What a broker listed last, and for which choice that was sorted; `active_until` only some states are listed."""

    memory: ReplyMemory[tuple[int, ListedPart]] = field(default_factory=ReplyMemory)
    version: tuple[int, int] = (0, 0)
    active_until: float = float("-inf")


class GroupLists:
    """The lists of all brokers of one cluster; a list that says the same is neither decoded nor sorted again."""

    def __init__(
        self,
        peers: Peers,
        chosen: ChosenGroups,
        named: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._peers = peers
        self._chosen = chosen
        self._named = tuple(named)
        self._clock = clock
        self._lists: dict[str, _List] = {}

    async def fetch(
        self, label: str, timeout: float, known: Callable[[], Sequence[ListedGroup]]
    ) -> tuple[int, Sequence[ListedGroup]]:
        """Return an error code of Kafka, and the chosen groups that a broker coordinates; raises `BrokerError`.

        `known` are those that it coordinated when it was last asked: where its whole list is too large to be read, only
        groups with members are listed, and the others are taken to be there.
        """
        version = min(await self._peers.highest(label, requests.LIST_GROUPS, timeout), 5)
        if version < 4:
            return 0, await self._find(label, timeout)
        kept = self._lists.setdefault(label, _List())
        if kept.version != self._chosen.version:
            kept.memory.clear()
        states = _WITH_MEMBERS if self._clock() < kept.active_until else ()
        try:
            error, parts = await self._ask(label, version, states, kept, timeout)
        except BrokerError as refusal:
            if not refusal.too_large or states:
                raise
            kept.active_until = self._clock() + _TOO_LARGE_FOR
            states = _WITH_MEMBERS
            self._chosen.left_out[label] = max(refusal.too_large // _LARGEST_ENTRY - len(known()), 1)
            error, parts = await self._ask(label, version, states, kept, timeout)
        sorted_in = [group for part in parts for group in part.groups]
        groups = [group for group in sorted_in if group.name in self._chosen]  # or put out for one further down
        if states:
            listed = {group.name for group in groups}
            return error, [*groups, *(group._replace(state="Empty") for group in known() if group.name not in listed)]
        self._chosen.left_out[label] = sum(part.left_out for part in parts) + len(sorted_in) - len(groups)
        return error, groups

    def retain(self, brokers: Collection[str] | Mapping[str, object]) -> None:
        """Drop the lists of all other brokers."""
        for label in [label for label in self._lists if label not in brokers]:
            del self._lists[label]
            self._chosen.left_out.pop(label, None)

    async def _ask(
        self, label: str, version: int, states: Sequence[str], kept: _List, timeout: float
    ) -> tuple[int, list[ListedPart]]:
        answer = await self._peers.ask_much(
            label,
            group_wire.list_groups(version, states),
            timeout,
            lambda r: group_wire.reading_list_groups(r, version, kept.memory, self._chosen.sort),
            bounds.LISTING_BYTES,
        )
        kept.version = self._chosen.version
        return answer

    async def _find(self, label: str, timeout: float) -> Sequence[ListedGroup]:
        """Without ListGroups (Kafka before 2.6, librdkafka's mock) only groups named in the configuration are known."""
        found = []
        for name in self._named:
            request = group_wire.find_coordinator(name)
            error, coordinator = await self._peers.ask(label, request, timeout, group_wire.read_find_coordinator)
            if not error and str(coordinator) == label:
                found.append(ListedGroup(name, "consumer", "Unknown", ""))
        return self._chosen.sort(found).groups
