"""Reads stretches of dead-letter topics, bounded in records and bytes; keeps of each record when and why it died."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as Assignment

from keywatch.engine.worker import Worker
from keywatch.kafka.client import Clients
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.probes.dead_letters.letter import DeadLetterReason, Headers

MOST_RECORDS, MOST_BYTES = 2000, 8 << 20
_POLL_SECONDS = 0.05

Judge = Callable[[Headers, bytes | None], DeadLetterReason]


class Stretch(NamedTuple):
    """What is wanted of a partition: the records from `start` up to, and without, `end`."""

    start: int
    end: int


class Letter(NamedTuple):
    """A dead letter: its offset, why it died, and its time in Unix time, None where it has none."""

    offset: int
    reason: DeadLetterReason
    timestamp: float | None


@dataclass(slots=True)
class DeadLetterBatch:
    """What one reading brought."""

    letters: dict[TopicPartition, list[Letter]] = field(default_factory=dict)
    reached: dict[TopicPartition, int] = field(default_factory=dict)
    """Up to where, and without, each partition was read."""
    forbidden: set[str] = field(default_factory=set)
    """Topics that may not be read."""


class DeadLetterReader:
    """Reads on a thread of its own; the client is made when there is first something to read."""

    def __init__(
        self, clients: Clients, name: str, judge: Judge, *, records: int = MOST_RECORDS, size: int = MOST_BYTES
    ) -> None:
        """Take at most so many `records` in one reading, and end it with the one that makes it `size` bytes or more."""
        self._clients = clients
        self._worker = Worker(f"dlq-{name}")
        self._judge = judge
        self._records = records
        self._size = size
        self._consumer: Consumer | None = None
        self._version: tuple[int, ...] = ()

    async def fetch(self, wanted: Mapping[TopicPartition, Stretch], timeout: float) -> DeadLetterBatch:
        """Read as much as `timeout` seconds and the bounds allow; raises `ProbeError` when stuck."""
        deadline = time.monotonic() + timeout
        return await self._worker.call(lambda: self._fetch(wanted, deadline))

    def close(self) -> None:
        """Let the client go without waiting for brokers that may be dead."""
        self._worker.end()

    def _fetch(self, wanted: Mapping[TopicPartition, Stretch], deadline: float) -> DeadLetterBatch:
        if self._consumer is None or self._version != self._clients.version():
            self._consumer, self._version = None, self._clients.version()
            self._consumer = self._clients.stretch()
        consumer, batch, missing = self._consumer, DeadLetterBatch(), set(wanted)
        records, received = 0, 0
        consumer.assign([Assignment(p.topic, p.partition, stretch.start) for p, stretch in wanted.items()])
        try:
            while missing and time.monotonic() < deadline and records < self._records and received < self._size:
                message = consumer.poll(_POLL_SECONDS)
                if message is None:
                    continue
                if message.error() is None:
                    records += 1
                    received += len(message)
                done = self._take(message, wanted, missing, batch)
                if done:
                    missing -= done
                    # Or else it would go on fetching what follows until the last partition is read.
                    consumer.pause([Assignment(p.topic, p.partition) for p in done])
        except KafkaException:
            pass  # what was read counts; what was not is read the next time, or told as unread
        finally:
            # librdkafka remembers that a partition was paused beyond unassign and assign.
            consumer.resume([Assignment(p.topic, p.partition) for p in wanted.keys() - missing])
            consumer.unassign()
        return batch

    def _take(
        self,
        message: Message,
        wanted: Mapping[TopicPartition, Stretch],
        missing: Iterable[TopicPartition],
        batch: DeadLetterBatch,
    ) -> set[TopicPartition]:
        """Record a message; returns the partitions of which no more is wanted."""
        topic, error = message.topic(), message.error()
        if topic is None:
            return set()
        if error is not None and error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
            batch.forbidden.add(topic)
            return {partition for partition in missing if partition.topic == topic}
        partition, offset = TopicPartition(topic, message.partition() or 0), message.offset()
        stretch = wanted.get(partition)
        if stretch is None or offset is None or partition not in missing:
            return set()
        if error is not None:
            if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own codes
                return set()
            batch.reached[partition] = max(offset, batch.reached.get(partition, stretch.start))
            return {partition}
        # Where the log was cut or begun anew, reading begins elsewhere than it was asked to.
        if offset < stretch.start:
            return set()
        if offset >= stretch.end:
            batch.reached[partition] = stretch.end
            return {partition}
        kind, milliseconds = message.timestamp()
        written = None if kind == TIMESTAMP_NOT_AVAILABLE else milliseconds / 1000
        letter = Letter(offset, self._judge(_headers(message), _bytes(message.value())), written)
        batch.letters.setdefault(partition, []).append(letter)
        batch.reached[partition] = offset + 1
        return {partition} if offset + 1 >= stretch.end else set()


def _headers(message: Message) -> Headers:
    found = message.headers() or ()
    return found.items() if isinstance(found, dict) else found


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
