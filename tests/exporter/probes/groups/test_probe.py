"""Lags are the truth though only what changed is read, decoded and reckoned; and idle groups are asked seldom."""

from __future__ import annotations

from typing import cast
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keywatch.kafka.wire.requests import TopicPartition
from keywatch.metrics import groups as group_metrics
from keywatch.metrics import lag as lag_metrics
from tests.exporter.fakes.fake_cluster import FakePeers
from tests.exporter.fakes.groups_bed import PARTITIONS, Bed, runner

__all__ = ["PARTITIONS", "Bed", "runner"]

GROUPS = ["x", "xx", "xxx"]


@pytest.fixture
def many() -> Bed:
    """Give 400 idle groups, of which a quarter has its turn in each cycle."""
    return Bed(idle_cycles=4).idle(400)


def test_idle_groups_are_asked_in_turn_and_keep_their_series(many: Bed) -> None:
    asked = []
    for _ in range(8):
        many.cycle()
        asked.append(len(many.peers.asked))
        assert many.lag == many.truth()
        assert len(many.series(group_metrics.GROUP_UP)) == len(many.series(group_metrics.GROUP_MEMBERS)) == 400
        assert not many.unread
    assert max(asked) <= 130
    assert sum(asked[4:]) == 400


def test_an_end_that_moves_wakes_its_groups_in_the_same_cycle(many: Bed) -> None:
    many.peers.ends[PARTITIONS[1]] = 8
    many.peers.commits["group-1"][PARTITIONS[1]] = 7
    many.cycle()
    assert many.lag == many.truth()
    assert many.lag["group-1", "a", "1"] == 1
    assert {f"group-{index}" for index in range(1, 400, 4)} <= set(many.peers.asked)


def test_what_is_produced_between_a_woken_groups_commits_and_its_ends_is_lag_and_not_lost(many: Bed) -> None:
    many.peers.ends[PARTITIONS[1]] = 8
    readings = []

    def consume() -> None:
        # After the first reading of ends the group reads all, and three more records come.
        readings.append(1)
        if len(readings) == 3:
            many.peers.commits["group-1"][PARTITIONS[1]] = 8
            many.peers.ends[PARTITIONS[1]] = 11

    many.peers.before_ends = consume
    many.cycle()
    assert len(readings) >= 3
    # It had committed 5 when it was asked, and the partition ended at 11 when that was.
    assert many.lag["group-1", "a", "1"] == 6


def test_commits_that_go_backwards_on_an_idle_topic_are_seen_within_the_promised_cycles(many: Bed) -> None:
    for index in range(0, 400, 7):
        many.peers.commits[f"group-{index}"][PARTITIONS[index % 4]] = 2
    for _ in range(4):
        many.cycle()
    assert many.lag == many.truth()
    assert many.lag["group-7", "b", "1"] == 3


def test_a_change_of_state_wakes_a_group(many: Bed) -> None:
    for index in range(0, 400, 7):
        many.peers.commits[f"group-{index}"][PARTITIONS[index % 4]] = 2
        many.peers.states[f"group-{index}"] = "Stable"
    many.cycle()
    assert many.lag == many.truth()


def test_few_groups_are_asked_in_every_cycle() -> None:
    bed = Bed(idle_cycles=10).idle(100)
    bed.cycle()
    assert sorted(bed.peers.asked) == sorted(bed.peers.commits)


def test_with_idle_cycles_of_one_every_group_is_asked_in_every_cycle() -> None:
    bed = Bed(idle_cycles=1).idle(400)
    bed.cycle()
    assert len(bed.peers.asked) == 400


def test_a_group_that_is_behind_is_asked_in_every_cycle(many: Bed) -> None:
    many.peers.ends[PARTITIONS[1]] = 8
    for _ in range(5):
        many.cycle()
        assert {f"group-{index}" for index in range(1, 400, 4)} <= set(many.peers.asked)


def test_the_seconds_of_a_lag_grow_though_nothing_else_changes() -> None:
    for written, expected in ((None, [0.0, 1.0, 2.0, 3.0]), (990.0, [12.0, 13.0, 14.0, 15.0])):
        bed = Bed()
        if written is not None:
            bed.times.written[5] = written
        bed.peers.commits["x"] = {PARTITIONS[0]: 5}
        bed.cycle()
        bed.peers.ends[PARTITIONS[0]] = 6
        seconds = [bed.cycle().series(group_metrics.GROUP_LAG_SECONDS)["x", "a"] for _ in range(4)]
        assert seconds == pytest.approx(expected)


def test_a_record_from_the_future_is_as_old_as_it_was_seen_to_exist() -> None:
    bed = Bed()
    bed.times.written = {5: 1004.0}
    bed.peers.commits["x"] = {PARTITIONS[0]: 5}
    bed.cycle()
    bed.peers.ends[PARTITIONS[0]] = 6
    seconds = [bed.cycle().series(group_metrics.GROUP_LAG_SECONDS)["x", "a"] for _ in range(4)]
    assert seconds == pytest.approx([0.0, 1.0, 2.0, 3.0])


def test_a_record_from_the_future_that_was_there_before_has_no_age_until_its_time_has_come() -> None:
    bed = Bed()
    bed.times.written = {5: 1004.0}
    bed.peers.commits["x"] = {PARTITIONS[0]: 5}
    bed.peers.ends[PARTITIONS[0]] = 6
    seconds = [bed.cycle().series(group_metrics.GROUP_LAG_SECONDS)["x", "a"] for _ in range(7)]
    assert seconds == pytest.approx([0.0, 0.0, 0.0, 0.0, 1.0, 2.0, 3.0])


def test_what_is_removed_is_no_lag_any_more_and_is_told() -> None:
    bed = Bed()
    bed.times.written = {2: 900.0, 4: 990.0}
    bed.peers.commits["x"] = {PARTITIONS[0]: 2, PARTITIONS[1]: 5}
    bed.cycle()
    assert bed.series(group_metrics.GROUP_LAG_RECORDS) == {("x", "a"): 3.0}
    assert bed.series(lag_metrics.GROUP_PARTITIONS_OUT_OF_RANGE) == {("x", "a"): 0.0}
    bed.peers.starts[PARTITIONS[0]] = 4
    bed.cycle()
    assert bed.series(group_metrics.GROUP_LAG_RECORDS) == {("x", "a"): 1.0}
    assert bed.series(group_metrics.GROUP_LAG_SECONDS) == {("x", "a"): pytest.approx(12.0)}
    assert bed.series(lag_metrics.GROUP_PARTITIONS_OUT_OF_RANGE) == {("x", "a"): 1.0}
    assert [note for metric, _, _, note in bed.told if metric is lag_metrics.GROUP_PARTITIONS_OUT_OF_RANGE] == [
        "1 commit is out of range; partition 0: 2 records were removed before they were read, commit 2"
    ]


def test_a_topic_made_anew_is_known_by_its_id_and_nothing_of_the_old_one_is_remembered() -> None:
    bed = Bed()
    bed.peers.commits["x"] = {PARTITIONS[0]: 2}
    bed.peers.starts[PARTITIONS[0]] = 1
    bed.cycle().cycle()
    assert bed.times.forgotten == []
    bed.learn(generation=2)
    bed.peers.starts.clear()
    bed.peers.ends[PARTITIONS[0]] = 9  # it grew beyond the old one's end
    bed.cycle()
    assert sorted(set(bed.times.forgotten)) == ["a", "b"]
    assert bed.lag == {("x", "a", "0"): 7.0}
    assert bed.series(group_metrics.GROUP_LAG_SECONDS) == {}, "when its records came nobody knows"


def test_without_ids_an_end_that_falls_tells_it() -> None:
    bed = Bed()
    bed.peers.commits["x"] = {PARTITIONS[0]: 2}
    bed.cycle()
    bed.peers.ends[PARTITIONS[0]] = 3
    bed.cycle()
    assert bed.times.forgotten == ["a"]


def test_without_a_commit_no_lag_is_known_and_with_one_it_is() -> None:
    bed = Bed()
    bed.peers.commits["x"] = {}
    bed.cycle()
    assert bed.series(lag_metrics.GROUP_LAG_KNOWN) == {("x",): 0.0}
    assert bed.series(group_metrics.GROUP_LAG_RECORDS) == {}
    bed.peers.commits["x"] = {PARTITIONS[0]: 2}
    bed.cycle()
    assert bed.series(lag_metrics.GROUP_LAG_KNOWN) == {("x",): 1.0}


def test_a_lag_of_transaction_markers_alone_has_no_age() -> None:
    bed = Bed()
    bed.times.written = {5: None}
    bed.peers.commits["x"] = {PARTITIONS[0]: 5}
    bed.peers.ends[PARTITIONS[0]] = 6
    assert [bed.cycle().series(group_metrics.GROUP_LAG_SECONDS)["x", "a"] for _ in range(3)] == [0.0, 0.0, 0.0]


OPERATION = st.one_of(
    st.tuples(st.just("produce"), st.sampled_from(PARTITIONS), st.integers(1, 3)),
    st.tuples(st.just("commit"), st.sampled_from(GROUPS), st.sampled_from(PARTITIONS), st.integers(0, 3)),
    st.tuples(st.just("state"), st.sampled_from(GROUPS), st.sampled_from(["Stable", "Empty"])),
    st.tuples(st.just("note"), st.sampled_from(GROUPS)),
    st.tuples(st.just("delete"), st.sampled_from(GROUPS)),
    st.tuples(st.just("down"), st.sampled_from(["1", "2"])),
    st.tuples(st.just("up"), st.sampled_from(["1", "2"])),
)


def _do(peers: FakePeers, name: str, *given_: object) -> None:
    if name == "produce":
        partition, count = cast("tuple[TopicPartition, int]", given_)
        if str(partition.partition + 1) not in peers.down:  # nobody can write to a dead leader
            peers.ends[partition] += count
    elif name == "commit":
        group, partition, behind = cast("tuple[str, TopicPartition, int]", given_)
        # Never backwards, also when the group was deleted in between: that is seen later, as its own test says.
        reached = max(peers.reached.get((group, partition), 0), peers.ends[partition] - behind)
        peers.reached[group, partition] = peers.commits.setdefault(group, {})[partition] = reached
    elif name == "state":
        peers.states[cast("str", given_[0])] = cast("str", given_[1])
    elif name == "note":
        peers.noted ^= {cast("str", given_[0])}
    elif name == "delete":
        peers.commits.pop(cast("str", given_[0]), None)
    elif name == "down":
        peers.down.add(cast("str", given_[0]))
    else:
        peers.down.discard(cast("str", given_[0]))


@mock.patch("keywatch.probes.groups.turns._PER_CYCLE", 1)  # so that three groups are many
@settings(deadline=None, max_examples=300)
@given(st.lists(st.lists(OPERATION, max_size=4), min_size=1, max_size=12), st.integers(1, 4))
def test_whatever_happens_no_lag_is_below_the_truth_unless_it_says_so(
    cycles: list[list[tuple[object, ...]]], idle_cycles: int
) -> None:
    bed = Bed(idle_cycles)
    for operations in cycles:
        for operation in operations:
            _do(bed.peers, *cast("tuple[str]", operation))
        bed.cycle()
        unread = bed.unread
        truth = bed.truth()
        for group, topic, index in bed.lag:
            dead = str(int(index) + 1)  # which leads the partition
            assert dead not in bed.peers.down or (group, topic) in unread
        for where, lag in bed.lag.items():
            assert where not in truth or lag >= truth[where] or where[:2] in unread
        if not bed.peers.down:
            # A first commit on another partition is a group's own news, and an idle one's is heard in its turn.
            assert all(bed.lag.get(where, lag) == lag for where, lag in truth.items())
    bed.peers.down.clear()
    for _ in range(2):  # what is gone is found out first, and then kept for a while: it may only be hidden
        bed.now += 10.0
        for _ in range(idle_cycles + 1):
            bed.cycle()
    assert bed.lag == bed.truth()
    assert not bed.unread
    assert bed.series(lag_metrics.GROUP_UNCOMMITTED_RECORDS) == bed.uncommitted_truth()
