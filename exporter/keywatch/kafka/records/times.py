"""When was the first record from this offset on written? Looks for old records, and remembers what they said."""

from __future__ import annotations

import time
from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass, field

from keywatch.engine.worker import Worker
from keywatch.kafka.records.reader import RecordReader
from keywatch.kafka.records.search import Found, Packed, Position, RecordSearch, moment
from keywatch.kafka.wire.requests import TopicPartition

# Of one partition the groups on it stand at different offsets; more than these are rare.
_KEPT_PER_PARTITION = 64
# … and where groups stand on very many partitions, fewer of each are kept, so that the memory is bounded.
_KEPT = 40_000
_LEAST_PER_PARTITION = 4
# Of the time for finding records, what looking for them may take where all have to be unpacked afterwards.
_SEARCH_SHARE = 0.5


@dataclass(slots=True)
class _Known:
    """What was found in one partition by offset; what is `doubted` is to be found again."""

    found: dict[int, Found] = field(default_factory=dict)
    doubted: set[int] = field(default_factory=set)


class RecordTimes:
    """Timestamps of records in Unix time, found once and remembered; None for an offset that no record follows."""

    def __init__(self, search: RecordSearch, reader: RecordReader, cluster: str) -> None:
        self._search = search
        self._reader = reader
        self._worker = Worker(f"record-times-{cluster}")
        self._known: dict[TopicPartition, _Known] = {}

    @property
    def reads(self) -> int:
        """Batches asked for so far."""
        return self._search.reads

    @property
    def received(self) -> int:
        """Bytes that came so far, about, those fetched along with the wanted records too."""
        return self._search.received

    @property
    def forbidden(self) -> Collection[str]:
        """Topics that may not be read."""
        return self._search.forbidden

    def at(self, position: Position) -> Found | None:
        """Return the first record at or after the position; None when it is not known, or may be another by now."""
        known = self._known.get(position.partition)
        return None if known is None or position.offset in known.doubted else known.found.get(position.offset)

    def before(self, position: Position) -> float | None:
        """Return the timestamp at the nearest earlier position found out: no later than the one asked for."""
        known = self._known.get(position.partition)
        found = known.found if known is not None else {}
        earlier = [offset for offset, record in found.items() if offset <= position.offset and record.time is not None]
        return found[max(earlier)].time if earlier else None

    async def find(self, positions: Sequence[Position], timeout: float) -> None:
        """Find the records at `positions`, as many as `timeout` seconds allow; raises `ProbeError` when stuck."""
        deadline = time.monotonic() + timeout
        found = await self._search.find(positions, timeout * _SEARCH_SHARE)
        packed = {position: one for position, one in found.items() if isinstance(one, Packed)}
        for position, one in found.items():
            if isinstance(one, Found):
                self._learn(position, one)
        if packed:
            wanted = {position: one.offset for position, one in packed.items()}
            read = await self._worker.call(lambda: self._reader.fetch(wanted, deadline))
            # Of those that there was no time for nothing was received.
            self._search.unpacked(len(read), sum(packed[position].size for position in read))
            for position, (offset, milliseconds) in read.items():
                one = packed[position]
                if offset <= one.last:
                    self._learn(position, Found(offset, moment(milliseconds), one.settled))
                else:
                    self._search.pass_over(position, one.last + 1)

    def _learn(self, position: Position, record: Found) -> None:
        known = self._known.setdefault(position.partition, _Known())
        known.doubted.discard(position.offset)
        known.found.pop(position.offset, None)  # so that it is the newest
        known.found[position.offset] = record
        most = min(max(_KEPT // len(self._known), _LEAST_PER_PARTITION), _KEPT_PER_PARTITION)
        while len(known.found) > most:
            oldest = next(iter(known.found))
            del known.found[oldest]
            known.doubted.discard(oldest)

    def grown(self, partition: TopicPartition) -> None:
        """Doubt what may be another record now that the partition has grown."""
        known = self._known.get(partition)
        if known is not None:
            known.doubted.update(offset for offset, record in known.found.items() if not record.settled)

    def doubt(self, topics: Container[str]) -> Collection[TopicPartition]:
        """Doubt everything in these topics, where records vanish one by one; returns their partitions known here."""
        concerned = [partition for partition, known in self._known.items() if partition.topic in topics and known.found]
        for partition in concerned:
            known = self._known[partition]
            known.doubted.update(known.found)
        return concerned

    def drop(self, topic: str) -> None:
        """Drop a topic, because it was made anew."""
        self._search.drop(topic)
        for partition in [partition for partition in self._known if partition.topic == topic]:
            del self._known[partition]

    def retain(self, partitions: Container[TopicPartition]) -> None:
        """Drop all other partitions, such as those of deleted topics."""
        for partition in [partition for partition in self._known if partition not in partitions]:
            del self._known[partition]

    def close(self) -> None:
        """Let the clients go without waiting for brokers that may be dead."""
        self._worker.end()
