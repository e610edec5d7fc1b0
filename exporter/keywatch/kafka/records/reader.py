"""Unpacks compressed batches through librdkafka, which knows all codecs: blocking, where headers do not tell enough."""

from __future__ import annotations

import time
from collections.abc import Mapping

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaException
from confluent_kafka import TopicPartition as Assignment

from keywatch.kafka.client import Clients
from keywatch.kafka.records.search import Position
from keywatch.kafka.wire.requests import TopicPartition

_POLL_SECONDS = 0.1


class RecordReader:
    """Reads single records: of each partition one at a time."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._consumer: Consumer | None = None
        self._version: tuple[int, ...] = ()
        self._located: set[str] = set()

    def fetch(self, wanted: Mapping[Position, int], deadline: float) -> dict[Position, tuple[int, int]]:
        """Read the first record from the offset `wanted` for each position on, until `deadline` (monotonic).

        Returns offsets and timestamps in milliseconds, negative for none. A partition wanted at several offsets takes
        several rounds. Raises `ProbeError` while another cluster answers at an address of this one.
        """
        if self._consumer is None or self._version != self._clients.version():
            self._consumer, self._version = None, self._clients.version()
            self._consumer, self._located = self._clients.lookup(), set()
        found: dict[Position, tuple[int, int]] = {}
        left = dict(wanted)
        while left and time.monotonic() < deadline:
            chosen: dict[TopicPartition, Position] = {}
            for position in left:
                chosen.setdefault(position.partition, position)
            offsets = {position: left.pop(position) for position in chosen.values()}
            self._round(self._consumer, offsets, found, deadline)
        return found

    def _round(
        self,
        consumer: Consumer,
        offsets: Mapping[Position, int],
        found: dict[Position, tuple[int, int]],
        deadline: float,
    ) -> None:
        """Read one record of each partition."""
        missing = {position.partition: position for position in offsets}
        answered: list[Assignment] = []
        consumer.assign([Assignment(*position.partition, offset) for position, offset in offsets.items()])
        try:
            self._locate(consumer, missing, deadline)
            while missing and (left := deadline - time.monotonic()) > 0:
                message = consumer.poll(min(left, _POLL_SECONDS))
                if message is None or message.error() is not None:
                    continue
                partition = TopicPartition(str(message.topic()), int(message.partition() or 0))
                position = missing.pop(partition, None)
                if position is None:
                    continue
                kind, milliseconds = message.timestamp()
                found[position] = int(message.offset() or 0), -1 if kind == TIMESTAMP_NOT_AVAILABLE else milliseconds
                # Or else it would go on fetching what follows until the last partition has answered.
                answered.append(Assignment(*partition))
                consumer.pause(answered[-1:])
        except KafkaException:
            return
        finally:
            # librdkafka remembers that a partition was paused beyond unassign and assign.
            consumer.resume(answered)
            consumer.unassign()

    def _locate(self, consumer: Consumer, partitions: Mapping[TopicPartition, object], deadline: float) -> None:
        """Have the client look for leaders now; by itself it does so once a second for topics that are new to it."""
        for topic in {partition.topic for partition in partitions} - self._located:
            if (left := deadline - time.monotonic()) <= 0:
                return
            consumer.list_topics(topic, timeout=max(left, 0.01))
            self._located.add(topic)
