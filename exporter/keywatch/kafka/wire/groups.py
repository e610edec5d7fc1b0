"""The raw requests about consumer groups: who coordinates, which exist, what they committed."""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

from keywatch.engine.slices import Pieces, at_once
from keywatch.kafka.wire.codec import Reader, Writer
from keywatch.kafka.wire.reply_memory import ReplyMemory
from keywatch.kafka.wire.request import Request
from keywatch.kafka.wire.requests import (
    FIND_COORDINATOR,
    LIST_GROUPS,
    OFFSET_FETCH,
    TopicPartition,
)

_T = TypeVar("_T")
NO_COMMIT = -1
_GROUPS_PER_PIECE = 200
# Index, offset, leader epoch, the note's length (0 and 1: none), error code, tagged fields: all alike without a note.
_COMMIT = struct.Struct(">iqiBhB")


class ListedGroup(NamedTuple):
    """A group as its coordinator lists it; `kind` is `classic`, `consumer` (KIP-848), `share` … or empty."""

    name: str
    protocol: str
    state: str
    kind: str


class GroupOffsets(NamedTuple):
    """What a group committed: an error of the whole group, and partition → error code, offset."""

    error: int
    offsets: dict[TopicPartition, tuple[int, int]]


def list_groups(version: int, states: Sequence[str] = ()) -> Request:
    """Ask a broker which groups it coordinates, version 4 or 5 (5 tells the kind, KIP-848); of all states for none."""
    body = Writer(flexible=True)
    body.array(states, body.string)
    if version >= 5:
        body.array((), str)
    return Request(LIST_GROUPS, version, True, body.tags().done())


def read_list_groups(reader: Reader, version: int) -> tuple[int, list[ListedGroup]]:
    """Read a reply to ListGroups v4 or v5: error code, groups."""
    error, parts = at_once(reading_list_groups(reader, version, ReplyMemory(), list))
    return error, [group for part in parts for group in part]


def reading_list_groups(
    reader: Reader, version: int, memory: ReplyMemory[tuple[int, _T]], sort: Callable[[Sequence[ListedGroup]], _T]
) -> Pieces[tuple[int, list[_T]]]:
    """Read a reply to ListGroups in pieces: error code, and what `sort` made of each part of the groups.

    A part that is as in `memory` is not decoded again, wherever it stands in the reply: brokers list groups in an order
    that stays, so of 100,000 groups only those cost anything beside which one came or went.
    """
    reader.int32()  # throttle time
    error = reader.int16()
    left = reader.count()
    parts: list[_T] = []
    names: set[str] = set()
    while left > 0:
        start, name = reader.position, reader.string()
        reader.back(start)
        known = memory.recall(reader, name)
        if known is None:
            known = _listed_part(reader, version, memory, min(left, _GROUPS_PER_PIECE), sort)
            memory.record(reader, name, start, known)
        names.add(name)
        left -= known[0]
        parts.append(known[1])
        yield
    memory.retain(names)
    return error, parts


def _listed_part(
    reader: Reader,
    version: int,
    memory: ReplyMemory[tuple[int, _T]],
    most: int,
    sort: Callable[[Sequence[ListedGroup]], _T],
) -> tuple[int, _T]:
    """Decode groups up to one with which a known part begins: how many they are, and what `sort` makes of them."""
    groups: list[ListedGroup] = []
    while len(groups) < most:
        start, name = reader.position, reader.string()
        if groups and name in memory:
            reader.back(start)
            break
        protocol, state = reader.string(), reader.string()
        kind = reader.string() if version >= 5 else ""
        reader.tags()
        groups.append(ListedGroup(name, protocol, state, kind.lower()))
    return len(groups), sort(groups)


def find_coordinator(group: str) -> Request:
    """Ask who coordinates a group, version 2."""
    return Request(FIND_COORDINATOR, 2, False, Writer().string(group).int8(0).done())


def read_find_coordinator(reader: Reader) -> tuple[int, int]:
    """Read a reply to FindCoordinator v2: error code, broker id."""
    reader.int32()  # throttle time
    error = reader.int16()
    reader.nullable_string()  # message
    return error, reader.int32()


def fetch_offsets(groups: Sequence[str], version: int, named: Sequence[TopicPartition] | None = None) -> Request:
    """Ask for all committed offsets: of many groups (version 8, KIP-709), or of one (version 5).

    With version 5 only those of the partitions `named`, if given.
    """
    if version < 8:
        one = Writer().string(groups[0])
        topics: dict[str, list[int]] = {}
        for topic, partition in named or ():
            topics.setdefault(topic, []).append(partition)
        items = None if named is None else topics.items()
        one.array(items, lambda item: one.string(item[0]).array(item[1], one.int32))
        return Request(OFFSET_FETCH, 5, False, one.done())
    body = Writer(flexible=True)
    body.array(groups, lambda group: body.string(group).array(None, str).tags())
    # Not `require stable`: an open transaction must not hide what is committed.
    return Request(OFFSET_FETCH, 8, True, body.boolean(False).tags().done())


def read_fetched_offsets(reader: Reader, groups: Sequence[str], version: int) -> dict[str, GroupOffsets]:
    """Read a reply to OffsetFetch v8 or v5: group → offsets."""
    return at_once(reading_fetched_offsets(reader, groups, version, ReplyMemory()))


def reading_fetched_offsets(
    reader: Reader, groups: Sequence[str], version: int, memory: ReplyMemory[GroupOffsets]
) -> Pieces[dict[str, GroupOffsets]]:
    """Read a reply to OffsetFetch in pieces; what a group committed that is as in `memory` stays the same object."""
    reader.int32()  # throttle time
    found: dict[str, GroupOffsets] = {}
    for index in range(1 if version < 8 else reader.count()):
        name = groups[index] if version < 8 else reader.string()
        start = reader.position
        offsets = memory.recall(reader, name)
        if offsets is None:
            committed = _topics(reader)
            offsets = GroupOffsets(reader.int16(), committed)
            reader.tags()
            memory.record(reader, name, start, offsets)
        found[name] = offsets
        yield
    return found


def _topics(reader: Reader) -> dict[TopicPartition, tuple[int, int]]:
    offsets: dict[TopicPartition, tuple[int, int]] = {}
    for _ in range(reader.count()):
        topic = reader.string()
        count = reader.count()
        if not (reader.flexible and _plain(reader, topic, count, offsets)):
            for _ in range(count):
                index, offset = reader.int32(), reader.int64()
                reader.int32()  # leader epoch
                reader.nullable_string()  # the committer's own note
                offsets[TopicPartition(topic, index)] = (reader.int16(), offset)
                reader.tags()
        reader.tags()
    return offsets


def _plain(reader: Reader, topic: str, count: int, offsets: dict[TopicPartition, tuple[int, int]]) -> bool:
    """Read commits in bulk; returns up, with nothing read, when one carries a note or tagged fields."""
    start = reader.position
    if reader.left < _COMMIT.size * count:
        return False
    found: dict[TopicPartition, tuple[int, int]] = {}
    for index, offset, _, note, error, tags in reader.rows(_COMMIT, count):
        if note > 1 or tags:
            reader.back(start)
            return False
        found[TopicPartition(topic, index)] = (error, offset)
    offsets.update(found)
    return True
