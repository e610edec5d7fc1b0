"""Looks up old records beside the cycles: one look-up at a time, so many records, and so many bytes a second."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection, Mapping

from keywatch.allowance import Allowance
from keywatch.kafka import wire
from keywatch.kafka.offsets import read_offsets
from keywatch.kafka.peers import Peers
from keywatch.kafka.record_reader import Position
from keywatch.kafka.record_times import RecordTimes
from keywatch.kafka.topology import Topology
from keywatch.probe import ProbeError


class Lookups:
    """At most `most` records a cycle, and about `rate` bytes a second; each may take `timeout` seconds for each half.

    First it is read where open transactions begin, then the records, because a client that reads what is settled never
    answers for what stands behind that.
    """

    def __init__(
        self, topology: Topology, peers: Peers, times: RecordTimes, *, most: int, rate: float, timeout: float
    ) -> None:
        self._topology = topology
        self._peers = peers
        self._times = times
        self._most = most
        self._timeout = timeout
        self._allowance = Allowance(rate)
        self._running: asyncio.Future[Collection[Position]] | None = None

    @property
    def busy(self) -> bool:
        """Whether a look-up is under way."""
        return self._running is not None

    def begin(self, missing: Mapping[Position, bool]) -> None:
        """Begin with as many as may be of the records that are `missing`; True marks those that can wait."""
        reads = self._allowance.reads(self._most) if missing else 0
        if reads and self._running is None:
            chosen = sorted(missing, key=lambda position: missing[position])[:reads]
            self._running = asyncio.ensure_future(self._look_up(chosen))

    async def found(self, patience: float) -> Collection[Position]:
        """Wait `patience` seconds at most for the look-up, and give the positions that it was about once it is over."""
        if self._running is None:
            return ()
        done, _ = await asyncio.wait({self._running}, timeout=patience)
        if not done:
            return ()
        running, self._running = self._running, None
        return running.result()

    def close(self) -> None:
        """Give up what is under way, and let connections and clients go."""
        if self._running is not None:
            self._running.cancel()
        self._peers.close()
        self._times.close()

    async def _look_up(self, positions: Collection[Position]) -> Collection[Position]:
        partitions = {position.partition for position in positions}
        ends = await read_offsets(self._topology, self._peers, partitions, wire.END, self._timeout, settled=True)
        chosen = [position for position in positions if position.partition in ends.found]
        received = self._times.received
        # Without these records the lag in seconds stays an estimate: no reason to withhold anything.
        with contextlib.suppress(ProbeError):
            await self._times.find(chosen, ends.found, self._timeout)
        self._allowance.spent(len(chosen), self._times.received - received)
        return chosen
