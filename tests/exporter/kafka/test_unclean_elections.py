"""An election is unclean when nobody who held all records leads or is in sync any more; what may be clean is none."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from keywatch.engine.slices import at_once
from keywatch.kafka.unclean_elections import UncleanElection, UncleanElections
from keywatch.kafka.wire.requests import PartitionState

ID, REPLICAS = bytes([1]) * 16, (1, 2, 3)
Step = tuple[int, int, Sequence[int]]
"""Leader, epoch, in-sync replicas."""


def seen(
    steps: Sequence[Step], least: int | None = 2, *, eligible: bool = False, replicas: Sequence[int] = REPLICAS
) -> list[UncleanElection]:
    elections = UncleanElections()
    found: list[UncleanElection] = []
    for leader, epoch, in_sync in steps:
        state = PartitionState(0, leader, epoch, tuple(replicas), tuple(in_sync))
        found += at_once(elections.observe("t", ID, {0: state}, least, eligible=eligible))
    return found


UNCLEAN = [UncleanElection("t", 0, 2)]


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([(1, 0, [1]), (2, 1, [2])], id="the last one in sync died, another leads"),
        pytest.param([(1, 0, [1, 3]), (1, 1, [1]), (-1, 2, [1]), (2, 3, [2])], id="after a while without a leader"),
        pytest.param([(1, 0, [1, 3]), (2, 2, [2])], id="all that were in sync died at once"),
        pytest.param([(1, 0, [1]), (2, 1, [2, 3])], id="others joined it before it was seen"),
        pytest.param([(1, 0, [1]), (2, 1, [2]), (1, 2, [1, 2])], id="and the former leader is back"),
    ],
)
def test_a_leader_that_was_not_in_sync_is_told_once(steps: Sequence[Step]) -> None:
    assert seen(steps) == UNCLEAN


@pytest.mark.parametrize(
    "steps",
    [
        pytest.param([(1, 0, [1, 2]), (2, 1, [2])], id="who was in sync leads"),
        pytest.param([(1, 0, [1]), (2, 1, [1, 2])], id="it joined and leads, and the former leader is in sync"),
        pytest.param([(1, 0, [1]), (-1, 1, [1]), (1, 2, [1])], id="who led before leads again"),
        pytest.param([(1, 0, [1]), (-1, 1, [])], id="nobody leads"),
        pytest.param([(1, 5, [1]), (2, 5, [2])], id="the epoch is the same: the answers are of two brokers"),
        pytest.param([(1, 5, [1]), (2, 1, [2])], id="the epoch is older: it is another topic of the name"),
    ],
)
def test_elections_that_lose_nothing_are_none(steps: Sequence[Step]) -> None:
    assert seen(steps) == []


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        pytest.param(
            [(1, 0, [1, 2, 3]), (1, 1, [1, 2]), (1, 2, [1]), (-1, 3, []), (2, 4, [2])], [],
            id="it left while too few were in sync, so that nothing was acknowledged without it",
        ),
        pytest.param(
            [(1, 0, [1, 2, 3]), (1, 1, [1, 3]), (1, 2, [1]), (-1, 3, []), (2, 4, [2])], UNCLEAN,
            id="it left while enough were in sync",
        ),
        pytest.param([(1, 0, [1]), (2, 1, [2])], [], id="who is eligible was not seen"),
        pytest.param(
            [(1, 0, [1]), (1, 1, [1, 3]), (1, 2, [1]), (2, 3, [2])], UNCLEAN, id="it was seen later who is eligible"
        ),
    ],
)  # fmt: skip
def test_an_eligible_replica_leads_without_a_loss(steps: Sequence[Step], found: list[UncleanElection]) -> None:
    assert seen(steps, eligible=True) == found


def test_where_nobody_knows_how_many_must_be_in_sync_anybody_may_be_eligible() -> None:
    assert seen([(1, 0, [1, 3]), (1, 1, [1]), (2, 2, [2])], None, eligible=True) == []


def test_a_topic_that_was_made_anew_had_no_election() -> None:
    elections = UncleanElections()
    for number, leader in ((1, 1), (2, 2)):
        state = PartitionState(0, leader, number, REPLICAS, (leader,))
        assert at_once(elections.observe("t", bytes([number]) * 16, {0: state}, 1, eligible=False)) == []


def test_a_reassignment_is_no_election() -> None:
    elections = UncleanElections()
    for epoch, replicas in enumerate([(1, 2), (3, 4)]):
        state = PartitionState(0, replicas[0], epoch, replicas, replicas)
        assert at_once(elections.observe("t", ID, {0: state}, 1, eligible=False)) == []


def test_what_is_forgotten_is_not_compared() -> None:
    elections = UncleanElections()
    one, other = (PartitionState(0, leader, leader, REPLICAS, (leader,)) for leader in (1, 2))
    at_once(elections.observe("t", ID, {0: one}, 1, eligible=False))
    elections.retain({})
    assert at_once(elections.observe("t", ID, {0: other}, 1, eligible=False)) == []
