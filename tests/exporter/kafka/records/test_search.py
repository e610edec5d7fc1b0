"""The first record that a reader is given is found from headers: past markers, rolled-back and compacted records."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TypeVar, cast

import pytest
from confluent_kafka import KafkaError

from keywatch.config.endpoint import Endpoint
from keywatch.engine.probe import Reason
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.errors import NOT_LEADER_OR_FOLLOWER, TOPIC_AUTHORIZATION_FAILED
from keywatch.kafka.peers import Peers
from keywatch.kafka.records.allowance import Allowance
from keywatch.kafka.records.search import Found, Packed, Position, RecordSearch, moment
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire.batch import HEADER
from keywatch.kafka.wire.codec import Reader, Writer
from keywatch.kafka.wire.request import Request
from keywatch.kafka.wire.requests import TopicPartition
from tests.exporter.fakes import batches
from tests.exporter.fakes.batches import APPENDED, HORIZON, LZ4, MARKER, TRANSACTIONAL
from tests.exporter.fakes.metadata import metadata, partition

_T = TypeVar("_T")
P = TopicPartition("events", 0)
MINUTE = 60_000
ALL = -1


def batch(
    first: int, last: int, at: int = 0, *, span: int = 0, kind: int = 0, producer: int = -1, records: int = ALL
) -> bytes:
    """Make a batch of offsets `first` to `last`, or of the first so many `records` of it.

    Its first record is of `at` minutes after 1970, the others are a `span` later each.
    """
    count = last - first + 1 if records == ALL else records
    times = [at * MINUTE + index * span for index in range(count)]
    return batches.batch(first, last, times, base=at * MINUTE, kind=kind, producer=producer)


class Broker:
    """Gives two of its batches at a time, as brokers do that have more than is asked for."""

    def __init__(self, *batches: bytes, end: int, settled: int | None = None) -> None:
        self.batches = batches
        self.end = end
        self.settled = end if settled is None else settled
        self.aborted: Sequence[tuple[int, int, int]] = ()
        """Producer, first offset, and that of the marker."""
        self.error = 0
        self.asked: list[tuple[int, bool]] = []

    async def ask(self, label: str, request: Request, timeout: float, read: Callable[[Reader], _T]) -> _T:
        """Answer Fetch."""
        assert timeout > 0
        if label != "1":
            raise BrokerError(Reason.TIMEOUT_RESPONSE, "it is frozen")
        reader = Reader(request.body)
        reader.raw(16)
        committed = reader.boolean()
        reader.raw(12)
        reader.string()
        reader.raw(12)
        offset = reader.int64()
        self.asked.append((offset, committed))
        return read(Reader(self._reply(offset, committed=committed)))

    def _reply(self, offset: int, *, committed: bool) -> bytes:
        shown = [one for one in self.batches if self._last(one) >= offset]
        if committed:
            shown = [one for one in shown if self._last(one) < self.settled]
        records = b"".join(shown[:2])
        body = Writer().int32(0).int16(0).int32(0).int32(1).string(P.topic).int32(1).int32(0).int16(self.error)
        body.int64(self.end).int64(self.settled).int64(0)
        aborted = [one for one in self.aborted if one[2] >= offset] if committed else None
        body.array(aborted, lambda one: body.int64(one[0]).int64(one[1]))
        return body.int32(-1).int32(len(records)).raw(records).done()

    @staticmethod
    def _last(data: bytes) -> int:
        header = HEADER.unpack_from(data)
        return int(header[0] + header[6])


def searching(broker: Broker, rate: float = 1e6) -> RecordSearch:
    topology = Topology([Endpoint("k1", 9092)])
    topology.record(metadata([1, 2], {P.topic: [partition(1, [1]), partition(2, [2])]}))
    return RecordSearch(topology, cast("Peers", broker), Allowance(rate))


async def first(broker: Broker, offset: int) -> Found | Packed | None:
    position = Position(P, offset)
    return (await searching(broker).find([position], 5.0)).get(position)


@pytest.mark.parametrize(
    ("one", "offset", "expected"),
    [
        pytest.param(batch(5, 9, 3, span=MINUTE), 5, Found(5, 180.0, settled=True), id="the first of a batch"),
        pytest.param(batch(5, 9, 3, span=MINUTE), 7, Found(7, 300.0, settled=True), id="another one of it"),
        pytest.param(batch(5, 9, 3), 2, Found(5, 180.0, settled=True), id="behind a hole"),
        pytest.param(batch(5, 9, 3, records=3), 7, Found(7, 180.0, settled=True), id="before a hole"),
        pytest.param(batch(5, 9, 3, records=3), 8, Found(10, None, settled=False), id="in the hole at the end"),
        pytest.param(batch(5, 9, 3, kind=LZ4), 5, Found(5, 180.0, settled=True), id="the first, compressed"),
        pytest.param(batch(5, 9, 3, kind=LZ4), 7, Packed(7, 9, 101, settled=True), id="another one: unpack it"),
        pytest.param(batch(5, 9, 3, kind=LZ4, records=3), 5, Packed(5, 9, 85, settled=True), id="holes: unpack it"),
        pytest.param(batch(5, 9, 3, kind=LZ4 | HORIZON), 5, Packed(5, 9, 101, settled=True), id="its time is another"),
        pytest.param(
            batch(5, 9, 3, span=MINUTE, kind=LZ4 | APPENDED),
            7,
            Found(7, 420.0, settled=True),
            id="when it was appended",
        ),
        pytest.param(batches.batch(5, 9, [0] * 5, packed=b"\0\0"), 7, Packed(7, 9, 63, settled=True), id="no records"),
        pytest.param(batch(5, 9)[:16] + b"\1" + batch(5, 9)[17:], 3, Packed(3, 5, 101, settled=True), id="before 0.11"),
    ],
)
async def test_a_records_time_is_that_of_its_batch_where_that_says_enough(
    one: bytes, offset: int, expected: Found | Packed
) -> None:
    assert await first(Broker(one, end=10), offset) == expected


async def test_markers_empty_batches_and_what_was_rolled_back_are_passed_over() -> None:
    broker = Broker(
        batch(0, 1, 1, kind=TRANSACTIONAL, producer=7),
        batch(2, 2, 1, kind=MARKER, producer=7),
        batch(3, 4, 2, kind=TRANSACTIONAL, producer=7),
        batch(5, 5, 2, kind=TRANSACTIONAL, producer=8),
        batch(6, 6, 2, kind=MARKER, producer=7),
        batch(7, 7, 2, records=0),
        batch(8, 8, 3, kind=TRANSACTIONAL, producer=7),
        end=9,
    )
    broker.aborted = [(8, 5, 99), (7, 3, 6)]
    assert await first(broker, 0) == Found(0, 60.0, settled=True)
    assert await first(broker, 2) == Found(8, 180.0, settled=True)
    assert await first(broker, 4) == Found(8, 180.0, settled=True)


async def test_where_none_follows_there_is_none() -> None:
    broker = Broker(batch(0, 1, 1, kind=TRANSACTIONAL, producer=7), batch(2, 2, 1, kind=MARKER, producer=7), end=3)
    assert await first(broker, 2) == Found(3, None, settled=False)
    broker.aborted = [(7, 0, 2)]
    assert await first(broker, 0) == Found(3, None, settled=False)


async def test_from_where_an_open_transaction_begins_its_records_count_but_may_become_others() -> None:
    broker = Broker(batch(0, 0, 1), batch(1, 2, 2, kind=TRANSACTIONAL, producer=7), batch(3, 3, 5), end=4, settled=1)
    assert await first(broker, 0) == Found(0, 60.0, settled=True)
    assert await first(broker, 1) == Found(1, 120.0, settled=False)
    assert await first(broker, 3) == Found(3, 300.0, settled=False)


async def test_what_takes_many_steps_goes_on_where_it_stopped_until_the_topic_is_made_anew() -> None:
    one, two = 7, 8
    rolled_back = [batch(index, index, 1, kind=TRANSACTIONAL, producer=one) for index in range(20)]
    broker = Broker(*rolled_back, batch(20, 20, 9, kind=TRANSACTIONAL, producer=two), end=21)
    broker.aborted = [(one, 0, 99)]
    search, position = searching(broker), Position(P, 0)
    assert await search.find([position], 5.0) == {}
    assert [offset for offset, _ in broker.asked] == [0, 2, 4, 6, 8]
    assert await search.find([position], 5.0) == {}
    assert await search.find([position], 5.0) == {position: Found(20, 540.0, settled=True)}
    assert [offset for offset, _ in broker.asked][5:] == [10, 12, 14, 16, 18, 20]
    assert search.reads == 11
    await search.find([position], 5.0)
    search.drop(P.topic)
    broker.asked.clear()
    await search.find([position], 5.0)
    assert broker.asked[0] == (0, True)


async def test_no_more_is_read_than_there_is_an_allowance_for() -> None:
    broker = Broker(batch(0, 99, 1), end=100)
    search = searching(broker, rate=300.0)
    found = await search.find([Position(P, offset) for offset in range(50)], 5.0)
    # Two seconds' worth, each answer having a hundred bytes and its own.
    assert len(found) == len(broker.asked) == search.reads
    assert 600 <= search.received < 600 + search.received / search.reads
    assert await search.find([Position(P, 60)], 5.0) == {}


async def test_what_has_to_be_unpacked_takes_twice_its_size_of_the_allowance() -> None:
    broker = Broker(batch(0, 99, 1, kind=LZ4), end=100)
    search = searching(broker, rate=5_000.0)
    found = await search.find([Position(P, offset) for offset in range(1, 50)], 5.0)
    assert all(isinstance(one, Packed) for one in found.values())
    assert 10_000 <= search.received + sum(one.size for one in found.values() if isinstance(one, Packed)) < 12_000


@pytest.mark.parametrize("error", [KafkaError.OFFSET_OUT_OF_RANGE, TOPIC_AUTHORIZATION_FAILED, NOT_LEADER_OR_FOLLOWER])
async def test_what_is_refused_is_left_out_and_a_missing_right_is_remembered(error: int) -> None:
    broker = Broker(batch(0, 9, 1), end=10)
    search, position = searching(broker), Position(P, 0)
    broker.error = error
    assert await search.find([position], 5.0) == {}
    assert search.forbidden == ({P.topic} if error == TOPIC_AUTHORIZATION_FAILED else set())
    broker.error = 0
    assert position in await search.find([position], 5.0)
    assert search.forbidden == set()


async def test_a_frozen_leader_costs_only_its_own_records() -> None:
    broker = Broker(batch(0, 9, 1), end=10)
    other = Position(TopicPartition(P.topic, 1), 0)
    unknown = Position(TopicPartition("unknown", 0), 0)
    assert list(await searching(broker).find([unknown, other, Position(P, 3)], 5.0)) == [Position(P, 3)]


def test_a_record_is_never_from_the_future_and_without_a_time_as_old_as_it_has_been_there() -> None:
    assert moment(0) == 0.0
    assert moment(1_700_000_000_000) == 1_700_000_000.0
    for milliseconds in (99_999_999_999_999, -1):
        before = time.time()
        assert before <= moment(milliseconds) <= time.time()
