"""Asks Kafka by a client of its own, four times a second, how far a group is behind: a page about it may be right."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, KafkaException, TopicPartition

from tests.faults.bed import now
from tests.kafka import admin

_EVERY = 0.25
_WITHIN = 2.0
Partition = tuple[str, int]


@dataclass(frozen=True)
class Look:
    """What a group had committed at a moment, and where the partitions ended right after; monotonic seconds."""

    at: float
    committed: Mapping[Partition, int]
    ends: Mapping[Partition, int]

    @property
    def records(self) -> int:
        """Return how many records the group is behind where it ever committed."""
        return sum(max(0, self.ends[one] - at) for one, at in self.committed.items() if at >= 0 and one in self.ends)


def returns(looks: Sequence[Look]) -> list[str]:
    """Name each partition where a group committed less than before, in words."""
    return [
        f"{topic}/{number} from {before.committed[topic, number]} to {at}, of {after.ends.get((topic, number))}"
        for before, after in itertools.pairwise(looks)
        for (topic, number), at in after.committed.items()
        if at < before.committed.get((topic, number), at)
    ]


class Behind:
    """Looks on a thread of its own; what cannot be read is left out; a context manager."""

    def __init__(self, bootstrap: str, group: str, topics: Sequence[str], partitions: int) -> None:
        self._partitions = [TopicPartition(topic, number) for topic in topics for number in range(partitions)]
        self._client = Consumer(admin.client_settings(bootstrap, {"group.id": group, "enable.auto.commit": False}))
        self._looks: list[Look] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def looks(self, since: float) -> list[Look]:
        """Return what was seen since a moment."""
        return [look for look in list(self._looks) if look.at >= since]

    def most(self, since: float) -> int:
        """Return the most records that the group was behind since a moment."""
        return max((look.records for look in self.looks(since)), default=0)

    def returns(self, since: float) -> list[str]:
        """Name each partition where the group committed less than before, in words."""
        return returns(self.looks(since))

    def _run(self) -> None:
        while not self._ended.wait(_EVERY):
            try:
                found = self._client.committed(self._partitions, timeout=_WITHIN)
                committed = {(one.topic, one.partition): one.offset for one in found if one.error is None}
                ends = {
                    (one.topic, one.partition): self._client.get_watermark_offsets(one, timeout=_WITHIN)[1]
                    for one in self._partitions
                }
            except KafkaException:
                continue
            self._looks.append(Look(now(), committed, ends))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join(60)
        self._client.close()
