"""Finds the first record that a reader from some offset on is given, and reads of batches no more than it needs."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Collection
from typing import NamedTuple

from keywatch.engine.deadline import Deadline
from keywatch.engine.probe import Reason
from keywatch.engine.slices import in_slices
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.errors import TOPIC_AUTHORIZATION_FAILED, reason_of
from keywatch.kafka.peers import Peers
from keywatch.kafka.records.allowance import Allowance
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import fetch
from keywatch.kafka.wire.batch import RecordBatch, first_record
from keywatch.kafka.wire.codec import WireError
from keywatch.kafka.wire.fetch import Fetched
from keywatch.kafka.wire.requests import TopicPartition

# Brokers give one batch at least, whatever its size.
_LEAST_BYTES = 4096
# Behind the batches of a long transaction that was rolled back, a few steps each time.
_STEPS = 5
_STEPS_KEPT = 10_000


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


class Packed(NamedTuple):
    """The compressed batch that the record is in, or may be in: from `offset` to `last`, and its size in bytes."""

    offset: int
    last: int
    size: int
    settled: bool


class RecordSearch:
    """Asks leaders for one batch after the other, as long as there is an `allowance` of bytes.

    Neither markers nor records that were rolled back are records: nobody is late who did not read them. From where the
    first open transaction begins its records count, because they keep readers waiting.
    """

    def __init__(self, topology: Topology, peers: Peers, allowance: Allowance) -> None:
        self._topology = topology
        self._peers = peers
        self._allowance = allowance
        self._passed: dict[Position, int] = {}
        self.forbidden: set[str] = set()
        """Topics that may not be read."""
        self.reads = 0
        """Batches asked for so far."""
        self.received = 0
        """Bytes of the answers so far."""

    async def find(self, positions: Collection[Position], timeout: float) -> dict[Position, Found | Packed]:
        """Find as many as can be begun in `timeout` seconds and are allowed for; whatever fails is left out.

        What was begun has as long again to be found.
        """
        leaders: dict[int, list[Position]] = {}
        for position in positions:
            state = (self._topology.topics or {}).get(position.partition.topic, {}).get(position.partition.partition)
            if state is not None and self._topology.lives(state.leader):
                leaders.setdefault(state.leader, []).append(position)
        found: dict[Position, Found | Packed] = {}
        await asyncio.gather(*(self._ask(str(leader), some, found, timeout) for leader, some in leaders.items()))
        return found

    def pass_over(self, position: Position, offset: int) -> None:
        """Record that what begins at `offset` is the first that may follow the position."""
        if len(self._passed) > _STEPS_KEPT:
            self._passed.clear()
        self._passed[position] = offset

    def drop(self, topic: str) -> None:
        """Drop a topic, because it was made anew."""
        self._passed = {position: at for position, at in self._passed.items() if position.partition.topic != topic}

    def unpacked(self, reads: int, received: int) -> None:
        """Count what it took to unpack; it was allowed for when it was found to be packed."""
        self.reads += reads
        self.received += received

    async def _ask(
        self, leader: str, positions: Collection[Position], found: dict[Position, Found | Packed], timeout: float
    ) -> None:
        # What was asked in time has as long to be answered: giving up costs a connection, and a new one logs in.
        beginning, deadline = Deadline(timeout), Deadline(2 * timeout)
        try:
            for position in positions:
                if beginning.over:
                    return
                record = await self._first(leader, position, deadline)
                if record is not None:
                    found[position] = record
                    self._passed.pop(position, None)
        except BrokerError:
            return

    async def _first(self, leader: str, position: Position, deadline: Deadline) -> Found | Packed | None:
        offset = self._passed.get(position, position.offset)
        committed = True
        for _ in range(_STEPS):
            if deadline.over or not self._allowance.left():
                break
            reply = await self._fetch(leader, position.partition, offset, deadline, committed=committed)
            if reply is None:
                return None
            batch, offset = _first_batch(reply, offset)
            if batch is not None:
                record = await self._record(batch, offset, settled=committed)
                if record is not None:
                    return record
                offset = batch.last + 1  # what followed in it was compacted away
            if offset >= reply.end:
                return Found(offset, None, settled=False)
            if not reply.batches:
                if not committed:
                    return None
                # Whoever reads what is committed is given nothing from here on: an open transaction.
                committed, offset = False, max(offset, reply.settled_end)
        if offset > position.offset:
            self.pass_over(position, offset)
        return None

    async def _fetch(
        self, leader: str, partition: TopicPartition, offset: int, deadline: Deadline, *, committed: bool
    ) -> Fetched | None:
        """Return the reply from `offset` on; None when it is refused."""
        request = fetch.fetch(partition, offset, _LEAST_BYTES, committed=committed)
        reply = await self._peers.ask(leader, request, deadline.left, fetch.read_fetch)
        self.reads += 1
        self.received += reply.size
        self._allowance.spend(reply.size)
        if reply.error:
            self._refused(partition.topic, reply.error)
            return None
        self.forbidden.discard(partition.topic)
        return reply

    async def _record(self, batch: RecordBatch, offset: int, *, settled: bool) -> Found | Packed | None:
        """Return the first record from `offset` on; None when the batch holds no more."""
        if batch.packed is not None:
            # What is no record by our reading is left to librdkafka to judge.
            with contextlib.suppress(WireError):
                found = await in_slices(first_record(batch, offset))
                return Found(found[0], moment(found[1]), settled) if found is not None else None
        milliseconds = batch.time_at(offset)
        if milliseconds is None:
            self._allowance.spend(batch.size)  # for it is fetched once more
            return Packed(offset, batch.last, batch.size, settled)
        return Found(offset, moment(milliseconds), settled)

    def _refused(self, topic: str, error: int) -> None:
        if error == TOPIC_AUTHORIZATION_FAILED:
            self.forbidden.add(topic)
        elif reason_of(error) is Reason.NO_LEADER:
            self._topology.outdate()


def _first_batch(reply: Fetched, offset: int) -> tuple[RecordBatch | None, int]:
    """Return the first batch with records that count, and the offset in it to begin with, or where to go on."""
    to_come = sorted(reply.aborted, key=lambda one: one[1])
    rolled_back: set[int] = set()
    for batch in reply.batches:
        while to_come and to_come[0][1] <= batch.last:
            rolled_back.add(to_come.pop(0)[0])
        if batch.control:
            rolled_back.discard(batch.producer)
        elif batch.last >= offset and batch.records and batch.producer not in rolled_back:
            return batch, max(offset, batch.first)
        offset = max(offset, batch.last + 1)
    return None, offset


def moment(milliseconds: int) -> float:
    """Return when a record was written; one from the future, or of no known time, is as old as it has been there."""
    now = time.time()
    return min(milliseconds / 1000, now) if milliseconds >= 0 else now
