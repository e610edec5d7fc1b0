"""Reading begins where nothing is missed and nothing read twice: at ends first, at beginnings later."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Sequence
from typing import cast
from unittest import mock

import pytest

from keywatch.config.endpoint import Endpoint
from keywatch.kafka.errors import TOPIC_AUTHORIZATION_FAILED
from keywatch.kafka.peers import Peers
from keywatch.kafka.topic_ids import TopicIds
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.patterns import Patterns
from keywatch.probes.events.plan import ReadingChange, ReadingPlan, _begin
from tests.exporter.fakes.fake_topics import FakeTopicPeers
from tests.exporter.fakes.metadata import metadata, partition

E0, E1, F0 = TopicPartition("events", 0), TopicPartition("events", 1), TopicPartition("fresh", 0)


class Bed:
    """A plan for `events`, `fresh` and `named` on a cluster in memory, and the positions that a tail would have."""

    def __init__(self, topics: Sequence[str] = ("events",), *, ids: bool = True) -> None:
        self.topology = Topology([Endpoint("k1", 9092)])
        self.peers = FakeTopicPeers({E0: (2, 10), E1: (0, 20)}, {} if ids else None)
        self.positions: dict[TopicPartition, int] = {}
        self.learn(topics)
        self.plan = ReadingPlan(self.topology, cast("Peers", self.peers), Patterns(["events|fresh"]), ["events"])

    def learn(self, topics: Sequence[str], count: int = 2) -> None:
        """Have metadata show these topics."""
        states = {topic: [partition(1, [1])] * (1 if topic == "fresh" else count) for topic in topics}
        self.topology.record(metadata([1], states))
        if self.peers.ids is not None:
            self.peers.ids.update({topic: _id(topic, 1) for topic in topics if topic not in self.peers.ids})

    def settle(self, lost: Collection[TopicPartition] = ()) -> ReadingChange:
        """Settle once and do what is said."""
        change = asyncio.run(self.plan.compare(self.positions, lost, 1.0))
        for one in change.dropped:
            self.positions.pop(one, None)
        self.positions.update(change.places)
        return change


def _id(topic: str, number: int) -> bytes:
    return f"{topic}-{number}".encode().ljust(16, b"x")


def test_what_is_there_at_first_is_read_from_its_end() -> None:
    bed = Bed()
    change = bed.settle()
    assert change.places == {E0: 10, E1: 20}
    assert change.gap, "what came before is not known"
    assert bed.settle() == ReadingChange()


def test_a_look_back_begins_with_what_is_recent_and_with_no_more_than_is_soon_read() -> None:
    ends = {E0: 10_000, E1: 20, F0: 7}
    assert _begin(ends, {E0: 9_900, E1: -1}) == {E0: 9_900, E1: 20, F0: 7}, "without a recent record: the end"
    assert _begin(ends, {E0: 0}) == {E0: 8_000, E1: 20, F0: 7}


@pytest.mark.parametrize("ids", [True, False])
def test_topics_and_partitions_that_come_later_are_read_from_their_beginning(ids: bool) -> None:
    bed = Bed(ids=ids)
    bed.settle()
    bed.peers.partitions |= {F0: (0, 7), TopicPartition("events", 2): (0, 3)}
    bed.learn(["events", "fresh"], 3)
    change = bed.settle()
    assert change.places == {F0: 0, TopicPartition("events", 2): 0}
    assert (change.gap, change.dropped) == (False, set())


def test_an_end_that_cannot_be_read_at_first_is_found_later_and_until_then_due() -> None:
    bed = Bed()
    bed.peers.silent = True
    assert bed.settle().places == {}
    assert bed.plan.due.keys() == {E0, E1}
    bed.peers.silent = False
    bed.peers.partitions[E0] = (2, 12)
    change = bed.settle()
    assert change.places == {E0: 12, E1: 20}
    assert change.gap, "what came meanwhile is not counted"
    assert not bed.plan.due


def test_a_topic_that_is_forgotten_before_its_end_was_found_is_not_replayed() -> None:
    bed = Bed()
    bed.peers.silent = True
    bed.settle()
    bed.learn([])
    bed.settle()
    assert not bed.plan.due
    bed.peers.silent = False
    bed.learn(["events"])
    assert bed.settle().places == {E0: 10, E1: 20}


def test_a_topic_that_metadata_forgot_for_a_moment_is_read_on_where_it_was() -> None:
    bed = Bed()
    bed.settle()
    bed.positions |= {E0: 15, E1: 25}
    bed.learn([])
    assert bed.settle().dropped == {E0, E1}
    assert bed.plan.wanted == {}
    bed.learn(["events"])
    change = bed.settle()
    assert change.places == {E0: 15, E1: 25}
    assert not change.gap


def test_where_nobody_can_tell_whether_a_topic_is_the_old_one_it_waits() -> None:
    bed = Bed()
    bed.settle()
    bed.learn([])
    bed.settle()
    bed.learn(["events"])
    bed.peers.away = True
    assert bed.settle().places == {}
    assert bed.plan.unplaced(bed.positions) == {E0, E1}
    bed.peers.away = False
    assert bed.settle().places == {E0: 10, E1: 20}
    assert bed.plan.unplaced(bed.positions) == set()


@pytest.mark.parametrize("seen_gone", [True, False])
def test_a_topic_that_was_made_anew_is_read_from_its_beginning_also_when_nobody_saw_it_gone(seen_gone: bool) -> None:
    bed = Bed()
    bed.settle()
    bed.positions |= {E0: 15, E1: 25}
    if seen_gone:
        bed.learn([])
        bed.settle()
    assert bed.peers.ids is not None
    bed.peers.ids["events"] = _id("events", 2)
    bed.peers.partitions |= {E0: (0, 30), E1: (0, 1)}
    bed.topology.record(metadata([1], {"events": [partition(1, [1, 2]), partition(1, [1, 2])]}))
    change = bed.settle()
    assert change.places == {E0: 0, E1: 0}
    assert change.gap, "what the old one held at last may have been missed"
    bed.peers.ids["events"] = _id("events", 1)  # a broker that has not heard of it yet
    bed.topology.record(metadata([1], {"events": [partition(1, [1]), partition(1, [1])]}))
    assert bed.settle() == ReadingChange()


def test_a_topic_that_might_not_be_described_at_first_is_not_replayed() -> None:
    bed = Bed([])
    bed.peers.errors = {"events": TOPIC_AUTHORIZATION_FAILED}
    bed.settle()
    assert bed.plan.forbidden == ["events"]
    bed.peers.errors = {}
    bed.learn(["events"])
    assert bed.settle().places == {E0: 10, E1: 20}
    assert bed.plan.forbidden == []
    bed.peers.partitions[TopicPartition("events", 2)] = (0, 3)
    bed.learn(["events"], 3)
    assert bed.settle().places == {TopicPartition("events", 2): 0}, "from now on it is a topic like others"


def test_before_anybody_could_tell_what_is_hidden_nothing_is_read_from_its_beginning() -> None:
    bed = Bed([])
    bed.peers.away = True
    bed.settle()
    bed.peers.away = False
    bed.learn(["events"])
    assert bed.settle().places == {E0: 10, E1: 20}


def test_a_partition_whose_records_were_deleted_is_read_from_what_is_left_and_the_others_are_counted() -> None:
    bed = Bed()
    bed.settle()
    bed.peers.partitions |= {E0: (14, 30), E1: (3, 40)}
    change = bed.settle([E0])
    assert (change.places, change.skipped, change.gap) == ({E0: 14}, 4, True)


def test_a_partition_that_an_unclean_election_cut_is_read_from_its_end() -> None:
    bed = Bed()
    bed.settle()
    bed.peers.partitions[E1] = (0, 17)
    change = bed.settle([E1])
    assert (change.places, change.skipped, change.gap) == ({E1: 17}, 0, True)


def test_a_partition_that_was_lost_for_no_reason_is_read_on_where_it_was() -> None:
    bed = Bed()
    bed.settle()
    change = bed.settle([E0])
    assert (change.places, change.skipped, change.gap) == ({E0: 10}, 0, False)
    bed.peers.silent = True
    assert bed.settle([E0]).places == {}


@pytest.mark.parametrize("what", ["first", "back", "anew"])
def test_a_run_that_is_cut_short_is_made_up_for_by_the_next(what: str) -> None:
    bed = Bed()
    if what != "first":
        bed.settle()
        bed.positions |= {E0: 15, E1: 25}
        bed.learn([])
        bed.settle()
        assert bed.peers.ids is not None
        bed.peers.ids["events"] = _id("events", 2 if what == "anew" else 1)
        bed.peers.partitions[F0] = (0, 5)
        bed.learn(["events", "fresh"])
    bed.peers.cut_short = True
    with pytest.raises(asyncio.CancelledError):
        bed.settle()
    bed.peers.cut_short = False
    bed.peers.partitions |= {E0: (0, 30), E1: (0, 40)}
    expected = {"first": {E0: 30, E1: 40}, "back": {E0: 15, E1: 25, F0: 0}, "anew": {E0: 0, E1: 0, F0: 0}}
    assert bed.settle().places == expected[what]


def test_ids_are_asked_for_when_something_moved_and_now_and_then() -> None:
    now = 0.0
    topology = Topology([Endpoint("k1", 9092)])
    peers = FakeTopicPeers(ids={"events": _id("events", 1)})
    ids = TopicIds(topology, cast("Peers", peers), clock=lambda: now)
    asyncio.run(ids.renew(["events"], 1.0))
    asyncio.run(ids.renew(["events"], 1.0))
    assert (len(peers.asked), ids.certain) == (1, True)
    topology.record(metadata([1], {"events": [partition(1, [1])]}))
    asyncio.run(ids.renew(["events"], 1.0))
    assert len(peers.asked) == 2
    now = 5.0
    peers.away = True
    asyncio.run(ids.renew(["events"], 1.0))
    asyncio.run(ids.renew(["events"], 1.0))
    assert (len(peers.asked), ids.certain) == (4, False)
    assert asyncio.run(ids.renew([], 1.0)) == set()
    assert ids.certain


async def test_more_topics_than_may_be_read_are_counted_and_the_named_ones_are_read_all_the_same() -> None:
    bed = Bed()
    with mock.patch("keywatch.bounds.READ_TOPICS", 3):
        plan = ReadingPlan(bed.topology, cast("Peers", bed.peers), Patterns(["events|other.*"]), ["events"])
    topics = {name: [partition(1, [1])] for name in ("events", *(f"other-{index}" for index in range(10)))}
    bed.topology.record(metadata([1, 2], topics))
    await plan.compare({}, (), 1.0)
    assert len(plan.wanted) == 4
    assert "events" in plan.wanted
    assert plan.chosen.left_out == plan.chosen.partitions_left_out == 7
