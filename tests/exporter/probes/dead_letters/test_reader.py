"""Stretches of dead-letter topics are read from a broker: exactly those, bounded, again and again."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from confluent_kafka import Producer

from keywatch.demo.embedded import EmbeddedCluster
from keywatch.kafka.client import Clients
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.probes.dead_letters.letter import DeadLetterReason as Reason
from keywatch.probes.dead_letters.letter import Sources
from keywatch.probes.dead_letters.reader import DeadLetterReader, Stretch

DEAD = [TopicPartition("dead", index) for index in range(2)]
MILLIS = 1_700_000_000_000
RECORDS = 30


class Bed:
    """A cluster with dead letters: in each partition 30, a second apart, of 1,000 bytes."""

    def __init__(self, cluster: EmbeddedCluster) -> None:
        self.bootstrap = cluster.bootstrap
        cluster.create_topic("dead", 2, 1)
        producer = Producer({"bootstrap.servers": cluster.bootstrap})
        headers: list[tuple[str, str | bytes | None]] = [
            ("kafka_dlt-exception-fqcn", b"java.lang.NullPointerException")
        ]
        for partition in DEAD:
            for number in range(RECORDS):
                producer.produce(
                    partition.topic,
                    b"x" * 1000,
                    partition=partition.partition,
                    timestamp=MILLIS + number * 1000,
                    headers=headers if number % 2 else [],
                )
        assert producer.flush(10) == 0
        self.readers: list[DeadLetterReader] = []

    def reader(self, **bounds: int) -> DeadLetterReader:
        """Make a reader."""
        made = DeadLetterReader(Clients(self.bootstrap, {}), "test", Sources().of_record, **bounds)
        self.readers.append(made)
        return made


@pytest.fixture
async def bed() -> AsyncIterator[Bed]:
    with EmbeddedCluster() as cluster:
        made = Bed(cluster)
        yield made
        for reader in made.readers:
            reader.close()


async def test_a_stretch_is_read_exactly_with_reasons_and_times(bed: Bed) -> None:
    reader = bed.reader()
    for start, end in ((5, 9), (0, 2), (28, 30), (5, 9)):
        batch = await reader.fetch({DEAD[0]: Stretch(start, end)}, 10)
        letters = batch.letters[DEAD[0]]
        assert [letter.offset for letter in letters] == list(range(start, end))
        assert [letter.reason for letter in letters] == [[Reason.NONE, Reason.DEFECT][o % 2] for o in range(start, end)]
        assert [letter.timestamp for letter in letters] == [MILLIS / 1000 + offset for offset in range(start, end)]
        assert batch.reached == {DEAD[0]: end}


async def test_several_partitions_are_read_at_once(bed: Bed) -> None:
    batch = await bed.reader().fetch({DEAD[0]: Stretch(0, 30), DEAD[1]: Stretch(10, 11)}, 10)
    assert {partition: len(letters) for partition, letters in batch.letters.items()} == {DEAD[0]: 30, DEAD[1]: 1}
    assert batch.reached == {DEAD[0]: 30, DEAD[1]: 11}


async def test_where_the_partition_ends_before_the_stretch_it_is_read_to_its_end(bed: Bed) -> None:
    batch = await bed.reader().fetch({DEAD[0]: Stretch(27, 50)}, 10)
    assert [letter.offset for letter in batch.letters[DEAD[0]]] == [27, 28, 29]
    assert batch.reached == {DEAD[0]: 30}


@pytest.mark.parametrize("bounds", [{"records": 5}, {"size": 5000}])
async def test_a_reading_is_bounded_and_the_next_goes_on(bed: Bed, bounds: dict[str, int]) -> None:
    reader = bed.reader(**bounds)
    batch = await reader.fetch({DEAD[0]: Stretch(0, 30)}, 10)
    reached = batch.reached[DEAD[0]]
    assert reached == 5
    seen = [letter.offset for letter in batch.letters[DEAD[0]]]
    while reached < 30:
        batch = await reader.fetch({DEAD[0]: Stretch(reached, 30)}, 10)
        seen += [letter.offset for letter in batch.letters[DEAD[0]]]
        assert batch.reached[DEAD[0]] > reached
        reached = batch.reached[DEAD[0]]
    assert seen == list(range(30))


async def test_nobody_waits_longer_than_the_deadline_for_a_broker_that_is_away() -> None:
    reader = DeadLetterReader(Clients("127.0.0.1:1", {}), "test", Sources().of_record)
    batch = await reader.fetch({DEAD[0]: Stretch(0, 1)}, 0.2)
    assert (batch.letters, batch.reached, batch.forbidden) == ({}, {}, set())
    reader.close()
