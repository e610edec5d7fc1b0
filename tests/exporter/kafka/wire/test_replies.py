"""Replies written by hand from https://kafka.apache.org/protocol are read as what they say; cut short, refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from keywatch.kafka.wire import fetch, groups, members, reassignments, requests, share_groups
from keywatch.kafka.wire.batch import RecordBatch
from keywatch.kafka.wire.codec import Reader, WireError
from keywatch.kafka.wire.fetch import Fetched
from keywatch.kafka.wire.groups import GroupOffsets, ListedGroup
from keywatch.kafka.wire.members import Reading
from keywatch.kafka.wire.requests import BrokerNode, Metadata, PartitionState, TopicPartition

Read = Callable[[Reader], object]

REPLIES: dict[str, tuple[str, bool, Read, object]] = {
    "Metadata v8": (
        (
            "00000000"  # throttle time
            "00000001 00000007 0002 6b37 00002384 ffff"  # broker 7 at k7:9092, no rack
            "0002 6964 00000007"  # cluster "id", controller 7
            "00000002"
            "0000 0001 74 00 00000001"  # topic t
            "0000 00000003 00000007 00000005 00000002 00000007 00000008 00000001 00000007 00000001 00000008 80000000"
            "0003 0001 75 00 00000000 80000000"
        ),  # topic u: unknown
        False,
        requests.read_metadata,
        Metadata(
            (BrokerNode(7, "k7", 9092, "", fenced=False),),
            "id",
            7,
            {"t": {3: PartitionState(0, 7, 5, (7, 8), (7,))}},
            {"u": 3},
            {},
        ),
    ),
    "Metadata v10": (
        (
            "00000000 02 00000007 03 6b37 00002384 00 00"  # throttle time, broker 7 at k7:9092, no rack, tags
            "03 6964 00000007 03"  # cluster "id", controller 7, two topics
            f"0000 02 74 {'0a' * 16} 00 02"  # topic t and its id
            "0000 00000003 00000007 00000005 03 00000007 00000008 02 00000007 02 00000008 00 80000000 00"
            f"0003 02 75 {'00' * 16} 00 01 80000000 00"  # topic u: unknown
            "80000000 00"
        ),
        True,
        requests.read_metadata,
        Metadata(
            (BrokerNode(7, "k7", 9092, "", fenced=False),),
            "id",
            7,
            {"t": {3: PartitionState(0, 7, 5, (7, 8), (7,))}},
            {"u": 3},
            {"t": b"\x0a" * 16, "u": bytes(16)},
        ),
    ),
    "DescribeCluster v2": (
        (
            "00000000 0000 00 01 03 6964 00000007"  # throttle, error, message, endpoint type, cluster "id", controller
            "03 00000007 03 6b37 00002384 00 00 00"  # broker 7, no rack, not fenced, tags
            "00000008 03 6b38 00002384 02 72 01 00"  # broker 8 in rack r, fenced, tags
            "80000000 00"
        ),
        True,
        requests.read_describe_cluster,
        (0, (BrokerNode(7, "k7", 9092, "", fenced=False), BrokerNode(8, "k8", 9092, "r", fenced=True))),
    ),
    "ListOffsets v4": (
        (
            "00000000 00000001 0001 74 00000002"
            "00000000 0000 ffffffffffffffff 000000000000002a 00000001"
            "00000001 0006 ffffffffffffffff ffffffffffffffff ffffffff"
        ),
        False,
        requests.read_list_offsets,
        {TopicPartition("t", 0): (0, 42), TopicPartition("t", 1): (6, -1)},
    ),
    "Fetch v11": (
        (
            "00000000 0000 00000000 00000001 0001 74 00000001"  # throttle time, error, session, topic t
            "00000000 0000 0000000000000014 0000000000000012 0000000000000001"  # partition 0: end, settled end, start
            "00000001 0000000000000007 0000000000000005 ffffffff 000000a7"  # an aborted transaction, replica, bytes
            # Offsets 5 to 7 of which two records are left, of producer 7's transaction, snappy; 63 bytes.
            "0000000000000005 00000033 00000000 02 00000000 0012 00000002 0000000000001000 0000000000001100"
            "0000000000000007 0000 00000000 00000002 abcd"
            # Its marker, at 8.
            "0000000000000008 00000033 00000000 02 00000000 0030 00000000 0000000000001200 0000000000001200"
            "0000000000000007 0000 ffffffff 00000001 abcd"
            # A batch that was cut short.
            "0000000000000009 00000099 00000000 02 00000000 0000 00000000 0000000000001300 000000000000"
        ),
        False,
        fetch.read_fetch,
        Fetched(
            0,
            20,
            18,
            ((7, 5),),
            (
                RecordBatch(5, 7, 63, 2, 7, False, False, 0x1000, None, 0x1000, None),
                RecordBatch(8, 8, 63, 1, 7, True, True, 0x1200, None, 0x1200, b"\xab\xcd"),
            ),
            246,
        ),
    ),
    "DescribeConfigs v1": (
        (
            "00000000 00000001 0000 ffff 02 0001 74 000000010001 78 0001 32 00 05 00 00000001 0001 79 ffff 05"
        ),  # x = 2, with one synonym that has no value
        False,
        requests.read_describe_configs,
        {"t": (0, {"x": "2"})},
    ),
    "CreateTopics v4": ("00000000 00000001 0001 74 0024 0002 6f68", False, requests.read_create_topic, (36, "oh")),
    "ElectLeaders v1": (
        "00000000 0000 00000001 0001 74 00000002 00000000 0054 0002 6f68 00000001 0000 ffff",
        False,
        requests.read_elect_leaders,
        {0: (84, "oh"), 1: (0, "")},
    ),
    "ListPartitionReassignments v0": (
        (
            "00000000 0000 00 02 02 74 03"  # throttle time, error, message; topic t, two partitions
            "00000000 04 00000001 00000003 00000002 02 00000003 02 00000002 00"  # 1, 3 and 2; 3 comes and 2 goes
            "00000005 02 00000001 01 02 00000002 00"  # nothing comes, 2 goes
            "00 00"
        ),
        True,
        reassignments.read_list_reassignments,
        (0, {"t": {0: frozenset({3})}}),
    ),
    "ListGroups v4": (
        "00000000 0000 02 02 67 09 636f6e73756d6572 07 537461626c65 00 00",
        True,
        lambda reader: groups.read_list_groups(reader, 4),
        (0, [ListedGroup("g", "consumer", "Stable", "")]),
    ),
    "ListGroups v5": (
        "00000000 000f 02 02 67 01 06 456d707479 08 436c6173736963 00 00",  # kind "Classic"
        True,
        lambda reader: groups.read_list_groups(reader, 5),
        (15, [ListedGroup("g", "", "Empty", "classic")]),
    ),
    "FindCoordinator v2": (
        "00000000 0000 ffff 00000002 0002 6b32 00002384",
        False,
        groups.read_find_coordinator,
        (0, 2),
    ),
    "DescribeGroups v4": (
        (
            "00000000 00000001 0000 0001 67 0006 537461626c65 0008 636f6e73756d6572 0005 72616e6765"
            "00000001 0001 6d ffff 0001 63 0002 2f68 00000002 aabb ffffffff 80000000"
        ),
        False,
        members.read_describe_groups,
        {"g": (0, "Stable", 1, None)},  # what the member says of itself is no protocol of consumers
    ),
    "DescribeGroups v4, of two that read": (
        (
            "00000000 00000001 0000 0001 67 0006 537461626c65 0008 636f6e73756d6572 0005 72616e6765 00000002"
            "0001 6d ffff 0001 63 0002 2f68"
            "0000000e 0001 00000002 0001 74 0001 75 ffff"  # version 1, subscribed to t and u, and more that is new
            "00000019 0000 00000001 0001 74 00000002 00000000 00000003 ffffffff"  # partitions 0 and 3 of t
            "0001 6e ffff 0001 63 0002 2f68 0000000a 0000 00000001 0001 76 ff 00000000 80000000"  # v, and nothing yet
        ),
        False,
        members.read_describe_groups,
        {"g": (0, "Stable", 2, Reading(frozenset({TopicPartition("t", 0), TopicPartition("t", 3)}), frozenset("tuv")))},
    ),
    "DescribeGroups v4, of workers": (
        (
            "00000000 00000001 0000 0001 67 0006 537461626c65 0007 636f6e6e656374 0005 72616e6765"
            "00000001 0001 6d ffff 0001 63 0002 2f68 00000009 0000 00000001 0001 74 00000000 80000000"
        ),
        False,
        members.read_describe_groups,
        {"g": (0, "Stable", 1, None)},
    ),
    "DescribeGroups v4, during a rebalance": (
        (
            "00000000 00000001 0000 0001 67 0012 507265706172696e67526562616c616e6365 0008 636f6e73756d6572 0000"
            "00000001 0001 6d ffff 0001 63 0002 2f68 00000000 00000000 80000000"
        ),
        False,
        members.read_describe_groups,
        {"g": (0, "PreparingRebalance", 1, None)},
    ),
    "ConsumerGroupDescribe v0": (
        (
            "00000000 02 0000 00 02 67 07 537461626c65 00000001 00000001 02 61"
            "02 02 6d 00 00 00000001 02 63 02 68 02 02 74 00"  # one member, subscribed to t
            "02 000102030405060708090a0b0c0d0e0f 02 74 02 00000003 00 00"  # assignment
            "01 00 00"  # target assignment, the member's tags
            "80000000 00 00"
        ),
        True,
        members.read_describe_consumer_groups,
        {"g": (0, "Stable", 1, Reading(frozenset({TopicPartition("t", 3)}), frozenset("t")))},
    ),
    "ShareGroupDescribe v1": (
        (
            "00000000 02 0000 00 02 67 07 537461626c65 00000001 00000001 02 61"
            "02 02 6d 00 00000001 02 63 02 68 02 02 74"  # one member, subscribed to t
            "02 000102030405060708090a0b0c0d0e0f 02 74 02 00000003 00 00 00"  # assignment, the member's tags
            "80000000 00 00"
        ),
        True,
        share_groups.read_describe_share_groups,
        {"g": (0, "Stable", 1, Reading(frozenset({TopicPartition("t", 3)}), frozenset("t")))},
    ),
    "DescribeShareGroupOffsets v0": (
        (
            "00000000 03 02 67 02 02 74 000102030405060708090a0b0c0d0e0f"
            "03 00000003 000000000000002a 00000001 0000 00 00"  # partition 3 from 42 on
            "00000004 ffffffffffffffff 00000000 0003 02 78 00 00"  # partition 4, an error "x"
            "0000 00 00"
            "02 68 01 000f 02 79 00 00"  # group h: coordinator not available, "y"
        ),
        True,
        share_groups.read_start_offsets,
        {
            "g": GroupOffsets(0, {TopicPartition("t", 3): (0, 42), TopicPartition("t", 4): (3, -1)}),
            "h": GroupOffsets(15, {}),
        },
    ),
    "OffsetFetch v5": (
        "00000000 00000001 0001 74 00000001 00000003 000000000000002a ffffffff ffff 0000 0000",
        False,
        lambda reader: groups.read_fetched_offsets(reader, ["g"], 5),
        {"g": GroupOffsets(0, {TopicPartition("t", 3): (0, 42)})},
    ),
    "OffsetFetch v8": (
        (
            "00000000 03"
            "02 67 02 02 74 02 00000003 000000000000002a ffffffff 01 0000 00 00 0000 00"
            "02 68 01 000f 00"  # group h: coordinator not available
            "00"
        ),
        True,
        lambda reader: groups.read_fetched_offsets(reader, ["g", "h"], 8),
        {"g": GroupOffsets(0, {TopicPartition("t", 3): (0, 42)}), "h": GroupOffsets(15, {})},
    ),
}
every_reply = pytest.mark.parametrize(("data", "flexible", "read", "expected"), REPLIES.values(), ids=REPLIES)


@every_reply
def test_a_reply_is_read_as_what_it_says(data: str, flexible: bool, read: Read, expected: object) -> None:
    assert read(Reader(bytes.fromhex(data), flexible=flexible)) == expected


@every_reply
def test_a_reply_that_is_cut_short_is_never_taken_for_another(
    data: str, flexible: bool, read: Read, expected: object
) -> None:
    whole = bytes.fromhex(data)
    for size in range(len(whole)):
        try:
            found = read(Reader(whole[:size], flexible=flexible))
        except WireError:
            continue
        # Fields that keywatch has no use for may be missing at the end.
        assert found == expected
        assert size > len(whole) * 0.4
