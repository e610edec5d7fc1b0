"""Can the files of a folder be read, and why did they die? A bounded number is looked at each time, new ones first."""

from __future__ import annotations

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from itertools import islice
from typing import NamedTuple

from keywatch.probes.dead_letters.files.file import STRANGERS, FileFinding, Flaw, Mark, flaw_of
from keywatch.probes.dead_letters.files.listing import FolderListing, News
from keywatch.probes.dead_letters.letter import DeadLetterReason

# How long a new file may stay unread, such as one that is being written, until it is counted without its reason.
PATIENCE = 0.75
# A file that does not parse is unreadable once it has not changed for so long.
SETTLED = 5.0
# Seconds of one look for new files, and for all others: of the latter, two looks a second make 2 % of a core.
_FOR_NEW, _FOR_OLD = 0.08, 0.01
_RECHECKED = 20

Examine = Callable[[int, str], FileFinding]


class _Doubt(NamedTuple):
    """A file that did not parse: how it was then, and since when it is so."""

    mark: Mark | None
    since: float


class FolderChecks:
    """What is known of each file of a listing beside its name."""

    def __init__(self, listing: FolderListing, examine: Examine) -> None:
        self.added: Counter[DeadLetterReason] = Counter()
        """New files by reason, since somebody last took them."""
        self.flaws: Counter[Flaw] = Counter()
        """Files that cannot be read, by flaw."""
        self._listing = listing
        self._examine = examine
        self._new: dict[str, float] = {}
        self._unchecked: deque[str] = deque()
        self._doubtful: dict[str, _Doubt] = {}
        self._flawed: dict[str, FileFinding] = {}

    @property
    def example(self) -> str:
        """One that cannot be read."""
        return next(iter(self._flawed), "")

    def record(self, news: News, now: float, *, counted: bool) -> None:
        """Record what is new; `counted` when files that came are new dead letters, not what was there at the start."""
        for name in news.went:
            self._forget(name)
        for name in news.came:
            if counted:
                self._new[name] = now
            else:
                self._unchecked.append(name)
        for name in news.written:
            if name in self._flawed or name in self._doubtful:
                self._doubt(name, None, now)
            elif name not in self._new:
                self._unchecked.append(name)

    def run(self, folder: int, now: float) -> None:
        """Look into files of the folder with this descriptor."""
        until = time.perf_counter() + _FOR_NEW
        for name in self._within(list(self._new), until):
            self._check_new(folder, name, now)
        for name in [name for name, since in self._new.items() if now - since >= PATIENCE]:
            self._count(name, DeadLetterReason.UNREAD)
            if name not in self._doubtful:
                self._unchecked.append(name)
        until = time.perf_counter() + _FOR_OLD
        for name in self._within(list(self._doubtful), until):
            self._check_doubtful(folder, name, now)
        for name in list(islice(self._flawed, _RECHECKED)):
            self._check_flawed(folder, name, now)
        while self._unchecked and time.perf_counter() < until:
            name = self._unchecked.popleft()
            if name in self._listing.files:
                self._note(name, self._examine(folder, name), now)

    def clear(self) -> None:
        """Drop the files that were there at the start and not looked into."""
        self._unchecked.clear()

    @staticmethod
    def _within(names: Iterable[str], until: float) -> Iterable[str]:
        for name in names:
            yield name
            if time.perf_counter() >= until:
                return

    def _check_new(self, folder: int, name: str, now: float) -> None:
        doubt = self._doubtful.get(name)
        if doubt is not None and self._mark(folder, name) == doubt.mark:
            return
        finding = self._examine(folder, name)
        self._note(name, finding, now)
        if finding.flaw in STRANGERS:
            self._new.pop(name, None)
        elif finding.flaw is not Flaw.MALFORMED:
            self._count(name, finding.reason)

    def _check_doubtful(self, folder: int, name: str, now: float) -> None:
        """Read again what changed; what does not change any more is malformed."""
        doubt = self._doubtful[name]
        mark = self._mark(folder, name)
        if mark is None or mark != doubt.mark:
            self._note(name, self._examine(folder, name), now)
        elif now - doubt.since >= SETTLED:
            del self._doubtful[name]
            self._blame(name, FileFinding(DeadLetterReason.UNREAD, Flaw.MALFORMED, mark))

    def _check_flawed(self, folder: int, name: str, now: float) -> None:
        """See whether a flaw is gone; each comes to its turn, the one looked at going last."""
        finding = self._flawed.pop(name)
        self._flawed[name] = finding
        if finding.flaw in (Flaw.MALFORMED, Flaw.TOO_LARGE) and self._mark(folder, name) == finding.mark:
            return
        again = self._examine(folder, name)
        if again.flaw is not finding.flaw or again.mark != finding.mark:
            self._note(name, again, now)

    def _note(self, name: str, finding: FileFinding, now: float) -> None:
        """Record what was found of a file."""
        flaw = finding.flaw
        if flaw is Flaw.MALFORMED:
            self._doubt(name, finding.mark, now)
        elif flaw is Flaw.VANISHED:
            self._forget(name)
            self._listing.drop(name)
        elif flaw is not None and flaw in STRANGERS:
            self._new.pop(name, None)
            self._forget(name)
            self._listing.estrange(name, flaw)
        else:
            self._doubtful.pop(name, None)
            self._absolve(name)
            if flaw is not None:
                self._blame(name, finding)

    def _doubt(self, name: str, mark: Mark | None, now: float) -> None:
        self._absolve(name)
        if name in self._listing.files:
            self._doubtful[name] = _Doubt(mark, now)

    def _count(self, name: str, reason: DeadLetterReason) -> None:
        if self._new.pop(name, None) is not None:
            self.added[reason] += 1

    def _forget(self, name: str) -> None:
        """Record that a file is gone; one that was not read yet was a dead letter all the same."""
        self._count(name, DeadLetterReason.UNREAD)
        self._doubtful.pop(name, None)
        self._absolve(name)

    def _blame(self, name: str, finding: FileFinding) -> None:
        self._absolve(name)
        self._flawed[name] = finding
        if finding.flaw is not None:
            self.flaws[finding.flaw] += 1

    def _absolve(self, name: str) -> None:
        finding = self._flawed.pop(name, None)
        if finding is not None and finding.flaw is not None:
            self.flaws[finding.flaw] -= 1

    @staticmethod
    def _mark(folder: int, name: str) -> Mark | None:
        try:
            found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        except OSError as error:
            return None if flaw_of(error) is Flaw.VANISHED else Mark(0, 0, 0)
        return Mark(found.st_ino, found.st_size, found.st_mtime_ns)
