"""The partitions of a large and calm cluster are read seldom; its brokers always; and everything when in doubt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar, cast

import pytest

from keywatch.config.endpoint import Endpoint
from keywatch.engine.probe import ProbeError, Reason, Schedule
from keywatch.engine.slices import Pieces, in_slices
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.peers import Peers
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire.codec import Reader, Writer
from keywatch.kafka.wire.request import Request
from keywatch.kafka.wire.requests import METADATA
from keywatch.probes.cluster import cluster
from keywatch.probes.cluster.cluster import ClusterProbe

_T = TypeVar("_T")


class Brokers:
    """Two brokers that name five partitions, each in an order of its own."""

    def __init__(self) -> None:
        self.whole: list[bool] = []
        self.asked: list[str] = []
        self.in_sync: tuple[int, ...] = (1, 2)

    async def ask(self, label: str, request: Request, _timeout: float, read: Callable[[Reader], _T]) -> _T:
        """Answer Metadata."""
        if request.api != METADATA:
            raise BrokerError(Reason.UNSUPPORTED, "an old broker")
        self.asked.append(label)
        self.whole.append(request.body.startswith(b"\xff\xff\xff\xff"))
        order = range(5) if label == "1" else range(4, -1, -1)
        body = Writer().int32(0)
        body.array((1, 2), lambda id_: body.int32(id_).string(f"k{id_}").int32(9092).string(None))
        body.string("id").int32(1)

        def partition(index: int) -> None:
            body.int16(0).int32(index).int32(1).int32(0).array((1, 2), body.int32)
            body.array(self.in_sync, body.int32).array((), str)

        def topic(name: str) -> None:
            body.int16(0).string(name).boolean(False).array(order, partition).int32(0)

        body.array(["a"] if self.whole[-1] else [], topic)
        return read(Reader(body.done()))

    async def highest(self, label: str, api: int, timeout: float) -> int:
        """Speak Metadata without topics' ids."""
        return 8 if label and api == METADATA and timeout > 0 else -1

    async def ask_much(self, label: str, request: Request, timeout: float, read: Callable[[Reader], Pieces[_T]]) -> _T:
        """Answer Metadata."""
        return await in_slices(await self.ask(label, request, timeout, read))


class Bed:
    """The probe, once a second."""

    def __init__(self) -> None:
        self.now = 0.0
        self.brokers = Brokers()
        self.topology = Topology([Endpoint("k1", 9092)])
        self.probe = ClusterProbe(
            "kafka", self.topology, cast("Peers", self.brokers), Schedule(1.0, 1.0), clock=lambda: self.now
        )

    def seconds(self, count: int) -> list[bool]:
        """Let seconds pass; tells of each whether partitions were read."""
        told = []
        for _ in range(count):
            self.brokers.whole.clear()
            asyncio.run(self.probe.run(1.0))
            assert len(set(self.brokers.whole)) == 1
            told.append(self.brokers.whole[0])
            self.now += 1.0
        return told


@pytest.fixture
def bed(monkeypatch: pytest.MonkeyPatch) -> Bed:
    """Return a calm cluster whose five partitions are as many as 10,000, so that they are read every five seconds."""
    monkeypatch.setattr(cluster, "_PARTITIONS_PER_SECOND", 1)
    made = Bed()
    made.seconds(1)
    for label in ("1", "2"):
        made.topology.report(label, up=True)
    made.seconds(1)
    while not made.seconds(1)[0]:
        pass
    return made


def test_a_calm_clusters_partitions_are_read_seldom_and_its_brokers_always(bed: Bed) -> None:
    topics = bed.topology.topics
    assert bed.seconds(10) == [False, False, False, False, True] * 2
    assert bed.topology.topics is topics, "the same partitions in another order are no change"
    assert set(bed.topology.brokers) == {"1", "2"}


@pytest.mark.parametrize(
    "doubt",
    [
        lambda bed: bed.topology.report("2", up=False, reason=Reason.REFUSED),
        lambda bed: bed.topology.report_attempt("2", answered=False),
    ],
    ids=["a broker is down", "a broker missed"],
)
def test_while_a_broker_is_in_doubt_everything_is_read_every_time(bed: Bed, doubt: Callable[[Bed], None]) -> None:
    doubt(bed)
    assert bed.seconds(4) == [True] * 4
    bed.topology.report("2", up=True)
    bed.topology.report_attempt("2", answered=True)
    assert bed.seconds(2) == [False, False]


def test_a_contradiction_has_everything_read_once(bed: Bed) -> None:
    bed.topology.outdate()
    assert bed.seconds(3) == [True, False, False]


def test_while_a_replica_is_missing_everything_is_read_every_time(bed: Bed) -> None:
    bed.brokers.in_sync = (1,)
    assert bed.seconds(8) == [False, False, False, False, True, True, True, True]
    bed.brokers.in_sync = (1, 2)
    assert bed.seconds(3) == [True, False, False]


def test_a_broker_that_is_cut_off_is_not_believed_unless_all_are(bed: Bed) -> None:
    bed.topology.fence(["1"])
    bed.brokers.asked.clear()
    bed.seconds(3)
    assert set(bed.brokers.asked) == {"2"}
    bed.topology.fence(["1", "2"])
    bed.seconds(1)
    assert set(bed.brokers.asked) == {"1", "2"}


def test_a_small_cluster_is_read_every_time() -> None:
    small = Bed()
    small.seconds(1)
    for label in ("1", "2"):
        small.topology.report(label, up=True)
    assert small.seconds(5) == [True] * 5


class Refusing(Brokers):
    """Brokers that answer nothing."""

    async def ask(self, label: str, request: Request, _timeout: float, read: Callable[[Reader], _T]) -> _T:
        """Refuse."""
        del request, read
        raise BrokerError(Reason.UNSUPPORTED, f"broker {label} is old")

    async def highest(self, label: str, api: int, timeout: float) -> int:
        """Refuse."""
        del api, timeout
        raise BrokerError(Reason.UNSUPPORTED, f"broker {label} is old")


def test_a_cluster_that_is_too_old_is_unsupported_at_once_and_down_when_nobody_answers() -> None:
    bed = Bed()
    bed.brokers = Refusing()
    bed.probe = ClusterProbe("kafka", bed.topology, cast("Peers", bed.brokers), Schedule(1.0, 1.0))

    def told() -> tuple[float, float]:
        with pytest.raises(ProbeError) as error:
            asyncio.run(bed.probe.run(1.0))
        found = {one.metric.name: one.value for one in error.value.samples}
        return found["keywatch_cluster_up"], found["keywatch_cluster_supported"]

    assert told() == (0, 0)
    bed.topology.report("k1:9092", up=False, reason=Reason.REFUSED)
    assert told() == (0, 1)
