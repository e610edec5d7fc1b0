"""Watches whether letters that were put back die again while the run goes on, so that it stops before all did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from confluent_kafka import TopicPartition as Assignment

from keywatch.kafka.client import REDRIVE_PREFIX, Clients
from keywatch.redrive.dialects import RUN
from keywatch.redrive.tally import Tally

_AT_ONCE = 500
_FEWEST: Final = 20
"""Fewer tell nothing of a share."""


class Returned:
    """Reads what comes into the dead-letter topic after the run began."""

    def __init__(self, clients: Clients, topic: str, ends: Mapping[int, int], run: str, share: float) -> None:
        """Take where the partitions ended then, and the share of letters that may come back."""
        self._run = run.encode()
        self._share = share
        self._consumer = clients.letters(f"{REDRIVE_PREFIX}{topic}")
        self._consumer.assign([Assignment(topic, partition, end) for partition, end in ends.items()])

    def __call__(self, tally: Tally) -> None:
        """Count those of this run, and stop the run when they are too many."""
        for message in self._consumer.consume(_AT_ONCE, 0.0):
            if message.error() is None and dict(message.headers() or ()).get(RUN) == self._run:
                tally.returned += 1
        if tally.returned >= _FEWEST and tally.returned > self._share * max(tally.put, 1):
            tally.stopped = f"{tally.returned} of {tally.put} letters died again"

    def close(self) -> None:
        """Let the consumer go."""
        self._consumer.close()
