"""A partition is judged by metadata joined with who really lives, long before Kafka itself tells."""

from __future__ import annotations

import contextlib
from typing import cast

import pytest

from keywatch.config.endpoint import Endpoint
from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.kafka.chosen_topics import ChosenTopics
from keywatch.kafka.peers import Peers
from keywatch.kafka.topology import Topology
from keywatch.metrics import cluster as cat
from keywatch.metrics import probe as probe_metrics
from keywatch.metrics.metric import Metric
from keywatch.patterns import Patterns
from keywatch.probes.cluster.offsets import OffsetsProbe
from keywatch.probes.cluster.topics import TopicsProbe, judge
from tests.exporter.fakes.fake_cluster import FakePeers
from tests.exporter.fakes.metadata import metadata, partition


def topology(*down: int) -> Topology:
    """Make one of three brokers, of which these are proven to be down and the others to be up."""
    it = Topology([Endpoint("seed", 9092)])
    it.record(metadata([1, 2, 3]))
    for broker in (1, 2, 3):
        it.report(str(broker), up=broker not in down, reason=Reason.REFUSED if broker in down else None)
    return it


WELL: set[str] = set()


@pytest.mark.parametrize(
    ("leader", "in_sync", "down", "min_in_sync", "wrong"),
    [
        pytest.param(1, [1, 2, 3], [], 2, WELL, id="all is well"),
        pytest.param(1, [1, 2, 3], [3], 2, {"under_replicated"}, id="a follower died"),
        pytest.param(1, [1, 2, 3], [1], 2, {"under_replicated", "electing"}, id="the leader died"),
        pytest.param(
            1, [1, 2, 3], [1, 2], 2, {"under_replicated", "electing", "below_min_isr"}, id="one in-sync replica lives"
        ),
        pytest.param(
            1, [1, 2, 3], [1, 2, 3], 2, {"under_replicated", "offline", "below_min_isr"}, id="nobody lives"
        ),
        pytest.param(
            1,
            [1],
            [1],
            1,
            {"under_replicated", "offline", "below_min_isr", "metadata_under_replicated"},
            id="the only in-sync replica died, others live",
        ),
        pytest.param(
            -1, [2, 3], [], 2, {"under_replicated", "offline", "metadata_leaderless", "metadata_under_replicated"},
            id="metadata knows no leader",
        ),
        pytest.param(
            1, [1], [], 2,
            {"under_replicated", "below_min_isr", "metadata_under_replicated", "metadata_below_min_isr"},
            id="metadata tells of too few",
        ),
        pytest.param(1, [1], [], None, {"under_replicated", "metadata_under_replicated"}, id="no demand is known"),
        pytest.param(
            9, [9, 1], [], 1, {"under_replicated", "electing", "metadata_under_replicated"}, id="a stranger leads"
        ),
    ],
)  # fmt: skip
def test_a_partition_is_judged(
    leader: int, in_sync: list[int], down: list[int], min_in_sync: int | None, wrong: set[str]
) -> None:
    health = judge(partition(leader, [1, 2, 3], in_sync), topology(*down), min_in_sync)
    assert {name for name, value in health._asdict().items() if value is True} == wrong


@pytest.mark.parametrize(
    ("in_sync", "down", "wrong"),
    [
        pytest.param([1, 2], [], WELL, id="the added one is yet to catch up"),
        pytest.param([1, 2, 3], [], WELL, id="it has caught up"),
        pytest.param([1, 3], [], WELL, id="it has, and another one fell behind: as many as there should be"),
        pytest.param([1], [], {"under_replicated", "metadata_under_replicated"}, id="one of before fell behind"),
        pytest.param([1, 2], [2], {"under_replicated"}, id="one of before died"),
        pytest.param([1, 2], [3], WELL, id="the added one died: Kafka waits for it"),
    ],
)
def test_replicas_that_are_being_added_are_not_missed(in_sync: list[int], down: list[int], wrong: set[str]) -> None:
    health = judge(partition(1, [1, 3, 2], in_sync), topology(*down), 1, frozenset({3}))
    assert {name for name, value in health._asdict().items() if value is True} == wrong


async def test_a_reassignment_under_way_is_no_lack_of_replicas() -> None:
    it = topology()
    it.record(metadata([1, 2, 3], {"t": [partition(1, [1, 3, 2], [1, 2]), partition(1, [1, 2], [1])]}))
    probe = TopicsProbe("kafka", it, Schedule(1.0, 1.0), chosen=ChosenTopics(Patterns(), ()))

    async def told() -> dict[object, float]:
        return {(one.metric, *one.labels[1:]): one.value for one in await probe.run(1.0)}

    assert (await told())[cat.TOPIC_PARTITIONS_UNDER_REPLICATED, "t"] == 2
    it.reassign({"t": {0: frozenset({3})}})
    seen = await told()
    assert seen[cat.TOPIC_PARTITIONS_UNDER_REPLICATED, "t"] == 1
    assert seen[cat.TOPIC_METADATA_PARTITIONS_UNDER_REPLICATED, "t"] == 1
    assert seen[cat.PARTITION_REPLICAS, "t", "0"] == 2
    it.reassign({})
    assert (await told())[cat.TOPIC_PARTITIONS_UNDER_REPLICATED, "t"] == 2


def test_a_broker_that_comes_back_mends_its_partitions_at_once() -> None:
    it = topology(1, 2, 3)
    state = partition(1, [1, 2, 3])
    assert judge(state, it, 2).offline
    it.report("2", up=True)
    assert not judge(state, it, 2).offline
    it.report("1", up=True)
    assert judge(state, it, 2).electing is False


async def run(it: Topology, *, watch: tuple[str, ...] = (), detail: bool = True, **patterns: list[str]) -> list[Sample]:
    probe = TopicsProbe("kafka", it, Schedule(1, 1), chosen=ChosenTopics(Patterns(**patterns), watch), detail=detail)
    return list(await probe.run(0.02))


def values(samples: list[Sample], metric: Metric) -> dict[str, float]:
    return {",".join(sample.labels[1:]): sample.value for sample in samples if sample.metric is metric}


async def test_topics_are_counted_and_what_is_wrong_is_said_in_words() -> None:
    it = topology(1)
    it.demand({"events": 3})
    led_by_2, led_by_1 = partition(2, [2, 3]), partition(1, [1])
    it.record(metadata([1, 2, 3], {"events": [led_by_2, led_by_1, led_by_1], "quiet": [led_by_2]}))
    samples = await run(it)
    assert values(samples, cat.TOPIC_PARTITIONS) == {"events": 3, "quiet": 1}
    assert values(samples, cat.TOPIC_PARTITIONS_OFFLINE) == {"events": 2, "quiet": 0}
    assert values(samples, cat.TOPIC_PARTITIONS_BELOW_MIN_ISR) == {"events": 3}  # of the other no demand is known
    assert values(samples, cat.PARTITION_IN_SYNC_REPLICAS) == {
        "events,0": 2,
        "events,1": 0,
        "events,2": 0,
        "quiet,0": 2,
    }
    notes = [sample.note for sample in samples if sample.note]
    assert notes == ["2 of 3 partitions offline: 1, 2", "3 of 3 partitions below min.insync.replicas: 0, 1, 2"]


async def test_no_more_than_eight_partitions_are_named() -> None:
    it = topology(1)
    it.record(metadata([1, 2, 3], {"events": [partition(1, [1])] * 9}))
    assert [s.note for s in await run(it) if s.note] == ["9 of 9 partitions offline: 0, 1, 2, 3, 4, 5, 6, 7 …"]


async def test_a_watched_topic_tells_on_both_edges_whether_it_is_up() -> None:
    it = topology(1)
    it.record(metadata([1, 2, 3], {"good": [partition(2, [2])], "bad": [partition(2, [2]), partition(1, [1])]}))
    samples = await run(it, watch=("good", "bad", "gone"), exclude=["bad"], detail=False)
    assert values(samples, cat.TOPIC_UP) == {"good": 1, "bad": 0, "gone": 0}
    assert values(samples, cat.TOPIC_EXISTS) == {"good": 1, "bad": 1, "gone": 0}
    assert values(samples, cat.PARTITION_LEADER) == {}
    gone = [sample.note for sample in samples if sample.labels[1] == "gone"]
    assert gone == ["the watched topic does not exist", None]


async def test_an_excluded_topic_is_left_out() -> None:
    it = topology()
    it.record(metadata([1, 2, 3], {"events": [partition(2, [2])], "__internal": [partition(2, [2])]}))
    assert values(await run(it, exclude=["__.*"]), cat.TOPIC_PARTITIONS) == {"events": 1}


async def test_before_the_first_metadata_nothing_is_judged() -> None:
    it = Topology([Endpoint("seed", 9092)])
    with pytest.raises(ProbeError) as refused:
        await run(it, watch=("events",))
    assert refused.value.reason is Reason.NO_METADATA


async def test_more_topics_than_there_is_room_for_are_counted_and_the_same_ones_stay() -> None:
    it = topology()
    led = partition(2, [2])
    old = {f"old-{index}": [led] for index in range(3)}
    chosen = ChosenTopics(Patterns(exclude=["own.*"]), ("watched",), 5, 20)
    probe = TopicsProbe("kafka", it, Schedule(1, 1), chosen=chosen)
    offsets = OffsetsProbe("kafka", it, cast("Peers", FakePeers()), Schedule(1, 1), chosen=chosen)
    it.record(metadata([1, 2, 3], old))
    await probe.run(0.02)
    flood = {f"flood-{index}": [led] for index in range(50)} | {f"own-{index}": [led] for index in range(9)}
    shown = []
    for more in (flood, {**flood, "more": [led]}):
        # Each broker names topics in an order of its own.
        it.record(metadata([1, 2, 3], {**more, **old, "watched": [led] * 40}))
        samples = list(await probe.run(0.02))
        shown.append(set(values(samples, cat.TOPIC_PARTITIONS)))
        assert {"watched", *old} < shown[-1]
        assert len(shown[-1]) == 6
        lost = len(more) - 9 - 2
        assert values(samples, probe_metrics.PROBE_LEFT_OUT) == {"topics,,topic": lost, "topics,,partition": lost}
    assert shown[0] == shown[1]
    with contextlib.suppress(ProbeError):  # nobody answers
        await offsets.run(1.0)
    assert set(offsets._wanted) == shown[0]


async def test_a_topic_that_outgrows_the_bound_is_left_out_and_its_neighbours_are_not() -> None:
    it = topology()
    led = partition(2, [2])
    probe = TopicsProbe("kafka", it, Schedule(1, 1), chosen=ChosenTopics(Patterns(), (), 10, 20))
    for partitions, expected in ((5, {"a", "grows"}), (21, {"a"}), (15, {"a", "grows"})):
        it.record(metadata([1, 2, 3], {"grows": [led] * partitions, "a": [led]}))
        samples = await probe.run(0.02)
        assert set(values(list(samples), cat.TOPIC_PARTITIONS)) == expected
