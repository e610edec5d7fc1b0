"""The raw requests about share groups (KIP-932): from where on each reads, and who its members are."""

from __future__ import annotations

from collections.abc import Sequence

from keywatch.engine.slices import Pieces, at_once
from keywatch.kafka.wire.codec import Reader, Writer
from keywatch.kafka.wire.groups import GroupOffsets
from keywatch.kafka.wire.members import Described, MembersReading, add_assignment, describe_by_name, described
from keywatch.kafka.wire.request import Request
from keywatch.kafka.wire.requests import DESCRIBE_SHARE_GROUP_OFFSETS, SHARE_GROUP_DESCRIBE, TopicPartition


def fetch_start_offsets(groups: Sequence[str]) -> Request:
    """Ask for the start offset of each partition that the groups read, version 0.

    It is the first record that is not settled (acknowledged, rejected or given up), -1 before the first was read.
    """
    body = Writer(flexible=True)
    body.array(groups, lambda group: body.string(group).array(None, str).tags())
    return Request(DESCRIBE_SHARE_GROUP_OFFSETS, 0, True, body.tags().done())


def read_start_offsets(reader: Reader) -> dict[str, GroupOffsets]:
    """Read a reply to DescribeShareGroupOffsets v0: group → start offsets, in the place of commits."""
    reader.int32()  # throttle time
    found: dict[str, GroupOffsets] = {}
    for _ in range(reader.count()):
        name = reader.string()
        offsets: dict[TopicPartition, tuple[int, int]] = {}
        for _ in range(reader.count()):
            topic = reader.string()
            reader.raw(16)  # topic id
            for _ in range(reader.count()):
                index, offset = reader.int32(), reader.int64()
                reader.int32()  # leader epoch
                offsets[TopicPartition(topic, index)] = (reader.int16(), offset)
                reader.nullable_string()  # message
                reader.tags()
            reader.tags()
        found[name] = GroupOffsets(reader.int16(), offsets)
        reader.nullable_string()  # message
        reader.tags()
    return found


def describe_share_groups(groups: Sequence[str]) -> Request:
    """Ask for the members of share groups, version 1."""
    return describe_by_name(SHARE_GROUP_DESCRIBE, 1, groups)


def read_describe_share_groups(reader: Reader) -> dict[str, Described]:
    """Read a reply to ShareGroupDescribe v1."""
    return at_once(reading_describe_share_groups(reader))


def reading_describe_share_groups(reader: Reader, owners: int = 0) -> Pieces[dict[str, Described]]:
    """Read a reply to ShareGroupDescribe v1 in pieces; who its members are says nothing, as they share partitions."""
    del owners
    return described(reader, _member)


def _member(reader: Reader, reading: MembersReading) -> None:
    for _ in range(2):  # member, rack
        reader.nullable_string()
    reader.int32()  # epoch
    for _ in range(2):  # client, host
        reader.nullable_string()
    reading.subscribe(reader.array(reader.string))
    add_assignment(reader, reading)
    reader.tags()
