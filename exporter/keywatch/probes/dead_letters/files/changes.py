"""Tells which names of one folder changed, from the kernel's own events; says so when it cannot know."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import NamedTuple

from inotify_simple import INotify, flags

_CAME = flags.CREATE | flags.MOVED_TO | flags.CLOSE_WRITE
_WENT = flags.DELETE | flags.MOVED_FROM
_ITSELF = flags.DELETE_SELF | flags.MOVE_SELF
# IGNORED comes when the watch is gone for good, with the folder or with its file system.
_OVER = flags.IGNORED | flags.UNMOUNT | flags.Q_OVERFLOW | _ITSELF


class FolderChange(NamedTuple):
    """A name that came, or whose file was written to the end; or one that went."""

    name: str
    came: bool


class LostTrackError(Exception):
    """Events are missing: the folder has to be listed."""


class FolderChanges:
    """The changes of one folder since it was last asked; used by one thread."""

    def __init__(self) -> None:
        self._events: INotify | None = None

    @property
    def watching(self) -> bool:
        """Whether the kernel tells of changes."""
        return self._events is not None

    def watch(self, folder: os.PathLike[str] | str) -> bool:
        """Watch from now on; false where the kernel has no watch left or the system knows none."""
        self.close()
        try:
            self._events = INotify(nonblocking=True)
            self._events.add_watch(folder, _CAME | _WENT | _ITSELF | flags.ONLYDIR | flags.EXCL_UNLINK)
        except (OSError, AttributeError):  # no instance, no watch, no right; not Linux
            self.close()
        return self.watching

    def drain(self) -> Iterator[FolderChange]:
        """Return what changed, in order, without waiting; raises `LostTrackError` when some of it is not known."""
        if self._events is None:
            return
        try:
            events = self._events.read(timeout=0)
        except OSError as error:
            raise LostTrackError from error
        for event in events:
            if event.mask & _OVER:
                raise LostTrackError
            if event.mask & (_CAME | _WENT):
                yield FolderChange(event.name, bool(event.mask & _CAME))

    def close(self) -> None:
        """Watch no more."""
        if self._events is not None:
            with contextlib.suppress(OSError):
                self._events.close()
            self._events = None
