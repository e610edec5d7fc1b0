"""The tail hands over each record once, in order and in bounded memory, and tells where and why it cannot read on."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import pytest
from confluent_kafka import KafkaError, Producer

from keywatch.demo.embedded import EmbeddedCluster
from keywatch.engine.probe import Reason
from keywatch.kafka.client import Clients
from keywatch.kafka.records.record import Moment, Record
from keywatch.kafka.records.tail import Tail
from keywatch.kafka.wire.requests import TopicPartition
from tests.exporter.waiting import until

TOPIC, FETCH = "events", 1
# Eight batches wait to be taken, the first of which may be empty, and one for its turn.
MOST = 9
P0, P1, P2 = (TopicPartition(TOPIC, index) for index in range(3))


@pytest.fixture
def cluster() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster() as made:
        made.create_topic(TOPIC, 3, 3)
        yield made


def write(cluster: EmbeddedCluster, partition: int, values: Sequence[str]) -> None:
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "log_level": 0, "linger.ms": 0})
    for value in values:
        producer.produce(TOPIC, value.encode(), partition=partition, key=b"k", timestamp=1_700_000_000_500)
    assert producer.flush(20) == 0


class Bed:
    """A tail and all that it handed over, as texts; ends it afterwards."""

    def __init__(self, cluster: EmbeddedCluster) -> None:
        self.got: list[str] = []
        self.records: list[Record] = []
        self.on_time: list[bool] = []
        self.batches = 0
        self.stand_still = 0.0
        self.sizes: list[int] = []
        self.defect: Exception | None = None
        self.tail: Tail[list[Record]] = Tail(Clients(cluster.bootstrap, {}), "test", self.make, self.take)

    def make(self, records: Sequence[Record], now: Moment, on_time: bool) -> list[Record]:
        """Make nothing special of a batch, on the thread."""
        assert threading.current_thread().name == "tail-test"
        assert abs(now.wall - time.time()) < 5
        if self.defect is not None:
            raise self.defect
        self.batches += 1
        time.sleep(self.stand_still)
        self.stand_still = 0.0
        self.sizes.append(len(records))
        self.on_time.append(on_time)
        return list(records)

    def take(self, made: list[Record]) -> None:
        """Take it on the event loop."""
        assert threading.current_thread() is threading.main_thread()
        self.records += made
        self.got += [(record.value or b"").decode() for record in made]


@contextlib.contextmanager
def bed(cluster: EmbeddedCluster) -> Iterator[Bed]:
    made = Bed(cluster)
    try:
        yield made
    finally:
        made.tail.end()
        made.tail._thread.join(60)
        assert not made.tail._thread.is_alive()


def hold_up_until(condition: Callable[[], bool]) -> None:
    """Let nothing else run on the event loop until the condition holds."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def numbered(name: str, count: int) -> list[str]:
    return [f"{name}-{number}" for number in range(count)]


async def test_records_come_once_and_in_order_from_where_reading_begins(cluster: EmbeddedCluster) -> None:
    write(cluster, 0, numbered("a", 10))
    with bed(cluster) as it:
        it.tail.subscribe({P0: 4, P1: 0})
        assert it.tail.positions == {P0: 4, P1: 0}
        await until(lambda: len(it.got) == 6, "the rest of the first partition")
        write(cluster, 1, numbered("b", 2500))
        write(cluster, 0, ["late"])
        write(cluster, 2, ["not asked for"])
        await until(lambda: len(it.got) == 6 + 2501, "all that was written since")
        assert [text for text in it.got if not text.startswith("b")] == [*numbered("a", 10)[4:], "late"]
        assert [text for text in it.got if text.startswith("b")] == numbered("b", 2500)
        assert it.tail.positions == {P0: 11, P1: 2500}
        assert it.records[0] == Record(TOPIC, b"k", b"a-4", 1_700_000_000.5, 0, 4)
        assert it.batches >= 3, "no batch is larger than it may be"


async def test_partitions_are_added_moved_and_dropped_without_disturbing_the_others(cluster: EmbeddedCluster) -> None:
    write(cluster, 0, numbered("a", 3))
    with bed(cluster) as it:
        it.tail.subscribe({P0: 0})
        await until(lambda: len(it.got) == 3, "the first partition")
        write(cluster, 1, numbered("b", 3))
        it.tail.subscribe({P1: 1})
        await until(lambda: len(it.got) == 5, "a part of the second")
        it.tail.subscribe({P1: 0})
        await until(lambda: len(it.got) == 8, "the second from its beginning")
        it.tail.subscribe({P2: 0}, [P0])
        write(cluster, 2, ["c"])
        await until(lambda: "c" in it.got, "the third")
        write(cluster, 0, ["unheard"])
        write(cluster, 1, ["last"])
        await until(lambda: "last" in it.got, "the second still")
        assert sorted(it.got) == sorted([*numbered("a", 3), "b-1", "b-2", *numbered("b", 3), "c", "last"])
        assert it.tail.positions == {P1: 4, P2: 1}


async def test_whether_records_came_on_time_is_what_was_said_of_it(cluster: EmbeddedCluster) -> None:
    with bed(cluster) as it:
        it.tail.subscribe({P0: 0})
        write(cluster, 0, ["a"])
        await until(lambda: it.got == ["a"], "the first")
        it.tail.on_time = True
        write(cluster, 0, ["b"])
        await until(lambda: it.got == ["a", "b"], "the second")
        assert it.on_time == [False, True]


async def test_a_full_batch_is_never_on_time(cluster: EmbeddedCluster) -> None:
    write(cluster, 0, numbered("a", 10_000))
    with bed(cluster) as it:
        it.tail.on_time = True
        it.tail.subscribe({P0: 0})
        await until(lambda: len(it.got) == 10_000, "all of them")
        flags = [flag for flag, size in zip(it.on_time, it.sizes, strict=True) if size == 1000]
        assert flags
        assert not any(flags)


async def test_after_a_standstill_nothing_is_on_time_until_somebody_says_so(
    cluster: EmbeddedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keywatch.kafka.records.tail._STANDSTILL", 0.5)
    with bed(cluster) as it:
        it.tail.subscribe({P0: 0})
        it.tail.on_time = True
        it.stand_still = 1.0
        write(cluster, 0, ["a"])
        await until(lambda: it.got == ["a"], "the first")
        await until(lambda: not it.tail.on_time, "it notices")
        write(cluster, 0, ["b"])
        await until(lambda: it.got == ["a", "b"], "the second")
        assert it.on_time == [True, False]


async def test_an_offset_that_is_not_there_is_told_and_waits_for_another(cluster: EmbeddedCluster) -> None:
    write(cluster, 0, numbered("a", 3))
    with bed(cluster) as it:
        it.tail.subscribe({P0: 500, P1: 0})
        await until(lambda: it.tail.lost == {P0}, "the partition is lost")
        assert it.tail.positions[P0] == 500
        it.tail.subscribe({P0: 2})
        assert it.tail.lost == set()
        await until(lambda: it.got == ["a-2"], "reading goes on")


async def test_a_dead_and_a_moved_leader_cost_no_record_and_bring_none_twice(cluster: EmbeddedCluster) -> None:
    with bed(cluster) as it:
        it.tail.subscribe({P0: 0, P1: 0, P2: 0})
        for number in range(3):
            for partition in range(3):
                write(cluster, partition, numbered(f"{number}-{partition}", 20))
            cluster.stop_broker(1)
            cluster.set_leader(TOPIC, 1, 1 + (number + 1) % 3)
            cluster.start_broker(1)
        await until(lambda: len(it.got) >= 180, "all records", 30)
        assert len(it.got) == len(set(it.got)) == 180
        assert it.tail.positions == {P0: 60, P1: 60, P2: 60}


async def test_a_right_that_is_missing_is_told_until_something_can_be_read(cluster: EmbeddedCluster) -> None:
    with bed(cluster) as it:
        it.tail.subscribe({P0: 0})
        cluster.request_errors(FETCH, [KafkaError.TOPIC_AUTHORIZATION_FAILED] * 3)
        await until(lambda: it.tail.troubles, "it is told")
        reason, words = it.tail.troubles[TOPIC]
        assert (reason, "TOPIC_AUTHORIZATION_FAILED" in words) == (Reason.AUTHORIZATION, True)
        write(cluster, 0, ["a"])
        await until(lambda: it.got == ["a"], "it is read")
        assert it.tail.troubles == {}


async def test_a_trouble_goes_with_its_topic(cluster: EmbeddedCluster) -> None:
    with bed(cluster) as it:
        it.tail.subscribe({P0: 0})
        cluster.request_errors(FETCH, [KafkaError.TOPIC_AUTHORIZATION_FAILED] * 20)
        await until(lambda: it.tail.troubles, "it is told")
        it.tail.subscribe({}, [P0])
        await until(lambda: not it.tail.troubles, "it is nobody's business any more")


async def test_a_defect_ends_the_tail_and_is_handed_over(cluster: EmbeddedCluster) -> None:
    with bed(cluster) as it:
        it.defect = ZeroDivisionError("planted")
        it.tail.subscribe({P0: 0})
        write(cluster, 0, ["a"])
        await until(lambda: it.tail.failure, "it is told")
        assert it.tail.failure is it.defect
        assert it.tail.moved.is_set()
        assert it.tail.positions == {P0: 0}


async def test_a_slow_event_loop_makes_it_wait_and_not_grow(cluster: EmbeddedCluster) -> None:
    write(cluster, 0, numbered("a", 20_000))
    with bed(cluster) as it:
        it.tail.subscribe({P0: 0})
        hold_up_until(lambda: it.batches >= MOST - 1)
        time.sleep(0.5)  # noqa: ASYNC251 - long enough for twenty batches
        assert it.batches <= MOST
        assert it.got == []
        await until(lambda: len(it.got) == 20_000, "it goes on")
        assert it.got == numbered("a", 20_000)


async def test_it_ends_although_nobody_takes_what_it_read(cluster: EmbeddedCluster) -> None:
    write(cluster, 0, numbered("a", 20_000))
    with bed(cluster) as it:
        it.tail.subscribe({P0: 0})
        hold_up_until(lambda: it.batches >= MOST - 1)
        it.tail.end()
        it.tail._thread.join(5)
        assert not it.tail._thread.is_alive()
        await asyncio.sleep(0)


class Changing(Clients):
    """Clients whose certificate changes when it is told to."""

    number = 0
    made = 0

    def version(self) -> tuple[int, ...]:
        """Return the number."""
        return (self.number,)


async def test_new_credentials_mean_a_new_client_at_the_same_places(
    cluster: EmbeddedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("keywatch.kafka.records.tail._VERSION_EVERY", 0.0)
    clients, got = Changing(cluster.bootstrap, {}), list[str]()
    made = 0
    bulk = clients.bulk

    def counted() -> object:
        nonlocal made
        made += 1
        return bulk()

    monkeypatch.setattr(clients, "bulk", counted)
    tail: Tail[list[str]] = Tail(
        clients, "test", lambda records, *_: [(r.value or b"").decode() for r in records], got.extend
    )
    try:
        tail.subscribe({P0: 0})
        write(cluster, 0, ["a"])
        await until(lambda: got == ["a"], "the first")
        clients.number = 1
        await until(lambda: made == 2, "a new client")
        write(cluster, 0, ["b"])
        await until(lambda: len(got) >= 2, "the second")
        assert got == ["a", "b"]
    finally:
        tail.end()
        tail._thread.join(60)
