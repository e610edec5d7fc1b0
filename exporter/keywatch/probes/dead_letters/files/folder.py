"""What lies in a folder of dead letters, what came to it, and what of it cannot be read; for one thread at a time."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from keywatch.probes.dead_letters.files.changes import FolderChanges
from keywatch.probes.dead_letters.files.checks import FolderChecks
from keywatch.probes.dead_letters.files.file import MOST_READ, Flaw, examine
from keywatch.probes.dead_letters.files.listing import FolderListing
from keywatch.probes.dead_letters.letter import DeadLetterReason, Sources

# Names and times take 25 MB for 100,000 files.
MOST_FILES = 250_000
_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NONBLOCK | os.O_CLOEXEC


class Look(NamedTuple):
    """What one look found; times in Unix time."""

    exists: bool
    files: int
    span: tuple[float, float] | None
    """When the oldest and the newest file were written."""
    flaws: Mapping[Flaw, int]
    """How many files, or what stands in their place, cannot be read, and why."""
    example: str
    """A name among them, in printable form."""
    crowded: bool
    """Whether there are too many files to know each."""


class DeadLetterFolder:
    """Files that were there at the first look are not new; all are when there was no folder then."""

    def __init__(
        self,
        path: Path,
        pattern: str,
        sources: Sources,
        *,
        most_files: int = MOST_FILES,
        most_read: int = MOST_READ,
        changes: FolderChanges | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.listing = FolderListing(path, re.compile(pattern, re.DOTALL), most=most_files, changes=changes)
        self.checks = FolderChecks(self.listing, lambda folder, name: examine(folder, name, sources, most_read))
        self._path = path
        self._clock = clock
        self._begun = False

    def scan(self) -> Look:
        """Look at the folder, in bounded time but for the file system's own; raises `OSError` where it cannot be read.

        A folder that is not there is an answer.
        """
        listing, checks, now = self.listing, self.checks, self._clock()
        try:
            folder = os.open(self._path, _FLAGS)
        except FileNotFoundError:
            checks.record(listing.lose(), now, counted=False)
            self._begun = True
            return Look(False, 0, None, {}, "", False)
        try:
            before, crowded = listing.count, listing.crowded
            news = listing.update(folder, now)
            checks.record(news, now, counted=self._begun)
            if crowded or listing.crowded:
                # Without names the difference is all that is known: what came less what went.
                checks.clear()
                if self._begun:
                    checks.added[DeadLetterReason.UNREAD] += max(listing.count - before, 0)
            checks.run(folder, now)
            self._begun = True
        finally:
            os.close(folder)
        flaws = Counter(listing.strangers.values()) + checks.flaws
        example = checks.example or next(iter(listing.strangers), "")
        return Look(True, listing.count, listing.span, flaws, ascii(example), listing.crowded)

    def take_added(self) -> Counter[DeadLetterReason]:
        """Return what came since this was last asked for, by reason; not while a look is under way."""
        added, self.checks.added = self.checks.added, Counter()
        return added

    def close(self) -> None:
        """Watch the folder no more."""
        self.listing.close()
