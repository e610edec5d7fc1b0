"""A group is stuck when the oldest record it has not read stays the same for five minutes."""

from __future__ import annotations

from keywatch.metrics.groups import GROUP_LAG_RECORDS, GROUP_LAG_SECONDS
from keywatch.probes.groups.standing import Standing
from tests.exporter.fakes.groups_bed import PARTITIONS, Bed, runner

__all__ = ["runner"]  # a fixture for each test


def test_the_same_oldest_record_for_five_minutes_is_stuck() -> None:
    standing = Standing()
    for now in range(1000, 1300, 10):
        standing.record({"t": 900.0 + now % 3 / 10}, float(now))  # reckoned, so not quite the same
        assert standing.words("t", float(now)) is None
    standing.record({"t": 900.0}, 1300.0)
    assert standing.words("t", 1300.0) == "stuck: records wait and nothing was committed for 5 minutes"


def test_a_commit_begins_anew_and_a_topic_that_was_read_is_forgotten() -> None:
    standing = Standing()
    standing.record({"t": 900.0}, 1000.0)
    standing.record({"t": 905.0}, 1290.0)
    assert standing.words("t", 1310.0) is None
    standing.record({}, 1320.0)
    assert standing.words("t", 9999.0) is None


def bed(members: bool, *named: str) -> Bed:
    made = Bed(named=named)
    made.peers.commits["siem"] = {PARTITIONS[0]: 2}
    made.times.written = {2: 900.0}
    if members:
        made.peers.members["siem"] = (["a"], PARTITIONS[:2])
    for _ in range(3):
        made.cycle()
    return made


def test_records_that_nobody_reads_are_told_of_groups_that_somebody_is_called_for() -> None:
    words = ["nobody reads it: records wait, and the group has no members"]
    assert bed(False, "siem").notes(GROUP_LAG_RECORDS) == words
    assert bed(False).notes(GROUP_LAG_RECORDS) == []
    made = bed(True, "siem")
    assert made.notes(GROUP_LAG_RECORDS) == []
    made.peers.members.clear()
    for _ in range(3):
        made.cycle()
    assert made.notes(GROUP_LAG_RECORDS) == words


def test_a_group_with_members_that_commits_nothing_for_five_minutes_is_told() -> None:
    made = bed(True, "siem")
    assert made.notes(GROUP_LAG_SECONDS) == []
    for _ in range(310):
        made.cycle()
    (note,) = made.notes(GROUP_LAG_SECONDS)
    assert note == "stuck: records wait and nothing was committed for 5 minutes"
    made.peers.commits["siem"] = {PARTITIONS[0]: 3}
    made.times.written = {3: 1200.0}
    for _ in range(3):
        made.cycle()
    assert made.notes(GROUP_LAG_SECONDS) == []
