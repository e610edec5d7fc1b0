"""Which files lie in a folder? Kept up to date from the kernel's events, by listing where those do not tell."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from keywatch.probes.dead_letters.files.changes import FolderChanges, LostTrackError
from keywatch.probes.dead_letters.files.file import Flaw

# Listing 100,000 files takes 60 ms of CPU: after that much, the next one is so many times as long away.
_REST = 25
# A change that no event explains, and that a listing confirms, so often means that events are not to be had here.
_MOST_MISSED = 3
# Even where events tell of everything, the folder is listed now and then.
_LIST_EVERY = 60.0
# Another change may get the same time of modification; the coarsest clocks of file systems have 2 s.
_COARSEST = 2.0
_LATEST_MILLIS = 10**14


@dataclass(slots=True)
class News:
    """What is new since the last time: names that came, that were written to again, and that went."""

    came: list[str] = field(default_factory=list)
    written: list[str] = field(default_factory=list)
    went: list[str] = field(default_factory=list)


class FolderListing:
    """The files whose whole names match `pattern`, with their times; what is no regular file is kept apart.

    A file's time is what the pattern's group `millis` says, in milliseconds since 1970, or else when it was modified.
    With more than `most` files they are only counted, so that the memory is bounded.
    """

    def __init__(
        self,
        path: Path,
        pattern: re.Pattern[str],
        *,
        most: int,
        changes: FolderChanges | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.files: dict[str, int] = {}
        """Name → time in milliseconds since 1970; empty while there are too many."""
        self.strangers: dict[str, Flaw] = {}
        """What is named like a file and is none."""
        self.count = 0
        """How many files there are."""
        self.crowded = False
        """Whether there are too many to know each."""
        self.polling = False
        """Whether the kernel's events are known to be incomplete here."""
        self.listings = 0
        """How often the folder was listed."""
        self._path = path
        self._pattern = pattern
        self._timed = "millis" in pattern.groupindex
        self._most = most
        self._changes = changes or FolderChanges()
        self._wall = wall
        self._identity: tuple[int, int] | None = None
        self._modified = -1
        self._suspect = False
        self._missed = 0
        self._rest_until = float("-inf")
        self._list_at = float("-inf")
        self._must = False
        self._span: tuple[int, int] | None = None

    @property
    def span(self) -> tuple[float, float] | None:
        """When the oldest and the newest file were written, in Unix time; None without files."""
        if self._span is None and self.files:
            times = self.files.values()
            self._span = min(times), max(times)
        return (self._span[0] / 1000, self._span[1] / 1000) if self._span is not None else None

    def update(self, folder: int, now: float) -> News:
        """Record what changed in the folder with this descriptor; `now` is monotonic. Raises `OSError`."""
        news = News()
        found = os.fstat(folder)
        identity = (found.st_dev, found.st_ino)
        if identity != self._identity:  # seen for the first time, or another one in its place
            self._identity, self.polling, self._missed = identity, False, 0
            self._changes.watch(self._path)
            self._must, self._rest_until = True, now
        explained = self._hear(folder, news)
        if self._wants_list(folder, now, explained=explained) and now >= self._rest_until:
            self._list(folder, now, news)
        return news

    def lose(self) -> News:
        """Record that the folder is not there."""
        news = News(went=list(self.files))
        self._changes.close()
        self._identity, self.crowded, self.count, self._span = None, False, 0, None
        self.files.clear()
        self.strangers.clear()
        return news

    def drop(self, name: str) -> None:
        """Record that a file is not there any more."""
        self.strangers.pop(name, None)
        millis = self.files.pop(name, None)
        if millis is not None:
            self.count -= 1
            if self._span is not None and millis in self._span:
                self._span = None

    def estrange(self, name: str, flaw: Flaw) -> None:
        """Record that what goes by this name is no file."""
        self.drop(name)
        self.strangers[name] = flaw

    def close(self) -> None:
        """Watch no more."""
        self._changes.close()

    def _hear(self, folder: int, news: News) -> bool:
        """Record the kernel's events; returns whether there were any."""
        heard = False
        try:
            for name, came in self._changes.drain():
                heard = True
                match = None if self.crowded else self._pattern.fullmatch(name)
                if match is None:
                    continue
                if not came:
                    self.drop(name)
                    news.went.append(name)
                elif name in self.files:
                    news.written.append(name)
                else:
                    self.strangers.pop(name, None)
                    self._add(folder, name, match)
                    news.came.append(name)
        except LostTrackError:
            self._changes.watch(self._path)
            self._must = True
        self._must = self._must or (heard and self.crowded)
        return heard

    def _wants_list(self, folder: int, now: float, *, explained: bool) -> bool:
        modified = os.fstat(folder).st_mtime_ns  # after the events, so that it is not ahead of them
        moved = modified != self._modified
        if self._changes.watching and not self.polling:
            # The event may be a moment later than the time that it changes: it has until the next look.
            certain = moved and self._suspect and not explained
            self._suspect = moved and not explained
            if not self._suspect:
                self._modified = modified
                self._missed = 0 if explained else self._missed
            return self._must or certain or now >= self._list_at
        self._suspect = False
        return self._must or moved or self._wall() - modified / 1e9 < _COARSEST or now >= self._list_at

    def _list(self, folder: int, now: float, news: News) -> None:
        started = time.thread_time()
        modified = os.fstat(folder).st_mtime_ns
        came, seen, strangers, total = self._read(folder)
        if total > self._most or self.crowded:
            self._count_only(folder, total, [*came, *seen], news)
        else:
            for name in self.files.keys() - seen:
                self.drop(name)
                news.went.append(name)
            for name, match in came.items():
                self._add(folder, name, match)
            news.came += came
        if self._suspect and (news.came or news.went):
            self._missed += 1
            self.polling = self._missed >= _MOST_MISSED
        self.strangers = strangers
        self._modified, self._suspect, self._must = modified, False, False
        self.listings += 1
        self._rest_until = now + (time.thread_time() - started) * _REST
        self._list_at = now + _LIST_EVERY

    def _read(self, folder: int) -> tuple[dict[str, re.Match[str]], set[str], dict[str, Flaw], int]:
        """List the folder: names that are new, names that are known, what is no file, and how many files."""
        came: dict[str, re.Match[str]] = {}
        seen: set[str] = set()
        strangers: dict[str, Flaw] = {}
        total = 0
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if name in self.files:
                    total += 1
                    seen.add(name)
                    continue
                match = self._pattern.fullmatch(name)
                if match is None:
                    continue
                if not entry.is_file(follow_symlinks=False):
                    strangers[name] = Flaw.SYMLINK if entry.is_symlink() else Flaw.SPECIAL
                    continue
                total += 1
                if total <= self._most:
                    came[name] = match
        return came, seen, strangers, total

    def _count_only(self, folder: int, total: int, names: list[str], news: News) -> None:
        """Know no names while there are too many; when there are few again, they are all known and none is news."""
        news.went += self.files
        self.crowded = total > self._most
        self.files.clear()
        self._span = None
        if not self.crowded:
            for name in names:
                match = self._pattern.fullmatch(name)
                if match is not None:
                    self._add(folder, name, match)
        self.count = total

    def _add(self, folder: int, name: str, match: re.Match[str]) -> None:
        millis = self._millis(folder, name, match)
        self.files[name] = millis
        self.count += 1
        if self._span is not None:
            self._span = min(self._span[0], millis), max(self._span[1], millis)

    def _millis(self, folder: int, name: str, match: re.Match[str]) -> int:
        said = match["millis"] if self._timed else None
        if said and said.isascii() and said.isdigit() and len(said) < 16 and 0 < int(said) < _LATEST_MILLIS:
            return int(said)
        try:
            return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mtime_ns // 1_000_000
        except OSError:
            return int(self._wall() * 1000)
