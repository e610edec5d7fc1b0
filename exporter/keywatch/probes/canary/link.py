"""The canary's way through the brokers: writes records through each leader and reads them back, on raw connections.

Raw, because a client of librdkafka follows whatever metadata it meets: where another cluster has taken over an address,
it would make the canary's topic there and write to it.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from keywatch.engine import supervised
from keywatch.engine.probe import Reason
from keywatch.engine.supervised import Part
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.errors import OFFSET_OUT_OF_RANGE, name_of, reason_of
from keywatch.kafka.peers import Peers
from keywatch.kafka.wire import fetch, produce
from keywatch.kafka.wire.batch import RecordBatch, values_of
from keywatch.kafka.wire.codec import WireError

_WAIT_MS = 250
_MOST_BYTES = 64 * 1024
_AGAIN_AFTER = 0.1
# From the second time on that a broker cannot be asked: one that refuses is not to be asked again and again.
_CONNECT_AGAIN_AFTER = 1.0
_MOST_WRITERS = 5
_MOST_PACKED = 1000
# What stands behind the mark: partition and sequence, and not as many digits as somebody likes.
_OURS = re.compile(rb"[0-9]{1,9} ([0-9]{1,18})")

Acknowledged = Callable[[int, int, int], None]
Failed = Callable[[int, int, Reason, str], None]
Read = Callable[[int, int | None, int, float], None]


class CanaryLink:
    """Lives on the event loop; what becomes of a record is reported as soon as it is known.

    `acknowledged(partition, sequence, offset)`, `failed(partition, sequence, reason, detail)`,
    `read(partition, sequence, offset, monotonic seconds)` with the sequence None for another instance's record.
    """

    def __init__(
        self,
        peers: Callable[[], Peers],
        topic: str,
        instance: str,
        *,
        period: float,
        timeout: float,
        acknowledged: Acknowledged,
        failed: Failed,
        read: Read,
    ) -> None:
        self._topic = topic
        self._mark = f"keywatch {instance} ".encode()
        self._timeout = timeout
        self._acknowledged = acknowledged
        self._failed = failed
        self._read = read
        self.read_trouble: tuple[Reason, str] | None = None
        """What was last wrong with reading; None once a reply came that is well."""
        # A broker answers one request after the other, and one that waits for replicas must not hold up the next.
        writers = min(math.ceil(timeout / period) + 1, _MOST_WRITERS)
        self._writers = [peers() for _ in range(writers)]
        self._busy: set[tuple[int, str]] = set()
        self._readers = peers()
        self._positions: dict[int, int] = {}
        self._leaders: dict[int, str] = {}
        self._packed: OrderedDict[tuple[int, int], float] = OrderedDict()
        self._own: OrderedDict[tuple[int, int], int] = OrderedDict()
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._writing: set[asyncio.Task[None]] = set()

    def assign(self, positions: Mapping[int, int]) -> None:
        """Read these partitions from these offsets on."""
        self._positions = dict(positions)

    def send(self, leader: str, records: Sequence[tuple[int, int]]) -> None:
        """Write one record to each of some partitions that a broker leads: pairs of partition and sequence."""
        task = self._started(self._write(leader, records))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    def follow(self, leaders: Mapping[int, str]) -> None:
        """Read each partition from the broker that leads it now."""
        self._leaders = dict(leaders)
        for label in set(leaders.values()) | self._reading.keys():
            task = self._reading.get(label)
            if not self._wanted(label):
                self._stop_reading(label)
            elif task is None or task.done():
                self._reading[label] = self._started(self._follow(label))

    def end(self) -> None:
        """Stop reading and writing, and close the connections."""
        for label in list(self._reading):
            self._stop_reading(label)
        for task in self._writing:
            task.cancel()
        for peers in (*self._writers, self._readers):
            peers.close()

    def _wanted(self, label: str) -> dict[int, int]:
        """Return where to read the partitions that a broker leads."""
        return {
            index: self._positions[index]
            for index, leader in self._leaders.items()
            if leader == label and index in self._positions
        }

    def _started(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return supervised.task(Part.CANARY, work, self._topic)

    def _stop_reading(self, label: str) -> None:
        task = self._reading.pop(label, None)
        if task is not None:
            task.cancel()

    async def _write(self, leader: str, records: Sequence[tuple[int, int]]) -> None:
        now = int(time.time() * 1000)
        batches = {
            index: produce.single(str(sequence).encode(), self._mark + f"{index} {sequence}".encode(), now)
            for index, sequence in records
        }
        request = produce.produce(self._topic, batches, int(self._timeout * 1000))
        free = [number for number in range(len(self._writers)) if (number, leader) not in self._busy]
        turn = (free[0] if free else 0, leader)
        self._busy.add(turn)
        try:
            answers = await self._writers[turn[0]].ask(leader, request, self._timeout, produce.read_produce)
        except BrokerError as error:
            for index, sequence in records:
                self._failed(index, sequence, error.reason, error.detail)
            return
        finally:
            self._busy.discard(turn)
        for index, sequence in records:
            found = answers.get(index)
            if found is None:
                self._failed(index, sequence, Reason.PROTOCOL, f"partition {index} is not in the answer")
            elif found.error:
                self._failed(index, sequence, reason_of(found.error), name_of(found.error))
            else:
                self._placed(index, sequence, found.offset)

    def _placed(self, index: int, sequence: int, offset: int) -> None:
        """Record where a record lies, which tells it again where its batch cannot be unpacked."""
        self._own[index, offset] = sequence
        if len(self._own) > _MOST_PACKED:
            self._own.popitem(last=False)
        self._acknowledged(index, sequence, offset)
        read = self._packed.pop((index, offset), None)
        if read is not None:
            self._read(index, sequence, offset, read)

    async def _follow(self, label: str) -> None:
        failures = 0
        while positions := self._wanted(label):
            request = fetch.fetch_tails(self._topic, positions, _WAIT_MS, _MOST_BYTES)
            try:
                error, answers = await self._readers.ask(label, request, self._timeout, fetch.read_fetch_tails)
                now = time.monotonic()
                codes = [error, *(answer.error for answer in answers.values())]
                for index, answer in answers.items():
                    self._arrived(index, answer, now)
            except BrokerError as failure:
                self.read_trouble = failure.reason, failure.detail
                await asyncio.sleep(_AGAIN_AFTER if failures == 0 else _CONNECT_AGAIN_AFTER)
                failures += 1
                continue
            failures = 0
            code = next((code for code in codes if code), 0)
            self.read_trouble = (reason_of(code), name_of(code)) if code else None
            if code:
                await asyncio.sleep(_AGAIN_AFTER)

    def _arrived(self, index: int, answer: fetch.FetchedPartition, now: float) -> None:
        position = self._positions.get(index)
        if position is None:
            return
        if answer.error == OFFSET_OUT_OF_RANGE and position < answer.start:
            self._positions[index] = answer.start  # what was not read for that long is not kept any more
        for batch in answer.batches:
            if batch.last < position:
                continue
            self._positions[index] = max(self._positions[index], batch.last + 1)
            for offset, sequence in self._sequences(index, batch, now):
                if offset >= position:
                    self._read(index, sequence, offset, now)

    def _sequences(self, index: int, batch: RecordBatch, now: float) -> list[tuple[int, int | None]]:
        """Return each offset of a batch with the sequence of an own record; None for another instance's."""
        if batch.packed is not None:
            with contextlib.suppress(WireError):
                return [(offset, self._sequence(value)) for offset, value in values_of(batch)]
        # A broker that packs records by its own will: an own one is known by its place, or will be once it is told.
        found: list[tuple[int, int | None]] = []
        for offset in range(max(batch.first, batch.last - _MOST_PACKED), batch.last + 1):
            sequence = self._own.get((index, offset))
            if sequence is None:
                self._packed[index, offset] = now
                if len(self._packed) > _MOST_PACKED:
                    self._packed.popitem(last=False)
            found.append((offset, sequence))
        return found

    def _sequence(self, value: bytes) -> int | None:
        """Read the sequence of a record of ours; None for any other, whoever wrote it and whatever it holds."""
        ours = _OURS.fullmatch(value, len(self._mark)) if value.startswith(self._mark) else None
        return int(ours[1]) if ours else None
