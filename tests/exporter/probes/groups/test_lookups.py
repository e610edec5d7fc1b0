"""What is read beside the cycles holds up none of them, comes when it comes, and keeps to its bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import cast

import pytest

from keywatch.config.endpoint import Endpoint
from keywatch.kafka.peers import Peers
from keywatch.kafka.records.search import Position
from keywatch.kafka.records.times import RecordTimes
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.probes.groups.lookups import Lookups
from keywatch.probes.groups.start_offsets import StartOffsets
from tests.exporter.fakes.fake_cluster import FakePeers, FakeTimes
from tests.exporter.fakes.metadata import metadata, partition

ONE, TWO = TopicPartition("a", 0), TopicPartition("a", 1)


class Late:
    """Peers whose answers wait for a sign."""

    def __init__(self, peers: FakePeers) -> None:
        self.sign = asyncio.Event()
        self.asked = 0
        self._peers = peers

    async def ask_much(self, *arguments: object) -> object:
        """Answer after the sign."""
        self.asked += 1
        await self.sign.wait()
        return await self._peers.ask_much(*arguments)  # type: ignore[arg-type]

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def topology() -> Topology:
    made = Topology([Endpoint("k1", 9092)])
    made.record(metadata([1, 2], {"a": [partition(1, [1]), partition(2, [2])]}))
    return made


async def test_starts_that_come_late_are_given_by_a_later_call_and_asked_for_once(topology: Topology) -> None:
    late = Late(FakePeers(ends={ONE: 9, TWO: 9}, starts={ONE: 3}))
    starts, wanted = StartOffsets(topology, cast("Peers", late), 5.0), {"a": (0, 1)}
    for _ in range(3):
        assert await starts.refresh(wanted, (), 0.001) == ()
    assert (late.asked, starts.get(ONE)) == (2, None), "each leader once"
    late.sign.set()
    assert set(await starts.refresh(wanted, (), 5.0)) == {ONE, TWO}
    assert (starts.get(ONE), starts.get(TWO)) == (3, 0)


@pytest.mark.parametrize(("partitions", "readings"), [(1000, 20), (2000, 10), (50_000, 2)])
async def test_the_more_starts_there_are_the_less_often_they_are_read(
    topology: Topology, partitions: int, readings: int
) -> None:
    peers = FakePeers(ends={ONE: 9, TWO: 9})
    asked = []
    peers.before_ends = lambda: asked.append(1)
    starts = StartOffsets(topology, cast("Peers", peers), 5.0)
    wanted = {"a": (0,), "unknown": tuple(range(partitions - 1))}
    for _ in range(20):
        await starts.refresh(wanted, (), 5.0)
    assert readings <= len(asked) <= readings + 1
    asked.clear()
    await starts.refresh({"a": (0,)}, (), 5.0)
    assert asked, "other partitions are read at once"
    asked.clear()
    starts.drop("a")
    await starts.refresh({"a": (0,)}, (ONE,), 5.0)
    assert not asked, "a leader that has just not answered is left alone"


class Noting(FakeTimes):
    """Takes down what it is to find, and does so after a sign."""

    def __init__(self) -> None:
        super().__init__()
        self.wanted: list[Position] = []
        self.sign = asyncio.Event()

    async def find(self, positions: Sequence[Position], timeout: float) -> None:
        """Take it down."""
        assert timeout > 0
        self.wanted += positions
        await self.sign.wait()


async def test_a_look_up_takes_those_first_of_which_least_is_known_and_holds_nobody_up() -> None:
    times = Noting()
    lookups = Lookups(cast("RecordTimes", times), most=3, timeout=1.0)
    missing = {Position(ONE, 1): True, Position(ONE, 2): False, Position(TWO, 3): False, Position(ONE, 4): True}
    lookups.begin(missing)
    lookups.begin(missing)  # while one is under way
    assert await lookups.found(0.001) == ()
    assert lookups.busy
    times.sign.set()
    chosen = [Position(ONE, 2), Position(TWO, 3), Position(ONE, 1)]
    assert list(await lookups.found(5.0)) == chosen == times.wanted
    assert not lookups.busy
    assert await lookups.found(5.0) == ()
    lookups.begin({})
    assert not lookups.busy
    lookups.close()
