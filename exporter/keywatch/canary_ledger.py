"""The canary's book: what was sent, acknowledged and read back, and what that proves (no clock, no network)."""

from __future__ import annotations

from dataclasses import dataclass

from keywatch.probe import Reason

_KEPT = 4096


@dataclass(slots=True)
class Entry:
    """One record: when it was sent and read back (monotonic seconds), through which broker, and what became of it."""

    partition: int
    sequence: int
    broker: str
    sent: float
    offset: int | None = None
    failure: tuple[Reason, str] | None = None
    received: float | None = None
    lost: bool = False

    @property
    def settled(self) -> bool:
        """Whether it was read back or refused, so that waiting for it is over."""
        return self.received is not None or self.failure is not None


class Ledger:
    """The records of one partition.

    A record counts as lost only when it was acknowledged and reading went past its offset without it: then it is
    not there. One that is acknowledged or read late is late, not lost.
    """

    def __init__(self, partition: int, position: int = 0) -> None:
        self.partition = partition
        self.duplicated = 0
        self.reordered = 0
        self._entries: dict[int, Entry] = {}
        self._newest_read = -1
        self.position = position

    def sent(self, sequence: int, broker: str, now: float) -> Entry:
        """Take down that a record was handed to the client."""
        entry = Entry(self.partition, sequence, broker, now)
        self._entries[sequence] = entry
        while len(self._entries) > _KEPT:
            del self._entries[next(iter(self._entries))]
        return entry

    def acknowledged(self, sequence: int, offset: int) -> None:
        """Take down that all in-sync replicas have it."""
        if sequence in self._entries:
            self._entries[sequence].offset = offset

    def failed(self, sequence: int, reason: Reason, detail: str) -> None:
        """Take down that it was refused or not acknowledged in time."""
        if sequence in self._entries:
            self._entries[sequence].failure = (reason, detail)

    def read(self, sequence: int | None, offset: int, now: float) -> Entry | None:
        """Take down that a record was read at `offset`; None for one that another instance sent.

        Gives the entry when it was read for the first time.
        """
        self.position = max(self.position, offset + 1)
        entry = self._entries.get(sequence) if sequence is not None else None
        if entry is None:
            return None
        if entry.received is not None:
            self.duplicated += 1
            return None
        entry.received = now
        if entry.sequence < self._newest_read:
            self.reordered += 1
        self._newest_read = max(self._newest_read, entry.sequence)
        return entry

    def losses(self) -> list[Entry]:
        """Give the records found to be lost since the last call."""
        found = []
        for entry in self._entries.values():
            if entry.offset is not None and entry.received is None and not entry.lost and entry.offset < self.position:
                entry.lost = True
                found.append(entry)
        return found

    def take_counts(self) -> tuple[int, int]:
        """Give duplicates and reorderings since the last call."""
        counts = (self.duplicated, self.reordered)
        self.duplicated = self.reordered = 0
        return counts
