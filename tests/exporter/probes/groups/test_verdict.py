"""A group is one thing at a time, the worst that holds."""

from __future__ import annotations

from keywatch.kafka.errors import COORDINATOR_NOT_AVAILABLE
from keywatch.metrics.groups import GROUP_VERDICT
from keywatch.patterns import Patterns
from keywatch.probes.groups.series import Limit
from tests.exporter.fakes.groups_bed import PARTITIONS, Bed, runner

__all__ = ["runner"]  # a fixture for each test


def is_now(bed: Bed) -> list[str]:
    return [verdict for (_, verdict), value in bed.series(GROUP_VERDICT).items() if value == 1]


def cycles(bed: Bed, count: int) -> list[str]:
    for _ in range(count):
        bed.cycle()
    return is_now(bed)


def bed(committed: int = 5, *, members: bool = True) -> Bed:
    made = Bed(idle_cycles=1)
    made.peers.commits["siem"] = {PARTITIONS[0]: committed}
    made.times.written = {2: 900.0}
    if members:
        made.peers.members["siem"] = (["a"], PARTITIONS[:1])
    return made


def test_a_group_that_has_read_all_is_ok_and_without_members_it_has_stopped() -> None:
    made = bed()
    assert cycles(made, 3) == ["ok"]
    made.peers.members.clear()
    assert cycles(made, 3) == ["stopped"]
    assert made.series(GROUP_VERDICT) == {("siem", "ok"): 0.0, ("siem", "stopped"): 1.0}


def test_records_that_nobody_reads_and_those_that_a_member_does_not_read() -> None:
    assert cycles(bed(2, members=False), 3) == ["without_members"]
    made = bed(2)
    assert cycles(made, 3) == ["ok"]
    assert cycles(made, 310) == ["stuck"]


def test_commits_that_went_back_are_told_for_five_minutes() -> None:
    made = bed(4)
    cycles(made, 3)
    made.peers.commits["siem"] = {PARTITIONS[0]: 2}
    assert cycles(made, 3) == ["rewound"]
    made.now += 300
    assert cycles(made, 1) == ["stuck"]


def test_a_limit_that_is_passed_is_late() -> None:
    for limit, verdict in ((Limit(Patterns(), 2, None), "late"), (Limit(Patterns(), 3, None), "ok"),
                           (Limit(Patterns(), None, 90), "late"), (Limit(Patterns(), None, 9000), "ok")):  # fmt: skip
        made = bed(2)
        made.probe._limits = (limit,)
        assert cycles(made, 3) == [verdict]


def test_a_group_that_nobody_answers_for_or_that_never_committed_is_unknown() -> None:
    made = bed()
    cycles(made, 3)
    made.peers.refused["siem"] = COORDINATOR_NOT_AVAILABLE
    assert cycles(made, 3) == ["unknown"]
    new = Bed(idle_cycles=1)
    new.peers.commits["new"] = {}
    new.peers.members["new"] = (["a"], PARTITIONS[:1])
    assert cycles(new, 3) == ["unknown"]
