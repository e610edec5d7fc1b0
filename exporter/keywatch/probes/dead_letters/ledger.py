"""Which records of dead-letter topics are counted: from where on, up to where, and what is given up as unread."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from keywatch.kafka.wire.requests import TopicPartition
from keywatch.probes.dead_letters.letter import DeadLetterReason
from keywatch.probes.dead_letters.reader import DeadLetterBatch, Stretch

# How long records may stay unread until they are counted without their reason: a flood, a leader that died.
PATIENCE = 2.0
# Of what was there before, so many of the last offsets are read for the time of the newest record: the very last one
# may be a transaction's mark.
_LOOK_BACK = 3
# Whether something may still not be read is tried so often, and forgotten when there was nothing to try it on.
_FORBIDDEN_AGAIN, _FORBIDDEN_FOR = 5.0, 20.0
# Compaction takes the first record away and leaves the start offset as it is.
_OLDEST_FOR = 60.0
# Partitions of topics that are gone, in case that they come back and are the same.
_MOST_ASIDE = 10_000


@dataclass(slots=True)
class DeadLetterPartition:
    """One partition. Offsets up to `position` are counted; times in Unix time."""

    fresh: bool
    """Whether it came into being while somebody was watching, so that all in it is new."""
    start: int | None = None
    end: int | None = None
    position: int | None = None
    seen: deque[tuple[float, int]] = field(default_factory=deque)
    """When, on a monotonic clock, end offsets were first seen that are not all counted yet."""
    looked_back: bool = False
    """Whether the time of the newest record was looked for, of records that are not counted."""
    look_from: int = 0
    """Where to go on with that: one reading may not be enough for records of many megabytes."""
    oldest: float | None = None
    oldest_at: tuple[int | None, float] = (None, 0.0)
    """The start offset for which `oldest` was found, and until when that may be believed."""
    newest: float | None = None

    @property
    def depth(self) -> int | None:
        """How many records lie there, as last known."""
        return max(self.end - self.start, 0) if self.start is not None and self.end is not None else None


class DeadLetterLedger:
    """The partitions of one dead-letter queue."""

    def __init__(self) -> None:
        self.entries: dict[TopicPartition, DeadLetterPartition] = {}
        self._aside: dict[TopicPartition, DeadLetterPartition] = {}
        self.added: Counter[DeadLetterReason] = Counter()
        """New records by reason, since somebody last took them."""
        self.forbidden: dict[str, float] = {}
        """Topics that may not be read, and when that was last found out."""

    def update(self, partitions: Mapping[TopicPartition, bool]) -> set[str]:
        """Record which partitions there are; true for one that has only just come into being if it is not known.

        Returns the topics that were gone and are back: they may be others of the same name.
        """
        before, self.entries = self.entries, {}
        returned = set()
        for partition, fresh in partitions.items():
            entry = before.pop(partition, None)
            if entry is None and (entry := self._aside.pop(partition, None)) is not None:
                returned.add(partition.topic)
            self.entries[partition] = entry or DeadLetterPartition(fresh)
        self._aside.update(before)
        while len(self._aside) > _MOST_ASIDE:
            del self._aside[next(iter(self._aside))]
        return returned

    def renew(self, topic: str) -> None:
        """Record that a topic was deleted and made again: what is in it is new, and no more than that."""
        for partition in self.entries:
            if partition.topic == topic:
                self.entries[partition] = DeadLetterPartition(fresh=True)

    def take_ends(self, ends: Mapping[TopicPartition, int], now: float) -> set[TopicPartition]:
        """Record end offsets as just read; returns the partitions that now end before what was counted already."""
        shorter = set()
        for partition, end in ends.items():
            entry = self.entries[partition]
            entry.end = end
            if entry.position is None and not entry.fresh:
                entry.position = end
            if entry.position is not None and end < entry.position:
                shorter.add(partition)
            if end > (entry.seen[-1][1] if entry.seen else entry.position or 0):
                entry.seen.append((now, end))
        return shorter

    def take_starts(self, starts: Mapping[TopicPartition, int]) -> None:
        """Record start offsets as just read."""
        for partition, start in starts.items():
            entry = self.entries[partition]
            entry.start = start
            if entry.position is None:
                entry.position = start
            elif start > entry.position:  # deleted before they could be read: they came all the same
                self.added[DeadLetterReason.UNREAD] += start - entry.position
                entry.position = start

    def cut(self, partitions: Iterable[TopicPartition]) -> None:
        """Record that partitions lost their last records, as after an unclean election; what comes next is new."""
        for partition in partitions:
            entry = self.entries[partition]
            if entry.end is not None and entry.position is not None:
                entry.position = min(entry.position, entry.end)
                entry.looked_back, entry.look_from = False, 0
                entry.seen.clear()

    def wanted(self, readable: Collection[TopicPartition], now: float) -> dict[TopicPartition, Stretch]:
        """Name what is to be read of the partitions that can be."""
        for topic in [topic for topic, found in self.forbidden.items() if now - found > _FORBIDDEN_FOR]:
            del self.forbidden[topic]
        wanted = {}
        for partition in readable:
            entry = self.entries[partition]
            start, end, position = entry.start, entry.end, entry.position
            if start is None or end is None or position is None or end <= start:
                continue
            if now - self.forbidden.get(partition.topic, float("-inf")) < _FORBIDDEN_AGAIN:
                continue
            if position < end:
                wanted[partition] = Stretch(position, end)
            elif not entry.looked_back:
                wanted[partition] = Stretch(max(start, entry.look_from, end - _LOOK_BACK), end)
        return wanted

    def record(self, wanted: Mapping[TopicPartition, Stretch], batch: DeadLetterBatch, now: float) -> None:
        """Record what was read of what was wanted."""
        for topic in {partition.topic for partition in batch.reached}:
            self.forbidden.pop(topic, None)
        self.forbidden.update(dict.fromkeys(batch.forbidden, now))
        for partition, letters in batch.letters.items():
            entry = self.entries[partition]
            for letter in letters:
                entry.newest = letter.timestamp if letter.timestamp is not None else entry.newest
                if entry.position is not None and letter.offset >= entry.position:
                    self.added[letter.reason] += 1
        for partition, reached in batch.reached.items():
            entry = self.entries[partition]
            if entry.position is not None and reached > entry.position:
                # Not beyond what was asked for: the rest is counted when its turn comes.
                entry.position = min(reached, max(wanted[partition].end, entry.position))
            entry.look_from = reached
            entry.looked_back = entry.looked_back or reached >= wanted[partition].end

    def give_up(self, now: float) -> None:
        """Count as unread what could not be read for long, and at once what may not be."""
        for partition, entry in self.entries.items():
            patience = 0.0 if partition.topic in self.forbidden else PATIENCE
            while entry.seen and entry.position is not None:
                seen, end = entry.seen[0]
                if entry.position < end and now - seen < patience:
                    break
                entry.seen.popleft()
                if entry.position < end:
                    self.added[DeadLetterReason.UNREAD] += end - entry.position
                    entry.position, entry.looked_back = end, False

    def untimed(self, readable: Collection[TopicPartition], now: float) -> list[TopicPartition]:
        """Name the partitions of which the oldest record's time is not known."""
        found = []
        for partition in readable:
            entry = self.entries[partition]
            start, until = entry.oldest_at
            if entry.depth and (start != entry.start or now >= until):
                found.append(partition)
        return found

    def take_times(self, times: Mapping[TopicPartition, float], now: float) -> None:
        """Record when the oldest records were written."""
        for partition, written in times.items():
            entry = self.entries[partition]
            entry.oldest, entry.oldest_at = written, (entry.start, now + _OLDEST_FOR)

    @property
    def depth(self) -> int:
        """How many records lie there: the sum of what is known, or was last."""
        return sum(entry.depth or 0 for entry in self.entries.values())

    @property
    def span(self) -> tuple[float | None, float | None]:
        """When the oldest and the newest record were written, as far as is known."""
        held = [entry for entry in self.entries.values() if entry.depth]
        oldest = [entry.oldest for entry in held if entry.oldest is not None]
        newest = [entry.newest for entry in held if entry.newest is not None]
        return min(oldest, default=None), max(newest, default=None)
