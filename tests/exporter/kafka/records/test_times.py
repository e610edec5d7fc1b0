"""Record times are read from a broker, one partition again and again, and each read is remembered."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import cast

import pytest
from confluent_kafka import Producer

from keywatch.config.endpoint import Endpoint
from keywatch.demo.embedded import EmbeddedCluster
from keywatch.kafka.client import Clients
from keywatch.kafka.peers import Peers
from keywatch.kafka.records.allowance import Allowance
from keywatch.kafka.records.reader import RecordReader
from keywatch.kafka.records.search import Packed, Position, RecordSearch
from keywatch.kafka.records.times import RecordTimes
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import requests
from keywatch.kafka.wire.requests import TopicPartition

PARTITION = TopicPartition("events", 0)
WRITTEN = [1_700_000_000_000 + 1_000 * number for number in range(30)]


@pytest.fixture
async def times() -> AsyncIterator[RecordTimes]:
    with EmbeddedCluster() as cluster:
        cluster.create_topic(PARTITION.topic, 1, 1)
        producer = Producer({"bootstrap.servers": cluster.bootstrap})
        for milliseconds in WRITTEN:
            producer.produce(PARTITION.topic, b"x", partition=0, timestamp=milliseconds)
        assert producer.flush(10) == 0
        host, _, port = cluster.bootstrap.split(",")[0].rpartition(":")
        topology = Topology([Endpoint(host, int(port))])
        peers = Peers(topology, None)
        topology.record(await peers.ask(topology.living()[0].label, requests.metadata(), 10, requests.read_metadata))
        search = RecordSearch(topology, peers, Allowance(1e6))
        reader = RecordTimes(search, RecordReader(Clients(cluster.bootstrap, {})), "test")
        yield reader
        reader.close()
        peers.close()


def written(times: RecordTimes, offset: int) -> float | None:
    found = times.at(Position(PARTITION, offset))
    assert found is not None
    return found.time


async def test_a_partition_is_read_again_and_again_forwards_and_backwards(times: RecordTimes) -> None:
    for offset in (1, 20, 3, 21):
        await times.find([Position(PARTITION, offset)], 10)
        assert written(times, offset) == WRITTEN[offset] / 1000


async def test_several_places_of_one_partition_are_read_at_once(times: RecordTimes) -> None:
    wanted = (2, 29, 7)
    await times.find([Position(PARTITION, offset) for offset in wanted], 10)
    assert [written(times, offset) for offset in wanted] == [WRITTEN[offset] / 1000 for offset in wanted]


async def test_after_the_last_record_there_is_none_until_one_comes(times: RecordTimes) -> None:
    end = Position(PARTITION, len(WRITTEN))
    await times.find([end], 10)
    assert written(times, end.offset) is None
    times.grown(PARTITION)
    assert times.at(end) is None


async def test_records_that_may_be_compacted_away_are_read_again_and_those_of_a_topic_made_anew_are_forgotten(
    times: RecordTimes,
) -> None:
    place = Position(PARTITION, 4)
    await times.find([place], 10)
    assert times.doubt({"another"}) == []
    assert times.at(place) is not None
    assert times.doubt({PARTITION.topic}) == [PARTITION]
    assert times.at(place) is None
    assert times.before(place) == WRITTEN[4] / 1000
    times.drop(PARTITION.topic)
    assert times.before(place) is None


async def test_batches_that_there_was_no_time_to_unpack_are_not_counted() -> None:
    first, second = Position(PARTITION, 3), Position(PARTITION, 9)

    class Search:
        """Finds both in batches that have to be unpacked, and counts."""

        counted = (0, 0)

        async def find(self, *_: object) -> dict[Position, Packed]:
            """Return them."""
            return {first: Packed(3, 5, 700, settled=True), second: Packed(9, 11, 900, settled=True)}

        def unpacked(self, reads: int, received: int) -> None:
            """Record it."""
            self.counted = (reads, received)

    class Reader:
        """Comes to the first one only."""

        def fetch(self, wanted: Mapping[Position, int], _: float) -> dict[Position, tuple[int, int]]:
            """Return what was read."""
            return {first: (wanted[first], WRITTEN[3])}

    search = Search()
    times = RecordTimes(cast("RecordSearch", search), cast("RecordReader", Reader()), "test")
    await times.find([first, second], 10)
    assert search.counted == (1, 700)
    assert written(times, 3) == WRITTEN[3] / 1000
    assert times.at(second) is None
