"""Decides where reading begins in each partition of some topics: new, gone, made anew, or cut while it was away."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from keywatch import bounds
from keywatch.engine.deadline import Deadline
from keywatch.kafka.chosen_topics import ChosenTopics
from keywatch.kafka.offsets import read_offsets
from keywatch.kafka.peers import Peers
from keywatch.kafka.topic_ids import TopicIds
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import requests
from keywatch.kafka.wire.requests import PartitionState, TopicPartition
from keywatch.patterns import Patterns

# Places in topics that are gone are kept, in case metadata forgot them for a moment only.
_PLACES_KEPT = 10_000
# Of a topic that is looked back into, so many records of each partition at most.
_MOST_BACK = 2000
_Places = Mapping[TopicPartition, int]


@dataclass(slots=True)
class ReadingChange:
    """What is to be read otherwise from now on."""

    places: dict[TopicPartition, int] = field(default_factory=dict)
    dropped: set[TopicPartition] = field(default_factory=set)
    skipped: int = 0
    """Records that were deleted before they were read."""
    gap: bool = False
    """Whether records were skipped, or may have been: also at the very beginning."""


class ReadingPlan:
    """What is there when it begins is read from its end, and what comes later from its beginning."""

    def __init__(
        self, topology: Topology, peers: Peers, topics: Patterns, names: Iterable[str], *, look_back: float = 0.0
    ) -> None:
        """Read topics that are there already from their ends, or from `look_back` seconds ago on."""
        self._look_back = look_back
        self._topology = topology
        self._peers = peers
        self._patterns = topics
        self._names = frozenset(names)
        self.chosen = ChosenTopics(
            topics, tuple(self._names), bounds.READ_TOPICS, bounds.READ_PARTITIONS, bound="one pattern of topics"
        )
        """Which of the topics that patterns mean are read."""
        self._ids = TopicIds(topology, peers)
        self._began = False
        self._existing: Mapping[str, Mapping[int, PartitionState]] = {}
        self._hidden: frozenset[str] = frozenset()
        self._left: dict[TopicPartition, int] = {}
        self._remade: set[str] = set()
        self.due: dict[TopicPartition, int] = {}
        """Partitions of which nobody could tell yet where they end or begin: `wire.END` or `wire.START`."""
        self.wanted: dict[str, tuple[int, ...]] = {}
        """The partitions to read; another object when they are others."""

    @property
    def forbidden(self) -> list[str]:
        """Topics that may not be described; of those meant by a pattern only such as were seen before."""
        hidden = {topic for topic in self._topology.forbidden if topic in self._patterns}
        return sorted(hidden | self._ids.forbidden)

    def unplaced(self, positions: _Places) -> set[TopicPartition]:
        """Return the partitions to read that are not among `positions`."""
        known = (TopicPartition(topic, index) for topic, indexes in self.wanted.items() for index in indexes)
        return {partition for partition in known if partition not in positions}

    async def compare(self, positions: _Places, lost: Collection[TopicPartition], timeout: float) -> ReadingChange:
        """Compare what is read now with what is there, within `timeout` seconds; metadata must have been read.

        `lost` are partitions that have no record at the position where reading should go on.
        """
        deadline = Deadline(timeout)
        existing = self._topology.existing
        chosen = await self.chosen.of(existing)
        if existing is not self._existing:
            self._existing = existing
            self.wanted = {topic: tuple(states) for topic, states in chosen.items() if topic in self._patterns}
        # Whatever is found out stands in the plan until it is handed over: a run may be cut short at any wait.
        self._remade |= await self._ids.renew(self._names | self.wanted.keys(), deadline.share(0.5).left)
        remade = self._remade
        known = {TopicPartition(topic, index) for topic, indexes in self.wanted.items() for index in indexes}
        change = ReadingChange(gap=bool(remade))
        self._leave(positions, known, remade, change)
        for partition in known - positions.keys() - self.due.keys():
            self._meet(partition, remade, change)
        self._hidden -= self.wanted.keys()
        for partition in [p for p in positions if p in known and p.topic in remade]:
            change.dropped.add(partition)
            self.due[partition] = requests.START
        if not self._began and self._ids.certain:
            # What is hidden now may have been there for long: when it may be seen it is read from its end.
            self._began, self._hidden = True, self._hidden | frozenset(self.forbidden)
        cut = {p: positions[p] for p in lost if p in positions and p in known and p not in change.dropped}
        left = deadline.left
        await asyncio.gather(*(self._find(kind, change, cut, left) for kind in (requests.END, requests.START)))
        for partition in change.places:
            self.due.pop(partition, None)
            self._left.pop(partition, None)
        self._remade = set()
        return change

    def _leave(
        self, positions: _Places, known: Collection[TopicPartition], remade: Collection[str], change: ReadingChange
    ) -> None:
        """Leave what is gone, and note how far it was read."""
        for partition in positions.keys() - known:
            change.dropped.add(partition)
            self._left[partition] = positions[partition]
        for partition in [p for p in self._left if p.topic in remade]:
            del self._left[partition]
        while len(self._left) > _PLACES_KEPT:
            del self._left[next(iter(self._left))]
        for partition in self.due.keys() - known:
            if self.due.pop(partition) == requests.END:  # it was there before, should it come back
                self._hidden |= {partition.topic}

    def _meet(self, partition: TopicPartition, remade: Collection[str], change: ReadingChange) -> None:
        """Decide where to begin in a partition that was not there in the last cycle."""
        if partition in self._left and self._ids.certain:
            change.places[partition] = self._left[partition]
        elif partition in self._left:
            return  # whether it is the same topic is not known yet
        elif partition.topic in remade or (self._began and partition.topic not in self._hidden):
            self.due[partition] = requests.START
        else:
            self.due[partition] = requests.END

    async def _find(self, kind: int, change: ReadingChange, cut: _Places, timeout: float) -> None:
        """Find out the offsets of one kind that are due, and where to go on in partitions that were cut."""
        due = [partition for partition, wanted in self.due.items() if wanted == kind]
        asked = {*due, *cut}
        if not asked:
            return
        reading = [read_offsets(self._topology, self._peers, asked, kind, timeout)]
        if kind == requests.END and self._look_back and due:
            moment = int((time.time() - self._look_back) * 1000)
            reading.append(read_offsets(self._topology, self._peers, due, moment, timeout))
        offsets, *earlier = await asyncio.gather(*reading)
        begin = _begin(offsets.found, earlier[0].found) if earlier else offsets.found
        for partition in due:
            if partition in begin:
                change.places[partition] = begin[partition]
                change.gap = change.gap or kind == requests.END
        for partition, position in cut.items():
            found = offsets.found.get(partition)
            # Beyond the end: an unclean election cut it. Before the start: it was deleted as too old.
            if found is not None and (found < position if kind == requests.END else found > position):
                change.places[partition] = found
                change.skipped += max(found - position, 0)
                change.gap = True
            elif found is not None:
                change.places.setdefault(partition, position)


def _begin(ends: _Places, earlier: _Places) -> _Places:
    """Return where to begin: at `earlier` offsets where there are any, but with no more records than are soon read."""
    return {one: max(earlier[one], end - _MOST_BACK) if earlier.get(one, -1) >= 0 else end for one, end in ends.items()}
