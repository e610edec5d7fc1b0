"""The canary's book: what was sent, acknowledged and read back, and what that proves (no clock, no network)."""

from __future__ import annotations

from dataclasses import dataclass

from keywatch.engine.probe import Reason

_KEPT = 4096


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
        self._entries: dict[int, CanaryRecord] = {}
        self._newest = (-1, -1)
        self.position = position

    def sent(self, sequence: int, broker: str, now: float) -> CanaryRecord:
        """Record that a record was handed to the client."""
        entry = CanaryRecord(self.partition, sequence, broker, now, floor=self.position)
        self._entries[sequence] = entry
        while len(self._entries) > _KEPT:
            del self._entries[next(iter(self._entries))]
        return entry

    def acknowledged(self, sequence: int, offset: int) -> bool:
        """Record that all in-sync replicas have it; returns whether the partition is another one by now.

        A record cannot come before what was read before it was sent, unless the topic was made anew. What is not read
        of the old one is not there to be found, and reading has to begin again at `position`.
        """
        entry = self._entries.get(sequence)
        if entry is None:
            return False
        entry.offset = offset
        if offset >= entry.floor:
            return False
        self.position = min(self.position, offset)
        for older in self._entries.values():
            older.floor = min(older.floor, offset)
        self._entries = {s: e for s, e in self._entries.items() if s >= sequence}
        return True

    def failed(self, sequence: int, reason: Reason, detail: str) -> None:
        """Record that it was refused or not acknowledged in time."""
        if sequence in self._entries:
            self._entries[sequence].failure = (reason, detail)

    def record_read(self, sequence: int | None, offset: int, now: float) -> CanaryRecord | None:
        """Record that a record was read at `offset`; None for one that another instance sent.

        Returns the entry when it was read for the first time.
        """
        self.position = max(self.position, offset + 1)
        entry = self._entries.get(sequence) if sequence is not None else None
        if entry is None:
            return None
        if entry.received is not None:
            # The same place read again is the reader's doing.
            self.duplicated += offset != entry.place
            return None
        entry.received, entry.place = now, offset
        newest, place = self._newest
        if entry.sequence > newest:
            self._newest = (entry.sequence, offset)
        elif offset > place:
            self.reordered += 1
        return entry

    def losses(self) -> list[CanaryRecord]:
        """Return the records found to be lost since the last call."""
        found = []
        for entry in self._entries.values():
            if entry.offset is not None and entry.received is None and not entry.lost and entry.offset < self.position:
                entry.lost = True
                found.append(entry)
        return found

    def take_counts(self) -> tuple[int, int]:
        """Return duplicates and reorderings since the last call."""
        counts = (self.duplicated, self.reordered)
        self.duplicated = self.reordered = 0
        return counts
