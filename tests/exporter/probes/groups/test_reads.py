"""What a group reads, what it left and where it never committed is told apart, by what its members are assigned."""

from __future__ import annotations

import pytest

from keywatch.kafka.wire.requests import TopicPartition
from keywatch.metrics import groups as cat
from keywatch.metrics import lag
from tests.exporter.fakes.groups_bed import PARTITIONS, Bed, runner

__all__ = ["runner"]

A0, A1, B0, B1 = PARTITIONS
A2 = TopicPartition("a", 2)


@pytest.fixture
def bed() -> Bed:
    """Return two groups: x reads both topics, and has read all."""
    made = Bed()
    made.peers.commits["x"] = dict.fromkeys(PARTITIONS, 5)
    made.peers.members["x"] = (["a", "b"], PARTITIONS)
    return made.cycle()


def redeploy(bed: Bed, *topics: str) -> None:
    """Have other members take over, which subscribe to these topics and share them out."""
    bed.peers.members["x"] = (topics, [one for one in PARTITIONS if one.topic in topics])
    bed.now += 10.0


def test_a_topic_that_no_member_reads_any_more_is_left_and_is_no_lag(bed: Bed) -> None:
    assert bed.series(lag.GROUP_LEFT_RECORDS) == {}
    redeploy(bed, "a")
    bed.cycle()
    assert bed.series(lag.GROUP_LEFT_RECORDS) == {("x", "b"): 0.0}
    bed.peers.ends[B0], bed.peers.ends[A0] = 9, 6
    bed.peers.starts[B0] = 7  # so that records are gone which it did not read
    bed.cycle().cycle()
    assert bed.series(lag.GROUP_LEFT_RECORDS) == {("x", "b"): 2.0}
    assert bed.series(cat.GROUP_LAG_RECORDS) == {("x", "a"): 1.0}
    for metric in (cat.GROUP_LAG_SECONDS, cat.GROUP_PARTITIONS_UNKNOWN, lag.GROUP_PARTITIONS_OUT_OF_RANGE):
        assert ("x", "b") not in bed.series(metric)
    assert not [where for where in bed.lag if where[1] == "b"]
    assert bed.series(lag.GROUP_LAG_KNOWN) == {("x",): 1.0}


def test_when_it_reads_a_topic_again_its_lag_counts_again(bed: Bed) -> None:
    redeploy(bed, "a")
    bed.peers.ends[B0] = 9
    bed.cycle()
    redeploy(bed, "a", "b")
    bed.cycle()
    assert bed.series(lag.GROUP_LEFT_RECORDS) == {}
    assert bed.series(cat.GROUP_LAG_RECORDS) == {("x", "a"): 0.0, ("x", "b"): 4.0}


def test_without_members_everything_counts_again(bed: Bed) -> None:
    redeploy(bed, "a")
    bed.peers.ends[B0], bed.peers.ends[A0] = 9, 6
    bed.cycle()
    del bed.peers.members["x"]
    bed.cycle()
    assert bed.series(lag.GROUP_LEFT_RECORDS) == {}
    assert bed.series(cat.GROUP_LAG_RECORDS) == {("x", "a"): 1.0, ("x", "b"): 4.0}


def test_during_a_rebalance_what_the_members_read_before_it_stands(bed: Bed) -> None:
    redeploy(bed, "a")
    bed.cycle()
    bed.peers.members["x"] = ([], [])
    bed.peers.states["x"] = "PreparingRebalance"
    bed.cycle()
    assert bed.series(lag.GROUP_LEFT_RECORDS) == {("x", "b"): 0.0}
    assert ("x", "a") in bed.series(cat.GROUP_LAG_RECORDS)


def test_a_topic_that_is_subscribed_to_is_not_left_though_nobody_is_assigned_it(bed: Bed) -> None:
    bed.peers.members["x"] = (["a", "b"], [A0, A1])
    bed.now += 10.0
    bed.cycle()
    assert bed.series(lag.GROUP_LEFT_RECORDS) == {}


def test_of_members_that_speak_another_protocol_nothing_is_concluded(bed: Bed) -> None:
    bed.peers.types["x"] = "connect"
    redeploy(bed, "a")
    bed.peers.states["x"] = "Stable"
    bed.cycle()
    assert bed.series(lag.GROUP_LEFT_RECORDS) == {}, "what a worker is assigned are no partitions"


def test_a_partition_without_a_commit_is_counted_and_told_with_what_waits_in_it() -> None:
    bed = Bed()
    bed.peers.commits["x"] = {A0: 5, A1: 5}
    bed.cycle()
    assert bed.series(lag.GROUP_PARTITIONS_UNCOMMITTED) == {}
    bed.learn(added=1)
    bed.peers.ends[A2] = 0
    bed.cycle()
    assert bed.series(lag.GROUP_PARTITIONS_UNCOMMITTED) == {("x", "a"): 0.0}, "nothing waits in it yet"
    bed.peers.ends[A2], bed.peers.starts[A2] = 400, 100
    bed.cycle().cycle()
    assert bed.series(lag.GROUP_PARTITIONS_UNCOMMITTED) == {("x", "a"): 1.0}
    assert bed.series(lag.GROUP_UNCOMMITTED_RECORDS) == {("x", "a"): 300.0}
    assert bed.series(cat.GROUP_PARTITIONS_UNKNOWN) == {("x", "a"): 1.0}
    assert bed.series(cat.GROUP_LAG_RECORDS) == {("x", "a"): 0.0}
    assert bed.series(lag.GROUP_PARTITIONS_ASSIGNED_UNCOMMITTED) == {("x", "a"): 0.0}, "nobody is assigned it"
    assert not bed.notes(cat.GROUP_PARTITIONS_UNKNOWN)
    bed.peers.commits["x"][A2] = 390
    for _ in range(4):
        bed.cycle()
    assert bed.series(lag.GROUP_PARTITIONS_UNCOMMITTED) == {}
    assert bed.series(cat.GROUP_LAG_RECORDS) == {("x", "a"): 10.0}


def test_a_partition_whose_end_cannot_be_read_is_unknown_and_not_taken_for_one_that_waits() -> None:
    bed = Bed()
    bed.peers.commits["x"] = {A0: 5}
    del bed.peers.ends[A1]
    bed.cycle()
    assert bed.series(lag.GROUP_PARTITIONS_UNCOMMITTED) == {("x", "a"): 0.0}
    assert bed.series(cat.GROUP_PARTITIONS_UNKNOWN) == {("x", "a"): 1.0}


def test_while_nobody_could_read_what_a_group_committed_nothing_is_called_uncommitted() -> None:
    bed = Bed()
    bed.peers.commits["x"] = {A0: 5, A1: 5}
    bed.peers.members["x"] = (["a"], [A0, A1])
    bed.peers.refused["x"] = 14
    bed.cycle().cycle()
    assert bed.series(lag.GROUP_PARTITIONS_UNCOMMITTED) == {}
    assert bed.series(cat.GROUP_UP) == {("x",): 0.0}


def test_an_assigned_partition_that_gets_records_and_no_commit_is_told() -> None:
    bed = Bed()
    bed.peers.commits["x"] = {A0: 5}
    bed.peers.members["x"] = (["a"], [A0, A1])
    bed.cycle()
    # It may begin at the end: what was there before it came is perhaps none of its business.
    assert bed.series(lag.GROUP_PARTITIONS_ASSIGNED_UNCOMMITTED) == {("x", "a"): 0.0}
    assert bed.series(lag.GROUP_PARTITIONS_UNCOMMITTED) == {("x", "a"): 1.0}
    bed.peers.ends[A1] = 6
    for _ in range(3):
        bed.cycle()
        assert bed.series(lag.GROUP_PARTITIONS_ASSIGNED_UNCOMMITTED) == {("x", "a"): 1.0}
    assert bed.notes(lag.GROUP_PARTITIONS_ASSIGNED_UNCOMMITTED) == [
        "1 partition is assigned, given records, and never committed on"
    ]
    bed.peers.commits["x"][A1] = 6
    bed.cycle()
    assert bed.series(lag.GROUP_PARTITIONS_ASSIGNED_UNCOMMITTED) == {}


def test_all_records_of_a_partition_that_was_added_came_while_the_group_read_the_topic() -> None:
    bed = Bed()
    bed.peers.commits["x"] = {A0: 5, A1: 5}
    bed.peers.members["x"] = (["a"], [A0, A1])
    bed.cycle()
    bed.learn(added=1)
    bed.peers.ends[A2] = 400
    bed.cycle()
    assert bed.series(lag.GROUP_PARTITIONS_ASSIGNED_UNCOMMITTED) == {("x", "a"): 0.0}
    bed.peers.members["x"] = (["a"], [A0, A1, A2])
    bed.now += 10.0
    bed.cycle()
    assert bed.series(lag.GROUP_PARTITIONS_ASSIGNED_UNCOMMITTED) == {("x", "a"): 1.0}


def test_a_group_that_never_committed_anything_is_told_by_what_it_is_assigned() -> None:
    bed = Bed()
    bed.peers.commits["x"] = {}
    bed.peers.members["x"] = (["a"], [A0, A1])
    bed.cycle()
    bed.peers.ends[A0] = 7
    bed.cycle()
    assert bed.series(lag.GROUP_PARTITIONS_UNCOMMITTED) == {("x", "a"): 2.0}
    assert bed.series(lag.GROUP_PARTITIONS_ASSIGNED_UNCOMMITTED) == {("x", "a"): 1.0}
    assert bed.series(lag.GROUP_LAG_KNOWN) == {("x",): 0.0}
    assert bed.series(cat.GROUP_LAG_RECORDS) == {}


def test_workers_are_no_consumers_that_never_commit_and_their_type_is_told() -> None:
    bed = Bed()
    bed.peers.commits = {"x": {}, "xx": {}}
    bed.peers.members = {"x": ([], []), "xx": (["a"], [A0])}
    bed.peers.types["x"] = "connect"
    bed.cycle()
    assert bed.series(lag.GROUP_LAG_KNOWN) == {("xx",): 0.0}
    assert bed.series(cat.GROUP_MEMBERS) == {("x",): 1.0, ("xx",): 1.0}
    assert {labels[:3] for labels in bed.series(cat.GROUP_INFO)} == {
        ("x", "classic", "connect"),
        ("xx", "classic", "consumer"),
    }


def test_of_a_group_that_committed_on_deleted_topics_alone_it_is_not_said_that_it_never_committed() -> None:
    bed = Bed()
    bed.peers.commits["x"] = {TopicPartition("gone", 0): 5}
    bed.cycle()
    assert bed.series(lag.GROUP_LAG_KNOWN) == {}


def test_a_group_that_must_exist_is_marked() -> None:
    bed = Bed(named=["x"])
    bed.peers.commits = {"x": {A0: 5}, "xx": {A0: 5}}
    bed.cycle()
    assert bed.series(lag.GROUP_WATCHED) == {("x",): 1.0}
