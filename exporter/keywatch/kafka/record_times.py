"""When was the record at this offset written? Fetches single old records, a bounded number of them per cycle."""

from __future__ import annotations

import time
from collections.abc import Container, Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as Assignment

from keywatch.blocking import Worker
from keywatch.kafka.client import Clients
from keywatch.kafka.wire import TopicPartition

_POLL_SECONDS = 0.1
# What a record takes beside its key and value, about.
_RECORD_OVERHEAD = 32
# Of one partition the groups on it stand at different offsets; more than these are rare.
_KEPT_PER_PARTITION = 64
# … and where groups stand on very many partitions, fewer of each are kept, so that the memory is bounded.
_KEPT = 40_000
_LEAST_PER_PARTITION = 4


class Position(NamedTuple):
    """A record's place."""

    partition: TopicPartition
    offset: int


class RecordTimes:
    """Timestamps of records in Unix time, found once and remembered; None for an offset that no record follows."""

    def __init__(self, clients: Clients, cluster: str) -> None:
        self._clients = clients
        self._worker = Worker(f"record-times-{cluster}")
        self._consumer: Consumer | None = None
        self._version: tuple[int, ...] = ()
        self._known: dict[TopicPartition, dict[int, float | None]] = {}
        self.forbidden: set[str] = set()
        """Topics that may not be read."""
        self.reads = 0
        """Records asked for so far."""
        self.received = 0
        """Bytes of the records that came so far, before compression, those fetched along with the wanted ones too."""

    def known(self, position: Position) -> bool:
        """Tell whether the time at this position was found out."""
        return position.offset in self._known.get(position.partition, ())

    def at(self, position: Position) -> float | None:
        """Give the timestamp of the first record at or after the position, if it was found out and there is one."""
        return self._known.get(position.partition, {}).get(position.offset)

    def before(self, position: Position) -> float | None:
        """Give the timestamp at the nearest earlier position found out: no later than the one asked for."""
        known = self._known.get(position.partition, {})
        earlier = [offset for offset, found in known.items() if offset <= position.offset and found is not None]
        return known[max(earlier)] if earlier else None

    async def find(self, positions: Sequence[Position], timeout: float) -> None:
        """Fetch the records at `positions`, as many as `timeout` seconds allow; raises `ProbeError` when stuck."""
        deadline = time.monotonic() + timeout
        found, received = await self._worker.call(lambda: self._fetch(positions, deadline))
        self.reads += len(positions)
        self.received += received
        for position, timestamp in found.items():
            known = self._known.setdefault(position.partition, {})
            known[position.offset] = timestamp
            most = min(max(_KEPT // len(self._known), _LEAST_PER_PARTITION), _KEPT_PER_PARTITION)
            while len(known) > most:
                del known[next(iter(known))]

    def retain(self, partitions: Container[TopicPartition]) -> None:
        """Forget all other partitions, such as those of deleted topics."""
        for partition in [partition for partition in self._known if partition not in partitions]:
            del self._known[partition]

    def unknow_end(self, partition: TopicPartition) -> None:
        """Forget after which offsets no record follows, because the partition has grown since."""
        known = self._known.get(partition)
        if known and None in known.values():
            self._known[partition] = {offset: found for offset, found in known.items() if found is not None}

    def close(self) -> None:
        """Let the client go without waiting for brokers that may be dead."""
        self._worker.end()

    def _fetch(self, positions: Sequence[Position], deadline: float) -> tuple[dict[Position, float | None], int]:
        """Read on the worker's thread; a partition wanted at several offsets takes several rounds."""
        if self._consumer is None or self._version != self._clients.version():
            self._version = self._clients.version()
            self._consumer = self._clients.lookup()
        found: dict[Position, float | None] = {}
        received = 0
        left = list(positions)
        while left and time.monotonic() < deadline:
            wanted: dict[TopicPartition, int] = {}
            for position in left:
                wanted.setdefault(position.partition, position.offset)
            left = [p for p in left if wanted[p.partition] != p.offset]
            received += self._round(self._consumer, wanted, found, deadline)
        return found, received

    def _round(
        self,
        consumer: Consumer,
        wanted: Mapping[TopicPartition, int],
        found: dict[Position, float | None],
        deadline: float,
    ) -> int:
        """Read one record of each partition; gives the bytes of all records that came."""
        received = 0
        missing = set(wanted)
        consumer.assign([Assignment(p.topic, p.partition, offset) for p, offset in wanted.items()])
        try:
            while missing and (left := deadline - time.monotonic()) > 0:
                message = consumer.poll(min(left, _POLL_SECONDS))
                if message is None or message.topic() is None:
                    continue
                partition = TopicPartition(str(message.topic()), int(message.partition() or 0))
                error = message.error()
                if error is None:
                    self.forbidden.discard(partition.topic)
                    received += _RECORD_OVERHEAD + len(message)
                if partition not in missing:
                    continue
                position = Position(partition, wanted[partition])
                if error is None:
                    kind, milliseconds = message.timestamp()
                    found[position] = None if kind == TIMESTAMP_NOT_AVAILABLE else milliseconds / 1000
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own codes
                    found[position] = None
                elif error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                    self.forbidden.add(partition.topic)
                    return received
                else:
                    continue
                missing.discard(partition)
                # Or else it would go on fetching what follows until the last partition has answered.
                consumer.pause([Assignment(partition.topic, partition.partition)])
        except KafkaException:
            return received
        finally:
            # librdkafka remembers that a partition was paused beyond unassign and assign.
            consumer.resume([Assignment(p.topic, p.partition) for p in wanted.keys() - missing])
            consumer.unassign()
        return received
