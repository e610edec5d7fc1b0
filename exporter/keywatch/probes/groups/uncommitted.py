"""How much waits where a group never committed: pure reckoning over what topics hold and where the group committed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from keywatch.kafka.wire.requests import TopicPartition

Filled = Callable[[TopicPartition], int | None]
"""Partition → records that it holds; None while its bounds are not known."""


class Holding(NamedTuple):
    """Some partitions together: how many hold records, how many records, and of how many partitions that is unknown."""

    filled: int = 0
    records: int = 0
    unread: int = 0

    def plus(self, other: Holding) -> Holding:
        """Return both together."""
        return Holding(*(mine + its for mine, its in zip(self, other, strict=True)))

    def without(self, others: Iterable[TopicPartition], filled: Filled) -> Holding:
        """Return what is left when these partitions of it are taken away."""
        taken = hold(others, filled)
        return Holding(*(max(mine - own, 0) for mine, own in zip(self, taken, strict=True)))


def hold(partitions: Iterable[TopicPartition], filled: Filled) -> Holding:
    """Sum up what these partitions hold."""
    count = records = unread = 0
    for partition in partitions:
        held = filled(partition)
        if held is None:
            unread += 1
        elif held:
            count += 1
            records += held
    return Holding(count, records, unread)


class Arrivals:
    """Which partitions that a group's members are assigned, and never committed on, were given records since?

    Records that were there before may be none of the group's business (`auto.offset.reset=latest`); those that come
    while it reads are.
    """

    def __init__(self) -> None:
        self._ends: dict[TopicPartition, int] = {}
        self._counts: dict[str, int] = {}

    def learn(self, topics: Mapping[str, int]) -> None:
        """Record which topics the group reads now, and how many partitions each has."""
        self._counts = {topic: self._counts.get(topic, count) for topic, count in topics.items()}

    def count(self, claimed: Iterable[TopicPartition], end: Callable[[TopicPartition], int | None]) -> dict[str, int]:
        """Count them per topic; `claimed` are all that are assigned and without a commit, `end` gives their ends."""
        ends: dict[TopicPartition, int] = {}
        arrived: dict[str, int] = {}
        for partition in claimed:
            now = end(partition)
            if now is None:
                if partition in self._ends:
                    ends[partition] = self._ends[partition]
                continue
            # A partition that was added while the group read the topic was empty then.
            added = partition.partition >= self._counts.get(partition.topic, partition.partition + 1)
            before = ends[partition] = min(self._ends.get(partition, 0 if added else now), now)
            if now > before:
                arrived[partition.topic] = arrived.get(partition.topic, 0) + 1
        self._ends = ends
        return arrived
