"""A group that nobody lists is gone only when somebody is there who would list it."""

from __future__ import annotations

import pytest

from keywatch.kafka.offsets_topic import offsets_partition
from keywatch.kafka.wire.requests import PartitionState
from keywatch.metrics import groups as cat
from tests.exporter.fakes.groups_bed import PARTITIONS, Bed, runner
from tests.exporter.fakes.metadata import partition

__all__ = ["runner"]

A0 = PARTITIONS[0]
LED, LEADERLESS = partition(1, [1]), partition(-1, [1])


@pytest.fixture
def bed() -> Bed:
    """Return two groups, which Kafka holds in different partitions."""
    made = Bed()
    assert offsets_partition("x", 2) != offsets_partition("y", 2)
    made.peers.commits = {"x": {A0: 3}, "y": {A0: 4}}
    made.learn(groups_in=[LED, LED])
    return made.cycle()


def places(without: str) -> list[PartitionState]:
    """Return the partitions that hold groups, of which the one that holds this one has no leader."""
    return [LEADERLESS if index == offsets_partition(without, 2) else LED for index in range(2)]


def test_a_group_whose_partition_has_no_leader_is_not_gone_however_long_that_lasts(bed: Bed) -> None:
    bed.peers.unlisted = {"x", "y"}
    bed.learn(groups_in=places("x"))
    for _ in range(100):
        bed.cycle()
    assert bed.series(cat.GROUP_UP) == {("x",): 0.0}, "the other one would be listed if it was there"
    assert bed.notes(cat.GROUP_UP) == [
        f"coordinator: partition {offsets_partition('x', 2)} of __consumer_offsets, which holds it, has no leader"
    ]
    assert bed.series(cat.GROUP_LAG_RECORDS) == {("x", "a"): 2.0}, "what was last known"
    bed.learn(groups_in=[LED, LED])
    bed.cycle()
    assert bed.series(cat.GROUP_UP) == {("x",): 0.0}, "its new coordinator may need a while"
    bed.peers.unlisted.clear()
    assert bed.cycle().series(cat.GROUP_UP) == {("x",): 1.0, ("y",): 1.0}


def test_metadata_is_read_at_once_when_a_group_is_missing(bed: Bed) -> None:
    assert not bed.topology._outdated
    bed.peers.unlisted = {"x"}
    bed.cycle()
    assert bed.topology._outdated


def test_where_the_topic_may_not_be_described_the_brokers_are_asked_who_coordinates() -> None:
    bed = Bed()
    bed.peers.commits["x"] = {A0: 3}
    bed.cycle()
    bed.peers.unlisted, bed.peers.no_coordinator = {"x"}, 15
    for _ in range(20):
        bed.cycle()
    assert bed.series(cat.GROUP_UP) == {("x",): 0.0}
    assert bed.notes(cat.GROUP_UP) == ["coordinator: nobody leads the partition of __consumer_offsets which holds it"]
    bed.peers.no_coordinator = 0
    for _ in range(7):
        bed.cycle()
    assert bed.series(cat.GROUP_UP) == {}


def test_a_group_that_is_listed_stays_however_long_its_commits_are_refused() -> None:
    bed = Bed()
    bed.peers.commits["x"] = {A0: 3}
    bed.cycle()
    bed.peers.refused["x"] = 14
    for _ in range(20):
        assert bed.cycle().series(cat.GROUP_UP) == {("x",): 0.0}
    assert bed.notes(cat.GROUP_UP) == ["coordinator: OffsetFetch: COORDINATOR_LOAD_IN_PROGRESS"]


def test_a_group_that_must_exist_and_never_did_does_not_keep_metadata_from_resting() -> None:
    bed = Bed(named=["x"])
    bed.cycle().cycle()
    assert bed.series(cat.GROUP_UP) == {("x",): 0.0}
    assert not bed.topology._outdated
