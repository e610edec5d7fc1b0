"""However many groups and commits clients make: what matters is read whole, the rest is counted, and nothing flaps."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from unittest import mock

import pytest

from keywatch.engine.probe import Reason
from keywatch.engine.slices import Pieces
from keywatch.kafka.chosen_groups import ChosenGroups
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.wire.groups import GroupOffsets, ListedGroup
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.metrics import groups as group_metrics
from keywatch.metrics import lag as lag_metrics
from keywatch.metrics import probe as probe_metrics
from tests.exporter.probes.groups.test_probe import PARTITIONS, Bed

ONE = PARTITIONS[0]


@pytest.fixture(scope="module", autouse=True)
def runner() -> Iterator[None]:
    with asyncio.Runner() as Bed.runner:
        yield


def bed(most: int = 10, most_partitions: int = 1000) -> Bed:
    """Watch `watched`, and limit what begins with `siem`."""
    chosen = ChosenGroups(
        lambda name: not name.startswith("own"),
        ("watched",),
        lambda name: name.startswith("siem"),
        most,
        most_partitions,
    )
    made = Bed(1, chosen, ("watched",))
    made.peers.commits["watched"] = {ONE: 1}
    return made


def shown(made: Bed) -> set[str]:
    return {labels[0] for labels in made.series(group_metrics.GROUP_UP)}


def left_out(made: Bed, kind: str = "group") -> float:
    return made.series(probe_metrics.PROBE_LEFT_OUT)["groups", "", kind]


def flood(made: Bed, count: int) -> None:
    made.peers.commits |= {f"flood-{'x' * (index % 2)}{index}": {ONE: 3} for index in range(count)}


def test_a_flood_is_counted_and_what_was_there_before_stays_whole() -> None:
    made = bed()
    old = {f"old-{index}": {ONE: index} for index in range(6)}
    made.peers.commits |= old
    made.cycle()
    assert left_out(made) == 0
    flood(made, 400)
    for _ in range(3):
        made.cycle()
        assert {"watched", *old} <= shown(made)
        assert len(shown(made)) == 11
        assert left_out(made) == 396
        assert len(made.peers.asked) <= 11, "nothing is asked of what is left out"
    first = shown(made)
    flood(made, 800)
    made.cycle()
    assert shown(made) == first
    assert left_out(made) == 796
    assert made.lag["watched", "a", "0"] == 4
    notes = [note for metric, _, _, note in made.told if metric is probe_metrics.PROBE_LEFT_OUT and note]
    assert notes == ["left out: 796 or more, as there are more than groups.max_groups allows"]


def test_who_matters_gets_in_while_the_flood_lasts_and_who_is_displaced_does_not_come_back() -> None:
    made = bed(most=4)
    flood(made, 50)
    made.cycle()
    made.peers.commits |= {"siem-1": {ONE: 2}, "alive": {ONE: 2}}
    made.peers.states["alive"] = "Stable"
    made.cycle()
    assert {"watched", "siem-1", "alive"} < shown(made)
    assert len(shown(made)) == 5
    assert left_out(made) == 48
    seen = set()
    for state in ("Empty", "Stable", "Empty", "Stable"):
        made.peers.states["alive"] = state  # it is deployed anew, again and again
        seen |= shown(made.cycle())
    assert seen == shown(made)


def test_a_group_that_is_put_out_while_it_is_asked_for_its_commits_harms_nobody() -> None:
    made = bed(most=2)
    made.peers.commits |= {"aa": {ONE: 3}, "bb": {ONE: 3}}  # of broker 1
    made.cycle()
    assert left_out(made) == 0
    taken = made.probe._groups._taking

    def put_out(answer: Mapping[str, GroupOffsets]) -> Pieces[None]:
        made.probe._groups._chosen.sort([ListedGroup(f"siem-{index}", "consumer", "Empty", "") for index in range(2)])
        return taken(answer)

    with mock.patch.object(made.probe._groups, "_taking", put_out):
        made.cycle()
    assert "aa" not in shown(made)
    assert left_out(made) == 2
    assert not made.probe._groups._chosen.is_reckoned("aa")


def test_limited_groups_are_bounded_too_because_whoever_makes_groups_chooses_their_names() -> None:
    made = bed(most=4)
    made.peers.commits |= {f"siem-{index}": {ONE: 2} for index in range(50)}
    made.cycle()
    assert len(shown(made)) == 5
    assert left_out(made) == 46


def test_room_that_is_free_again_goes_to_those_left_out() -> None:
    made = bed(most=4)
    flood(made, 6)
    made.cycle()
    assert left_out(made) == 2
    gone = sorted(shown(made) - {"watched"})[:2]
    for name in gone:
        del made.peers.commits[name]
    for _ in range(3):
        made.now += 5.0
        made.cycle()
    assert shown(made) == set(made.peers.commits)
    assert left_out(made) == 0


def test_what_nobody_wants_is_not_counted() -> None:
    made = bed(most=4)
    made.peers.commits |= {f"own-{index}": {ONE: 2} for index in range(50)}
    made.cycle()
    assert shown(made) == {"watched"}
    assert left_out(made) == 0


def test_commits_beyond_the_bound_are_not_kept_and_their_group_is_not_said_to_commit_nothing() -> None:
    made = bed(most_partitions=5)
    made.peers.ends = dict.fromkeys((TopicPartition("a", index) for index in range(2)), 5)
    many = {TopicPartition("elsewhere", index): 1 for index in range(100)}
    made.peers.commits |= {"small": {ONE: 3}, "huge": many}
    for _ in range(3):
        made.cycle()
        assert made.lag == {("watched", "a", "0"): 4, ("small", "a", "0"): 2}
        assert left_out(made, "partition") == 100
        assert made.series(group_metrics.GROUP_UP)["huge",] == 1
        assert ("huge",) not in made.series(lag_metrics.GROUP_LAG_KNOWN)
    asked = 0
    for _ in range(60):
        made.cycle()
        asked += made.peers.asked.count("huge")
    assert asked == 1, "it is looked at again now and then"
    made.peers.commits["huge"] = {ONE: 5}
    for _ in range(60):
        made.cycle()
    assert made.lag["huge", "a", "0"] == 0
    assert left_out(made, "partition") == 0


def test_a_watched_group_is_whole_whatever_it_commits_on() -> None:
    made = bed(most_partitions=1)
    made.peers.commits["watched"] = dict.fromkeys(PARTITIONS, 4)
    made.peers.commits["other"] = {ONE: 4}
    made.cycle()
    assert {labels[0] for labels in made.lag} == {"watched", "other"}
    assert left_out(made, "partition") == 0


def test_a_group_whose_answer_is_too_large_costs_no_other_group_anything() -> None:
    made = bed()
    made.peers.commits |= {f"small-{index}": {ONE: 3} for index in range(8)}
    made.peers.commits["huge"] = {TopicPartition("elsewhere", index): 1 for index in range(200)}
    made.peers.max_reply = 1000
    made.cycle()
    up = made.series(group_metrics.GROUP_UP)
    assert up.pop(("huge",)) == 0
    assert set(up.values()) == {1.0}
    assert len(made.lag) == 9


def test_where_the_whole_list_is_too_large_those_with_members_are_listed_and_the_known_ones_stay() -> None:
    made = bed(most=100)
    made.peers.commits |= {"known": {ONE: 2}, "alive": {ONE: 2}}
    made.peers.states["alive"] = "Stable"
    made.cycle()
    made.peers.commits |= {f"{'x' * 200}{index}": {ONE: 3} for index in range(400)}
    made.peers.max_reply = 20_000
    with mock.patch("keywatch.kafka.group_lists._LARGEST_ENTRY", 250):
        for _ in range(3):
            made.now += 4.0
            made.cycle()
            assert {"watched", "known", "alive"} <= shown(made)
            assert len(made.lag) >= 3
            assert left_out(made) > 100
    made.peers.commits["newcomer"] = {ONE: 2}
    made.peers.states["newcomer"] = "Stable"
    made.cycle()
    assert "newcomer" in shown(made)
    # And when it is over everything is as before.
    made.peers.commits = {name: found for name, found in made.peers.commits.items() if len(name) < 100}
    for _ in range(8):
        made.now += 6.0
        made.cycle()
    assert shown(made) == {"watched", "known", "alive", "newcomer"}
    assert left_out(made) == 0


def test_a_large_list_that_takes_long_holds_up_no_lag() -> None:
    made = bed(most=5)
    flood(made, 40)
    with (
        mock.patch("keywatch.kafka.group_lists._LARGE", 10),
        mock.patch("keywatch.kafka.group_lists._PATIENCE", 0.0),
        mock.patch("keywatch.kafka.group_lists._LARGE_EVERY", 0.5),
    ):
        made.cycle()  # it turns out to be large
        assert not any(made.peers.rests)
        made.peers.slow_list = asyncio.Event()
        for end in (6, 8, 9):
            made.peers.ends[ONE] = end
            made.runner.run(made.watch())
            assert made.lag["watched", "a", "0"] == end - 1
        made.peers.commits["alive"] = {ONE: 9}
        made.peers.states["alive"] = "Stable"
        made.peers.slow_list.set()
        for _ in range(3):
            made.cycle()
        assert made.lag["alive", "a", "0"] == 0
        assert any(made.peers.rests), "what is large is read at leisure"
        made.peers.slow_list.clear()
        made.runner.run(made.watch())
        made.now += 40.0
        made.runner.run(made.watch())
        assert made.series(group_metrics.GROUP_UP)["watched",] == 0, "a list that old is none any more"
        made.runner.run(made.probe.close())


def test_a_flood_is_taken_in_bit_by_bit_and_what_has_a_limit_at_once() -> None:
    with mock.patch("keywatch.bounds.NEW_GROUPS", 3):
        made = bed(most=100)
        flood(made, 10)
        assert len(shown(made.cycle())) == 11, "what is there at first is taken in at once"
        made.peers.commits |= {f"siem-{index}": {ONE: 2} for index in range(10)}
        made.peers.commits |= {f"later-{index}": {ONE: 2} for index in range(10)}
        for expected in (24, 27, 30, 31, 31):
            assert len(shown(made.cycle())) == expected
            assert left_out(made) == 31 - expected


def test_where_time_runs_out_those_that_matter_were_asked_first_and_the_others_take_turns() -> None:
    made = bed(most=100)
    made.peers.commits |= {f"other-{index:02}{'x' * 7}": {ONE: 3} for index in range(9)}  # of the same broker
    made.peers.commits["siem-1"] = {ONE: 3}
    groups = made.probe._groups
    asked: list[str] = []

    async def answers_once(
        portions: Iterable[Sequence[str]], ask: Callable[[Sequence[str]], Awaitable[None]], _: object
    ) -> None:
        for count, names in enumerate(portions):
            if count == 3:
                raise BrokerError(Reason.TIMEOUT_RESPONSE, "no time is left")
            asked.extend(names)
            await ask(names)

    with (
        mock.patch("keywatch.kafka.groups._GROUPS_PER_REQUEST", 1),
        mock.patch("keywatch.kafka.groups.in_portions", answers_once),
    ):
        seen: set[str] = set()
        for _ in range(9):
            asked.clear()
            made.cycle()
            assert "siem-1" in asked
            assert made.series(group_metrics.GROUP_UP)["siem-1",] == 1
            seen |= set(asked)
    assert set(groups.known) <= seen | {"watched"}


def test_without_time_to_reckon_all_lags_those_that_matter_are_true_and_the_others_take_turns() -> None:
    made = bed(most=100)
    flood(made, 6)
    made.peers.commits["siem-1"] = {ONE: 3}
    with mock.patch("keywatch.probes.groups.probe._RECKONING_SHARE", 0.0):
        told = []
        for _ in range(9):
            made.cycle()
            told.append({labels[0] for labels in made.series(group_metrics.GROUP_LAG_RECORDS)})
        assert all("watched" in names for names in told)
        assert len(told[0]) < len(told[-1]) == 8, "each run reckons one more at least"
        for end in (7, 9):
            made.peers.ends[ONE] = end
            made.cycle()
            assert made.lag["watched", "a", "0"] == end - 1
    made.cycle()
    assert made.lag == made.truth()


def test_memory_follows_the_bound_and_not_the_flood() -> None:
    made = bed(most=20)
    made.cycle()
    flood(made, 20_000)
    tracemalloc.start()
    try:
        made.cycle()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(3):
            made.cycle()
        grown = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert len(made.probe._groups.known) == 21
    assert before < 4_000_000, "the lists themselves, as bytes"
    assert grown < 500_000
