"""How far a group is behind, in records and in seconds: pure reckoning over offsets and record times."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from keywatch.kafka.records.search import Found, Position
from keywatch.kafka.wire.requests import TopicPartition

_HISTORY_LENGTH = 600
_LEAST_LENGTH = 16
_NOTED_ENDS = 200_000


class Times(Protocol):
    """What is known of records' timestamps, in Unix time."""

    def at(self, position: Position) -> Found | None:
        """Return the first record at or after the position; None when it is not known."""

    def before(self, position: Position) -> float | None:
        """Return the timestamp at the nearest earlier position found out."""


class EndHistory:
    """When each end offset of a partition was first seen: tells when a recent record came, to one cycle."""

    __slots__ = ("_ends", "_times")

    def __init__(self) -> None:
        self._ends = array("q")
        self._times = array("d")

    def record(self, end: int, now: float, length: int = _HISTORY_LENGTH) -> bool:
        """Record that the partition ended at `end` at `now` (Unix time); the newest `length` ends are kept.

        Returns whether it was truncated or made anew, so that what was known of it means nothing.
        """
        ends, times = self._ends, self._times
        shrunk = bool(ends) and end < ends[-1]
        if shrunk:
            del ends[:], times[:]
        if not ends or end > ends[-1]:
            ends.append(end)
            times.append(now)
            if len(ends) > length:
                del ends[:-length], times[:-length]
        return shrunk

    def __len__(self) -> int:
        return len(self._ends)

    def arrival(self, offset: int) -> float | None:
        """Return when the record at `offset` was first seen to exist; None when it is older than the history."""
        index = bisect_right(self._ends, offset)
        if index == 0 or index >= len(self._ends):
            return None
        return self._times[index]


class Histories:
    """The histories of many partitions; the more there are, the shorter each, so that the memory is bounded."""

    def __init__(self) -> None:
        self._known: dict[TopicPartition, EndHistory] = {}

    def get(self, partition: TopicPartition) -> EndHistory | None:
        """Return a partition's history, if it has one."""
        return self._known.get(partition)

    def record(self, partition: TopicPartition, end: int, now: float, *, behind: bool) -> bool:
        """Record where a partition ends; while no group is `behind` on it the last two ends are enough.

        A lag that begins now begins with the record after the last end. Returns what `EndHistory.note` does.
        """
        length = min(max(_NOTED_ENDS // max(len(self._known), 1), _LEAST_LENGTH), _HISTORY_LENGTH)
        return self._known.setdefault(partition, EndHistory()).record(end, now, length if behind else 2)

    def drop(self, topic: str) -> None:
        """Drop the partitions of a topic, because it was made anew."""
        for partition in [partition for partition in self._known if partition.topic == topic]:
            del self._known[partition]

    def retain(self, partitions: Container[TopicPartition]) -> None:
        """Drop all other partitions."""
        for partition in [partition for partition in self._known if partition not in partitions]:
            del self._known[partition]


class PartitionLag(NamedTuple):
    """One partition of a group; None is what could not be known.

    `verified` is false when an offset could not be read in this cycle and the last known one was taken;
    `estimated` when the seconds do not come from the record's own timestamp. `astray` says in words that the commit is
    none that reading can go on from.
    """

    partition: TopicPartition
    committed: int
    records: int | None
    seconds: float | None
    verified: bool
    estimated: bool
    astray: str = ""


class Bounds(NamedTuple):
    """Where a partition begins and ends, as far as it is known."""

    start: int | None
    end: int | None

    @property
    def size(self) -> int | None:
        """How many offsets lie between; None while that is not known."""
        if self.end == 0:
            return 0
        return None if self.start is None or self.end is None else max(self.end - self.start, 0)

    def first(self, committed: int) -> int:
        """Return the offset from which a group reads on that committed this one: what is removed cannot be read."""
        # A start beyond the end belongs to a topic that was made anew since.
        known = self.start is not None and (self.end is None or self.start <= self.end)
        return max(committed, self.start or 0) if known else committed

    def astray(self, committed: int) -> str:
        """Say how a commit lies outside of the partition; nothing when it does not."""
        if self.end is not None and committed > self.end:
            return f"commit {committed} is beyond the end {self.end}"
        if (first := self.first(committed)) > committed:
            return f"{first - committed} records were removed before they were read, commit {committed}"
        return ""


def reckon(
    partition: TopicPartition,
    committed: int,
    bounds: Bounds,
    *,
    verified: bool,
    times: Times,
    history: EndHistory | None,
    now: float,
) -> PartitionLag:
    """Reckon one partition's lag from its `bounds`; `now` in Unix time.

    Seconds are the age of the first record not committed, by that record's own timestamp: interpolating between
    offsets, as others do, is undefined without traffic. A record that claims to be younger than it has been seen to
    exist is as old as that. Where the record was not read yet, the time at which it was first seen to exist serves, or
    the time of an earlier record, which makes the lag larger, never smaller.
    """
    end = bounds.end
    if end is None:
        return PartitionLag(partition, committed, None, None, verified=False, estimated=False)
    astray = bounds.astray(committed) if verified else ""
    first = bounds.first(committed)
    records = max(end - first, 0)
    if records == 0:
        return PartitionLag(partition, committed, 0, 0.0, verified, estimated=False, astray=astray)
    position = Position(partition, first)
    found = times.at(position)
    if found is not None:
        written = found.time
        seen = history.arrival(found.offset) if history and written is not None else None
        if written is not None and seen is not None:
            written = min(written, seen)
        # No record follows although the end is further on: only markers, or records that are none any more, are left.
        seconds = 0.0 if written is None else max(now - written, 0.0)
        return PartitionLag(partition, committed, records, seconds, verified, estimated=False, astray=astray)
    guess = history.arrival(first) if history else None
    if guess is None:
        guess = times.before(position)
    seconds_guess = None if guess is None else max(now - guess, 0.0)
    return PartitionLag(partition, committed, records, seconds_guess, verified, estimated=True, astray=astray)


@dataclass(slots=True)
class TopicLag:
    """A group's lag on one topic: records summed, seconds of the worst partition, and how many are uncertain.

    `astray` are partitions whose commit is outside, `words` what is said of the first one.
    """

    records: int | None = None
    seconds: float | None = None
    unknown: int = 0
    estimated: int = 0
    astray: int = 0
    words: str = ""


def by_topic(partitions: Iterable[PartitionLag]) -> Mapping[str, TopicLag]:
    """Join partitions' lags per topic."""
    topics: dict[str, TopicLag] = {}
    for lag in partitions:
        topic = topics.setdefault(lag.partition.topic, TopicLag())
        topic.unknown += not lag.verified
        topic.estimated += lag.estimated
        if lag.astray:
            topic.astray += 1
            topic.words = topic.words or f"partition {lag.partition.partition}: {lag.astray}"
        if lag.records is not None:
            topic.records = (topic.records or 0) + lag.records
        if lag.seconds is not None:
            topic.seconds = max(topic.seconds or 0.0, lag.seconds)
    return topics
