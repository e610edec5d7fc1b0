"""How far a group is behind, in records and in seconds: pure reckoning over offsets and record times."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from keywatch.kafka.record_times import Position
from keywatch.kafka.wire import TopicPartition

_HISTORY_LENGTH = 600
_LEAST_LENGTH = 16
_NOTED_ENDS = 200_000


class Times(Protocol):
    """What is known of records' timestamps, in Unix time."""

    def known(self, position: Position) -> bool:
        """Tell whether the time at this position was found out."""

    def at(self, position: Position) -> float | None:
        """Give the timestamp of the first record at or after the position, if there is one."""

    def before(self, position: Position) -> float | None:
        """Give the timestamp at the nearest earlier position found out."""


class EndHistory:
    """When each end offset of a partition was first seen: tells when a recent record came, to one cycle."""

    __slots__ = ("_ends", "_times")

    def __init__(self) -> None:
        self._ends = array("q")
        self._times = array("d")

    def note(self, end: int, now: float, length: int = _HISTORY_LENGTH) -> None:
        """Take down that the partition ended at `end` at `now` (Unix time); the newest `length` ends are kept."""
        ends, times = self._ends, self._times
        if ends and end < ends[-1]:
            del ends[:], times[:]  # the partition was truncated or made anew
        if not ends or end > ends[-1]:
            ends.append(end)
            times.append(now)
            if len(ends) > length:
                del ends[:-length], times[:-length]

    def __len__(self) -> int:
        return len(self._ends)

    def arrival(self, offset: int) -> float | None:
        """Give when the record at `offset` was first seen to exist; None when it is older than the history."""
        index = bisect_right(self._ends, offset)
        if index == 0 or index >= len(self._ends):
            return None
        return self._times[index]


class Histories:
    """The histories of many partitions; the more there are, the shorter each, so that the memory is bounded."""

    def __init__(self) -> None:
        self._known: dict[TopicPartition, EndHistory] = {}

    def get(self, partition: TopicPartition) -> EndHistory | None:
        """Give a partition's history, if it has one."""
        return self._known.get(partition)

    def note(self, partition: TopicPartition, end: int, now: float, *, behind: bool) -> None:
        """Take down where a partition ends; while no group is `behind` on it the last two ends are enough.

        A lag that begins now begins with the record after the last end.
        """
        length = min(max(_NOTED_ENDS // max(len(self._known), 1), _LEAST_LENGTH), _HISTORY_LENGTH)
        self._known.setdefault(partition, EndHistory()).note(end, now, length if behind else 2)

    def retain(self, partitions: Container[TopicPartition]) -> None:
        """Forget all other partitions."""
        for partition in [partition for partition in self._known if partition not in partitions]:
            del self._known[partition]


class PartitionLag(NamedTuple):
    """One partition of a group; None is what could not be known.

    `verified` is false when an offset could not be read in this cycle and the last known one was taken;
    `estimated` when the seconds do not come from the record's own timestamp.
    """

    partition: TopicPartition
    committed: int
    records: int | None
    seconds: float | None
    verified: bool
    estimated: bool


def reckon(
    partition: TopicPartition,
    committed: int,
    end: int | None,
    *,
    verified: bool,
    times: Times,
    history: EndHistory | None,
    now: float,
) -> PartitionLag:
    """Reckon one partition's lag; `end` is its end offset as far as known, `now` in Unix time.

    Seconds are the age of the first record not committed, by that record's own timestamp: interpolating between
    offsets, as others do, is undefined without traffic. Where the record was not read yet, the time at which it was
    first seen to exist serves, or the time of an earlier record, which makes the lag larger, never smaller.
    """
    if end is None:
        return PartitionLag(partition, committed, None, None, verified=False, estimated=False)
    records = max(end - committed, 0)
    if records == 0:
        return PartitionLag(partition, committed, 0, 0.0, verified, estimated=False)
    position = Position(partition, committed)
    if times.known(position):
        written = times.at(position)
        # No record follows although the end is further on: only transaction markers or compacted records are left.
        seconds = 0.0 if written is None else max(now - written, 0.0)
        return PartitionLag(partition, committed, records, seconds, verified, estimated=False)
    guess = history.arrival(committed) if history else None
    if guess is None:
        guess = times.before(position)
    seconds_guess = None if guess is None else max(now - guess, 0.0)
    return PartitionLag(partition, committed, records, seconds_guess, verified, estimated=True)


@dataclass(slots=True)
class TopicLag:
    """A group's lag on one topic: records summed, seconds of the worst partition, and how many are uncertain."""

    records: int | None = None
    seconds: float | None = None
    unknown: int = 0
    estimated: int = 0


def by_topic(partitions: Iterable[PartitionLag]) -> Mapping[str, TopicLag]:
    """Join partitions' lags per topic."""
    topics: dict[str, TopicLag] = {}
    for lag in partitions:
        topic = topics.setdefault(lag.partition.topic, TopicLag())
        topic.unknown += not lag.verified
        topic.estimated += lag.estimated
        if lag.records is not None:
            topic.records = (topic.records or 0) + lag.records
        if lag.seconds is not None:
            topic.seconds = max(topic.seconds or 0.0, lag.seconds)
    return topics
