"""Record times are read from a broker, one partition again and again, and each read is remembered."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from confluent_kafka import Producer

from keywatch.demo.embedded import EmbeddedCluster
from keywatch.kafka.client import Clients
from keywatch.kafka.record_times import Position, RecordTimes
from keywatch.kafka.wire import TopicPartition

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
        reader = RecordTimes(Clients(cluster.bootstrap, {}), "test")
        yield reader
        reader.close()


async def test_a_partition_is_read_again_and_again_forwards_and_backwards(times: RecordTimes) -> None:
    for offset in (1, 20, 3, 21):
        position = Position(PARTITION, offset)
        await times.find([position], 10)
        assert times.at(position) == WRITTEN[offset] / 1000


async def test_several_places_of_one_partition_are_read_at_once(times: RecordTimes) -> None:
    wanted = [Position(PARTITION, offset) for offset in (2, 29, 7)]
    await times.find(wanted, 10)
    assert [times.at(position) for position in wanted] == [WRITTEN[2] / 1000, WRITTEN[29] / 1000, WRITTEN[7] / 1000]


async def test_after_the_last_record_there_is_none_until_one_comes(times: RecordTimes) -> None:
    end = Position(PARTITION, len(WRITTEN))
    await times.find([end], 10)
    assert times.known(end)
    assert times.at(end) is None
    times.unknow_end(PARTITION)
    assert not times.known(end)
