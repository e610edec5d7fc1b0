"""Asks coordinators who the members of their groups are and what they read, so many groups of each broker a cycle."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from keywatch.engine.deadline import Deadline
from keywatch.engine.slices import Pieces
from keywatch.kafka.consumer_group import ConsumerGroup
from keywatch.kafka.peers import Peers
from keywatch.kafka.portions import in_portions
from keywatch.kafka.wire import members, requests, share_groups
from keywatch.kafka.wire.codec import Reader
from keywatch.kafka.wire.members import Described
from keywatch.kafka.wire.request import Request

SHARE: Final = "share"
"""The kind of groups that settle record by record (KIP-932)."""
# They are asked for when a group's state or coordinator changes, and else after this time; where there are many groups,
# so many of a broker's a cycle, those first of which least is known.
_KNOWN_FOR = 5.0
_PER_CYCLE = 50
_Describe = Callable[[Sequence[str]], Request]
_Read = Callable[[Reader, int], Pieces[dict[str, Described]]]
# By which request, at least in which version; those of streams groups (KIP-1071) are not asked for.
_DESCRIBED_BY: dict[str, tuple[int, int, _Describe, _Read]] = {
    "classic": (requests.DESCRIBE_GROUPS, 4, members.describe_groups, members.reading_describe_groups),
    "consumer": (
        requests.CONSUMER_GROUP_DESCRIBE,
        0,
        members.describe_consumer_groups,
        members.reading_describe_consumer_groups,
    ),
    SHARE: (
        requests.SHARE_GROUP_DESCRIBE,
        1,
        share_groups.describe_share_groups,
        share_groups.reading_describe_share_groups,
    ),
}


async def describe_members(
    peers: Peers,
    label: str,
    groups: Iterable[ConsumerGroup],
    room: int,
    deadline: Deadline,
    clock: Callable[[], float],
    owners: int = 0,
) -> None:
    """Ask a broker for the members of its groups that are due, by a `deadline`; raises `BrokerError`.

    Of so many `owners` in an answer it is kept who they are, and what is assigned to each.

    For what they read there is so much `room`, in partitions and topics; of a group for which it is too little that is
    not kept, and nothing is concluded from it.
    """
    now = clock()
    due = [group for group in groups if now - group.members_at > _KNOWN_FOR]
    due = heapq.nsmallest(_PER_CYCLE, due, key=lambda group: group.members_at)
    found: dict[str, Described] = {}
    for kind, (api, version, request, read) in _DESCRIBED_BY.items():
        names = [group.name for group in due if group.kind == kind]

        async def ask(some: Sequence[str], request: _Describe = request, read: _Read = read) -> None:
            found.update(await peers.ask_much(label, request(some), deadline.left, lambda reader: read(reader, owners)))

        if names and await peers.highest(label, api, deadline.left) >= version:
            # One of very many members costs the number of its own, and neither that of others nor its lag.
            await in_portions([names], ask, lambda *_: None)
    for group in due:
        described = found.get(group.name)
        if described is not None and not described.error:
            room += group.assigned
            _take(group, described, room, clock())
            room -= group.assigned


def _take(group: ConsumerGroup, found: Described, room: int, now: float) -> None:
    group.members, group.members_at = found.members, now
    reading = found.reading
    if not found.members or (reading is not None and len(reading.assigned) + len(reading.subscribed) > room):
        group.reading = None
    elif reading is not None and reading != group.reading:
        group.reading = reading
