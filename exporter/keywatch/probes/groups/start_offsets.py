"""Where do partitions begin? Read beside the cycles of whoever asks, because nobody should wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from math import ceil

from keywatch.engine import supervised
from keywatch.engine.probe import ProbeError
from keywatch.engine.supervised import Part
from keywatch.kafka.offsets import Reading, Wanted, Watermarks, without
from keywatch.kafka.peers import Peers
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import requests
from keywatch.kafka.wire.requests import TopicPartition

# Starts move when retention removes segments, which Kafka looks after every five minutes, or when somebody does so.
_PARTITIONS_PER_CYCLE = 1000
_LONGEST = 10


class StartOffsets:
    """The offset of the oldest record of each partition: up to a thousand are read every cycle, more less often."""

    def __init__(self, topology: Topology, peers: Peers, timeout: float) -> None:
        self._marks = Watermarks(topology, peers, requests.START)
        self._timeout = timeout
        self._wanted: Wanted | None = None
        self._cycle = 0
        self._reading: asyncio.Future[Reading] | None = None

    async def refresh(
        self, wanted: Wanted, unread: Collection[TopicPartition], patience: float
    ) -> Collection[TopicPartition]:
        """Read once a cycle, waiting `patience` seconds at most, and give the partitions that begin elsewhere now.

        What comes later is given by the next call. The same object `wanted` means the same; `unread` are partitions
        whose leader is not worth asking.
        """
        self._cycle += 1
        if self._reading is None:
            every = min(max(ceil(sum(map(len, wanted.values())) / _PARTITIONS_PER_CYCLE), 1), _LONGEST)
            if wanted is self._wanted and self._cycle % every:
                return ()
            self._wanted = wanted
            self._reading = supervised.task(
                Part.QUESTION, self._marks.fetch(without(wanted, unread), self._timeout), "starts", (ProbeError,)
            )
        done, _ = await asyncio.wait({self._reading}, timeout=patience)
        if not done:
            return ()
        reading, self._reading = self._reading, None
        return reading.result().changed

    def get(self, partition: TopicPartition) -> int | None:
        """Return where a partition begins, as far as it is known."""
        return self._marks.get(partition)

    def drop(self, topic: str) -> None:
        """Drop a topic, because it was made anew."""
        self._marks.drop(topic)
        self._wanted = None

    def close(self) -> None:
        """Give up what is under way."""
        if self._reading is not None:
            self._reading.cancel()
