"""Notices that a replica which lacked records came to lead a partition: metadata compared with what it was before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from keywatch.engine.slices import Pieces
from keywatch.kafka.wire.requests import PartitionState

_PARTITIONS_PER_PIECE = 1000
Partitions = Mapping[int, PartitionState]


class UncleanElection(NamedTuple):
    """A partition whose leader was chosen although it was not in sync."""

    topic: str
    partition: int
    leader: int


class _Topic:
    """One topic as it was when it was last looked at.

    `eligible` are the replicas that may hold all acknowledged records, of partitions that have too few in sync.
    """

    __slots__ = ("eligible", "id", "partitions")

    def __init__(self) -> None:
        self.id: bytes | None = None
        self.partitions: Partitions = {}
        self.eligible: dict[int, frozenset[int]] = {}


class UncleanElections:
    """What is told of all topics; whether an election counts is for whoever knows the topic's settings.

    With eligible leader replicas (KIP-966) one that fell out of sync while too few were in sync may lead without loss:
    as long as these are fewer than `min.insync.replicas`, nothing is acknowledged. What could be such a one is none.
    """

    def __init__(self) -> None:
        self._topics: dict[str, _Topic] = {}

    def observe(
        self, topic: str, identity: bytes | None, partitions: Partitions, least: int | None, *, eligible: bool
    ) -> Pieces[list[UncleanElection]]:
        """Compare a topic with what it was; returns the unclean elections in between.

        `identity` is the topic's id, by which one that was made anew is known; `least` its `min.insync.replicas`, and
        `eligible` whether the cluster elects eligible leader replicas, or nobody knows.
        """
        known = self._topics.setdefault(topic, _Topic())
        found: list[UncleanElection] = []
        if known.partitions is partitions:
            return found
        if known.id != identity:
            known.id, known.partitions, known.eligible = identity, {}, {}
        before = known.partitions
        for count, (index, now) in enumerate(partitions.items(), 1):
            then = before.get(index)
            if then is not None and then is not now and then != now:
                if not eligible or _enough(then, least):
                    could = frozenset(then.in_sync)
                else:  # of what was not seen before, anybody might be
                    could = known.eligible.get(index, frozenset(then.replicas))
                unclean = _is_unclean(then, now, could)
                if unclean:
                    found.append(UncleanElection(topic, index, now.leader))
                if not eligible or _enough(now, least):
                    known.eligible.pop(index, None)
                else:
                    known.eligible[index] = frozenset(now.in_sync) if unclean else could.union(now.in_sync)
            if count % _PARTITIONS_PER_PIECE == 0:
                yield
        known.partitions = partitions
        return found

    def retain(self, topics: Mapping[str, object]) -> None:
        """Drop what is remembered of all other topics."""
        self._topics = {topic: known for topic, known in self._topics.items() if topic in topics}


def _is_unclean(then: PartitionState, now: PartitionState, could: frozenset[int]) -> bool:
    """Return whether nobody who held all records is in sync with the leader of a newer epoch, among the same replicas.

    Who joins the in-sync replicas and leads thereafter leaves others of them in sync; an unclean election leaves none.
    """
    elected = now.leader >= 0 and now.epoch > then.epoch and now.leader not in could
    return elected and bool(could) and could.isdisjoint(now.in_sync) and set(then.replicas) == set(now.replicas)


def _enough(state: PartitionState, least: int | None) -> bool:
    return least is not None and len(state.in_sync) >= least
