"""Which topics does a group read, which did it leave, and where did it never commit? From commits and assignments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from keywatch.kafka.consumer_group import ConsumerGroup
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.patterns import Patterns

_NO_TOPICS: frozenset[str] = frozenset()


class Reads(NamedTuple):
    """What a group has to do with the partitions of its topics.

    `topics` are those that it reads: it committed on them and did not leave them, or its members are assigned
    partitions of them. `left` are those on which it committed and that none of its members is assigned or subscribes
    to; a group without members left none. `partial` are topics of `topics` with partitions that lack a commit, and the
    partitions that have one. `claimed` are those without one that a member is assigned.
    """

    topics: frozenset[str] = _NO_TOPICS
    left: frozenset[str] = _NO_TOPICS
    partial: Mapping[str, tuple[TopicPartition, ...]] = {}
    claimed: tuple[TopicPartition, ...] = ()

    @classmethod
    def of(
        cls,
        group: ConsumerGroup,
        committed: Sequence[TopicPartition],
        topics: Mapping[str, Mapping[int, object]],
        wanted: Patterns,
    ) -> Reads:
        """Work it out for a group that `committed` on these partitions; of the existing `topics` some are `wanted`."""
        if not group.was_read:  # then what it committed is not known, rather than nothing
            return _NOTHING
        by_topic: dict[str, list[TopicPartition]] = {}
        for partition in committed:
            by_topic.setdefault(partition.topic, []).append(partition)
        left, assigned = _NO_TOPICS, frozenset[TopicPartition]()
        if group.reading is not None:
            assigned = group.reading.assigned
            kept = group.reading.subscribed | {partition.topic for partition in assigned}
            left = frozenset(by_topic.keys() - kept)
        there = [p for p in assigned if p.partition in topics.get(p.topic, ()) and p.topic in wanted]
        read = frozenset((by_topic.keys() - left) | {partition.topic for partition in there})
        partial = {t: tuple(by_topic.get(t, ())) for t in sorted(read) if len(by_topic.get(t, ())) < len(topics[t])}
        if not partial:
            return cls(read, left)
        own = set(committed)
        claimed = sorted(partition for partition in there if partition not in own)
        return cls(read, left, partial, tuple(claimed))


_NOTHING = Reads()
