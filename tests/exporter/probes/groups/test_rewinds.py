"""Commits that went back are told with how far, and neither a topic made anew nor a new coordinator is taken for it."""

from __future__ import annotations

import pytest

from keywatch.metrics import lag as cat
from keywatch.probes.groups import rewind_counters
from keywatch.probes.groups.lag import PartitionLag
from keywatch.probes.groups.rewinds import Rewind, Rewinds
from tests.exporter.fakes.groups_bed import PARTITIONS, Bed, runner

__all__ = ["runner"]  # a fixture for each test

END = 100


def lags(*committed: int, end: int = END, verified: bool = True) -> list[PartitionLag]:
    """Return what two partitions of topic a, or one, were found as."""
    return [
        PartitionLag(partition, offset, max(end - offset, 0), 0.0, verified, estimated=False)
        for partition, offset in zip(PARTITIONS, committed, strict=False)
    ]


def test_how_far_the_commits_of_a_topic_went_back_is_summed_over_partitions() -> None:
    rewinds = Rewinds()
    rewinds.record(lags(50, 60), "1", 1, 1000.0)
    rewinds.record(lags(55, 60), "1", 2, 1001.0)
    assert rewinds.last == {}
    rewinds.record(lags(20, 60), "1", 3, 1002.0)
    assert rewinds.last == {"a": Rewind(1002.0, 35)}
    rewinds.record(lags(20, 50), "1", 4, 1003.0)  # one reset, seen in two cycles
    assert rewinds.last == {"a": Rewind(1003.0, 45)}
    rewinds.record(lags(21, 51), "1", 5, 1004.0)
    assert rewinds.last == {"a": Rewind(1003.0, 45)}
    rewinds.record(lags(19, 51), "1", 6, 2000.0)
    assert rewinds.last == {"a": Rewind(2000.0, 2)}


@pytest.mark.parametrize(
    "after",
    [lags(3, end=10), lags(-1), lags(3, verified=False), []],
    ids=["made anew, and shorter", "commit deleted", "not read", "gone"],
)
def test_what_is_no_rewind(after: list[PartitionLag]) -> None:
    rewinds = Rewinds()
    rewinds.record(lags(50), "1", 1, 1000.0)
    rewinds.record(after, "1", 2, 1001.0)
    assert rewinds.last == {}


def test_what_was_not_read_meanwhile_is_compared_with_what_was_known() -> None:
    rewinds = Rewinds()
    rewinds.record(lags(50), "1", 1, 1000.0)
    rewinds.record(lags(50, verified=False), "1", 2, 1001.0)
    rewinds.record(lags(40), "1", 3, 1002.0)
    assert rewinds.last == {"a": Rewind(1002.0, 10)}


def test_a_new_coordinator_is_believed_when_it_says_so_again() -> None:
    rewinds = Rewinds()
    rewinds.record(lags(50), "1", 1, 1000.0)
    rewinds.record(lags(40), "2", 2, 1001.0)
    rewinds.record(lags(40), "2", 2, 1001.5)  # only the end moved
    assert rewinds.last == {}
    rewinds.record(lags(41), "2", 3, 1002.0)
    assert rewinds.last == {"a": Rewind(1002.0, 9)}


def test_a_new_coordinator_that_had_not_read_all_yet_is_no_rewind() -> None:
    rewinds = Rewinds()
    rewinds.record(lags(50), "1", 1, 1000.0)
    rewinds.record(lags(40), "2", 2, 1001.0)
    rewinds.record(lags(50), "2", 3, 1002.0)
    rewinds.record(lags(51), "2", 4, 1003.0)
    assert rewinds.last == {}


def test_rewinds_are_counted_from_0_on_and_by_name_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    bed = Bed()
    counted: dict[tuple[str, ...], float] = {}

    def cycles(count: int) -> None:
        for _ in range(count):
            for labels, value in bed.cycle().series(cat.GROUP_REWINDS_TOTAL).items():
                counted[labels] = counted.get(labels, 0.0) + value

    bed.peers.commits["siem"] = {PARTITIONS[0]: 4, PARTITIONS[2]: 4}
    cycles(3)
    assert counted == {("siem", "a"): 0.0, ("siem", "b"): 0.0}
    bed.peers.commits["siem"] = {PARTITIONS[0]: 2, PARTITIONS[2]: 4}
    cycles(6)
    assert counted == {("siem", "a"): 1.0, ("siem", "b"): 0.0}
    monkeypatch.setattr(rewind_counters, "_MOST_COUNTED", 2)
    bed.peers.commits["late"] = {PARTITIONS[0]: 4}
    cycles(6)
    bed.peers.commits["late"] = {PARTITIONS[0]: 3}
    cycles(6)
    assert counted == {("siem", "a"): 1.0, ("siem", "b"): 0.0, ("other", "other"): 1.0}


def test_whoever_wants_to_be_called_for_the_group_is_told_for_five_minutes() -> None:
    for named, words in (("siem", ["its commits went back by 3 offsets: it reads records again"]), ("other", [])):
        bed = Bed(named=[named])
        bed.peers.commits["siem"] = {PARTITIONS[0]: 4}
        for _ in range(3):
            bed.cycle()
        bed.peers.commits["siem"] = {PARTITIONS[0]: 1}
        for _ in range(6):
            bed.cycle()
        assert bed.notes(cat.GROUP_REWOUND_TIMESTAMP_SECONDS) == words
        bed.now += 300
        bed.cycle()
        assert bed.notes(cat.GROUP_REWOUND_TIMESTAMP_SECONDS) == []
        assert bed.series(cat.GROUP_REWOUND_OFFSETS) == {("siem", "a"): 3.0}


def test_the_probe_tells_it_until_the_topic_is_made_anew() -> None:
    bed = Bed()
    bed.peers.commits["siem"] = {PARTITIONS[0]: 4, PARTITIONS[1]: 5, PARTITIONS[2]: 5}
    for _ in range(3):
        bed.cycle()
    assert bed.series(cat.GROUP_REWOUND_OFFSETS) == {}
    bed.peers.commits["siem"] = {PARTITIONS[0]: 1, PARTITIONS[1]: 5, PARTITIONS[2]: 5}
    for _ in range(6):  # a group without a lag is asked now and then
        bed.cycle()
    assert bed.series(cat.GROUP_REWOUND_OFFSETS) == {("siem", "a"): 3.0}
    (at,) = bed.series(cat.GROUP_REWOUND_TIMESTAMP_SECONDS).values()
    assert bed.now - 6 <= at <= bed.now
    bed.learn(generation=2)
    bed.peers.commits["siem"] = {PARTITIONS[0]: 0, PARTITIONS[2]: 5}
    for _ in range(6):
        bed.cycle()
    assert bed.series(cat.GROUP_REWOUND_OFFSETS) == {}
