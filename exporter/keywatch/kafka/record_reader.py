"""Reads single old records through librdkafka, blocking: the first one that a reader from some offset on is given."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Collection, Container, Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as Assignment

from keywatch.kafka.client import Clients
from keywatch.kafka.wire import TopicPartition

_POLL_SECONDS = 0.1
# What a record takes beside its key and value, about.
_RECORD_OVERHEAD = 32
# Of the time for a reading, what passing over rolled-back records may take, and how often that is tried.
_SETTLED_SHARE = 0.5
_TRIES = 5
_TRIES_KEPT = 10_000


class Position(NamedTuple):
    """A record's place."""

    partition: TopicPartition
    offset: int


class Found(NamedTuple):
    """The first record at or after a position: its offset and its timestamp in Unix time, None when none follows.

    What is not `settled` may be another one once the partition has grown: an open transaction was ended, or a record
    follows where none did.
    """

    offset: int
    time: float | None
    settled: bool


class RecordReader:
    """Two clients, because one sees no record behind the beginning of an open transaction, and one all that is there.

    Neither markers nor records that were rolled back are records: nobody is late who did not read them.
    """

    def __init__(self, clients: Clients) -> None:
        self._clients = clients
        self._consumers: dict[bool, Consumer] = {}
        self._located: dict[bool, set[str]] = {True: set(), False: set()}
        self._version: tuple[int, ...] = ()
        self.forbidden: set[str] = set()
        """Topics that may not be read."""
        self._received = 0
        self._missed: Counter[Position] = Counter()

    def read(
        self, positions: Sequence[Position], ends: Mapping[TopicPartition, int], deadline: float
    ) -> tuple[dict[Position, Found], int]:
        """Read until `deadline` (monotonic); `ends` are where the first open transactions, or the partitions, end.

        Gives what was found, and the bytes of all records that came, before compression.
        """
        if self._version != self._clients.version():
            self._version, self._consumers = self._clients.version(), {}
            self._located = {True: set(), False: set()}
        self._received = 0
        found: dict[Position, Found] = {}
        settled = {p: p.offset for p in positions if p.offset < ends.get(p.partition, 0)}
        open_ = {p: p.offset for p in positions if p not in settled}
        if settled:
            now = time.monotonic()
            until = now + (deadline - now) * _SETTLED_SHARE
            for position, (record, more) in self._rounds(settled, until, committed=True).items():
                if more:
                    open_[position] = record.offset
                else:
                    found[position] = record
            # Behind very many records that were rolled back: then the first one of them must do.
            open_.update({p: p.offset for p in settled if self._missed[p] >= _TRIES})
        if open_:
            for position, (record, _) in self._rounds(open_, deadline, committed=False).items():
                found[position] = record._replace(settled=False)
        return found, self._received

    def _rounds(
        self, wanted: Mapping[Position, int], deadline: float, *, committed: bool
    ) -> dict[Position, tuple[Found, bool]]:
        """Read from the offsets `wanted` on; a partition wanted at several takes several rounds.

        Tells of each whether there is more, of an open transaction, behind what was found.
        """
        consumer = self._consumers.get(committed)
        if consumer is None:
            consumer = self._consumers[committed] = self._clients.lookup(committed=committed)
        found: dict[Position, tuple[Found, bool]] = {}
        left = dict(wanted)
        while left and time.monotonic() < deadline:
            chosen: dict[TopicPartition, Position] = {}
            for position in left:
                chosen.setdefault(position.partition, position)
            offsets = {position: left.pop(position) for position in chosen.values()}
            self._round(consumer, offsets, found, deadline, self._located[committed])
            if committed:
                self._count(offsets, found)
        return found

    def _count(self, tried: Collection[Position], found: Container[Position]) -> None:
        """Count how often in a row each was not found."""
        if len(self._missed) > _TRIES_KEPT:
            self._missed.clear()
        for position in tried:
            if position in found:
                self._missed.pop(position, None)
            else:
                self._missed[position] += 1

    def _round(
        self,
        consumer: Consumer,
        offsets: Mapping[Position, int],
        found: dict[Position, tuple[Found, bool]],
        deadline: float,
        located: set[str],
    ) -> None:
        """Read one record of each partition; `located` are topics whose leaders the client knows."""
        missing = {position.partition: position for position in offsets}
        answered: list[Assignment] = []
        consumer.assign([Assignment(*position.partition, offset) for position, offset in offsets.items()])
        try:
            # Or else it would look for the leaders of topics that are new to it once a second.
            for topic in {partition.topic for partition in missing} - located:
                consumer.list_topics(topic, timeout=max(deadline - time.monotonic(), 0.01))
                located.add(topic)
            while missing and (left := deadline - time.monotonic()) > 0:
                message = consumer.poll(min(left, _POLL_SECONDS))
                if message is None or message.topic() is None:
                    continue
                partition = TopicPartition(str(message.topic()), int(message.partition() or 0))
                error = message.error()
                if error is None:
                    self.forbidden.discard(partition.topic)
                    self._received += _RECORD_OVERHEAD + len(message)
                elif error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                    self.forbidden.add(partition.topic)
                    return
                elif error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own codes
                    continue
                position = missing.pop(partition, None)
                if position is None:
                    continue
                found[position] = _record(message) if error is None else _end(consumer, partition, message)
                # Or else it would go on fetching what follows until the last partition has answered.
                answered.append(Assignment(*partition))
                consumer.pause(answered[-1:])
        except KafkaException:
            return
        finally:
            # librdkafka remembers that a partition was paused beyond unassign and assign.
            consumer.resume(answered)
            consumer.unassign()


def _record(message: Message) -> tuple[Found, bool]:
    """Give a record; one without a timestamp, or from the future, is as old as it has been there, which is now."""
    kind, milliseconds = message.timestamp()
    now = time.time()
    known = kind != TIMESTAMP_NOT_AVAILABLE and milliseconds >= 0
    return Found(int(message.offset() or 0), min(milliseconds / 1000, now) if known else now, settled=True), False


def _end(consumer: Consumer, partition: TopicPartition, message: Message) -> tuple[Found, bool]:
    """Give the end of what a client is shown, and whether the partition goes on behind it."""
    offset = int(message.offset() or 0)
    _, high = consumer.get_watermark_offsets(Assignment(*partition), cached=True)
    return Found(offset, None, settled=False), high > offset
