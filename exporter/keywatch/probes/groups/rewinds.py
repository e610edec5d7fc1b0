"""Whether a group's commits went back, so that records which it had read are delivered again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from keywatch.kafka.wire.requests import TopicPartition
from keywatch.probes.groups.lag import PartitionLag

# One reset goes through the partitions one after the other, and keywatch may see it in several cycles.
_SAME_RESET = 10.0


class Rewind(NamedTuple):
    """When commits on a topic were last seen to have gone back (Unix time), and by how many offsets altogether."""

    at: float
    offsets: int


class Rewinds:
    """The commits of one group as last seen, and the last rewind by topic.

    A coordinator that is new to the group may answer from what it has not read to the end: a commit that it gives lower
    than its predecessor counts when it gives it again.
    """

    def __init__(self) -> None:
        self.last: dict[str, Rewind] = {}
        self.new: list[str] = []
        """The topic of each rewind since this was last emptied."""
        self._committed: dict[TopicPartition, int] = {}
        self._suspects: dict[TopicPartition, int] = {}
        self._coordinator = ""

    def record(self, lags: Iterable[PartitionLag], coordinator: str, asked: int, now: float) -> None:
        """Compare the commits with those before; `asked` is the cycle in which they were read, `now` Unix time."""
        is_new = coordinator != self._coordinator
        before, self._committed, suspects, self._suspects = self._committed, {}, self._suspects, {}
        for lag in lags:
            partition, committed = lag.partition, lag.committed
            known = before.get(partition, -1)
            if committed < 0 or not lag.verified:
                if known >= 0:
                    self._committed[partition] = known
                continue
            self._committed[partition] = committed
            if committed >= known or committed + (lag.records or 0) < known:
                continue  # or the partition itself was cut off or made anew, and ends before what was committed
            if is_new or suspects.get(partition) == asked:
                self._suspects[partition] = suspects.get(partition, asked)
                self._committed[partition] = known
                continue
            last = self.last.get(partition.topic)
            if last is None or now - last.at >= _SAME_RESET:
                self.new.append(partition.topic)
                last = None
            self.last[partition.topic] = Rewind(now, known - committed + (last.offsets if last else 0))
        self._coordinator = coordinator

    def drop(self, topic: str) -> None:
        """Drop what was committed on a topic, because it was made anew."""
        self.last.pop(topic, None)
        self._committed = {one: at for one, at in self._committed.items() if one.topic != topic}

    def retain(self, topics: Iterable[str]) -> None:
        """Drop the rewinds of all other topics."""
        self.last = {topic: self.last[topic] for topic in topics if topic in self.last}
