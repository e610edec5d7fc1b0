"""The canary's book: what was sent, acknowledged and read back, and what that proves (no clock, no network)."""

from __future__ import annotations

from dataclasses import dataclass

from keywatch.engine.probe import Reason

# Records that are still waited for: Kafka keeps the topic's for ten minutes, and one is sent each second.
_MOST_OPEN = 1024
# Records that came back, of which only the place is kept, so that they are known when they come twice. A client writes
# one twice within its own deadline of seconds, or never.
_MOST_BACK = 256


@dataclass(slots=True)
class CanaryRecord:
    """One record: when it was sent and read back (monotonic seconds), through which broker, and what became of it.

    `floor` is how far the partition had been read when it was sent; `offset` is where it was acknowledged, `place`
    where it was read.
    """

    partition: int
    sequence: int
    broker: str
    sent: float
    floor: int = 0
    offset: int | None = None
    place: int | None = None
    failure: tuple[Reason, str] | None = None
    received: float | None = None
    lost: bool = False

    @property
    def settled(self) -> bool:
        """Whether it was read back or refused, so that waiting for it is over."""
        return self.received is not None or self.failure is not None


class CanaryLedger:
    """The records of one partition.

    A record counts as lost only when it was acknowledged and reading went past its offset without it: then it is
    not there. One that is acknowledged or read late is late, not lost.
    """

    def __init__(self, partition: int, position: int = 0) -> None:
        self.partition = partition
        self.duplicated = 0
        self.reordered = 0
        self._open: dict[int, CanaryRecord] = {}
        self._unread: dict[int, CanaryRecord] = {}
        """Those of them that were acknowledged, so that each has to come: the only ones that may be lost."""
        self._back: dict[int, tuple[int, int]] = {}
        """Sequence of each that came back → where it was read, and its floor."""
        self._newest = (-1, -1)
        self.position = position

    def __len__(self) -> int:
        """Count the records that anything is kept of."""
        return len(self._open) + len(self._back)

    def sent(self, sequence: int, broker: str, now: float) -> CanaryRecord:
        """Record that a record was handed to the client."""
        entry = CanaryRecord(self.partition, sequence, broker, now, floor=self.position)
        self._open[sequence] = entry
        while len(self._open) > _MOST_OPEN:
            oldest = next(iter(self._open))
            del self._open[oldest]
            self._unread.pop(oldest, None)
        return entry

    def acknowledged(self, sequence: int, offset: int) -> bool:
        """Record that all in-sync replicas have it; returns whether the partition is another one by now.

        A record cannot come before what was read before it was sent, unless the topic was made anew. What is not read
        of the old one is not there to be found, and reading has to begin again at `position`.
        """
        entry = self._open.get(sequence)
        if entry is not None:
            entry.offset = offset
            self._unread[sequence] = entry
        floor = entry.floor if entry is not None else self._back.get(sequence, (0, 0))[1]
        if offset >= floor:
            return False
        self.position = min(self.position, offset)
        for older in self._open.values():
            older.floor = min(older.floor, offset)
        self._open = {s: e for s, e in self._open.items() if s >= sequence}
        self._unread = {s: e for s, e in self._unread.items() if s >= sequence}
        self._back = {s: (place, min(floor, offset)) for s, (place, floor) in self._back.items() if s >= sequence}
        return True

    def failed(self, sequence: int, reason: Reason, detail: str) -> None:
        """Record that it was refused or not acknowledged in time."""
        if sequence in self._open:
            self._open[sequence].failure = (reason, detail)

    def record_read(self, sequence: int | None, offset: int, now: float) -> CanaryRecord | None:
        """Record that a record was read at `offset`; None for one that another instance sent.

        Returns the entry when it was read for the first time.
        """
        self.position = max(self.position, offset + 1)
        if sequence is None:
            return None
        if sequence in self._back:
            # The same place read again is the reader's doing.
            self.duplicated += offset != self._back[sequence][0]
            return None
        entry = self._open.pop(sequence, None)
        if entry is None:
            return None
        self._unread.pop(sequence, None)
        self._back[sequence] = (offset, entry.floor)
        if len(self._back) > _MOST_BACK:
            del self._back[next(iter(self._back))]
        entry.received, entry.place = now, offset
        newest, place = self._newest
        if entry.sequence > newest:
            self._newest = (entry.sequence, offset)
        elif offset > place:
            self.reordered += 1
        return entry

    def losses(self) -> list[CanaryRecord]:
        """Return the records found to be lost since the last call; looks at those only that were not read yet."""
        found = [e for e in self._unread.values() if not e.lost and e.offset is not None and e.offset < self.position]
        for entry in found:
            entry.lost = True
        return found

    def take_counts(self) -> tuple[int, int]:
        """Return duplicates and reorderings since the last call."""
        counts = (self.duplicated, self.reordered)
        self.duplicated = self.reordered = 0
        return counts
