"""Reads one file of a dead-letter folder: bounded, following nothing, waiting for nothing; names what is wrong."""

from __future__ import annotations

import errno
import json
import os
import stat
from enum import StrEnum
from typing import NamedTuple

from keywatch.probes.dead_letters.letter import DeadLetterReason, Sources

# An event with its representation is at most what Kafka takes, 1 MB; escaped in its envelope it may be twice that.
MOST_READ = 4 << 20
_CHUNK = 1 << 18
# O_NOFOLLOW and O_NONBLOCK for what takes the file's place between the look at it and the opening.
_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_GONE = frozenset({errno.ENOENT, errno.ESTALE})
_DENIED = frozenset({errno.EACCES, errno.EPERM})


class Flaw(StrEnum):
    """Why a file cannot be read as a dead letter: values of the label `reason` of what is unreadable."""

    MALFORMED = "malformed"
    DENIED = "denied"
    TOO_LARGE = "too_large"
    SYMLINK = "symlink"
    SPECIAL = "special"
    IO = "io"
    VANISHED = "vanished"


STRANGERS = frozenset({Flaw.SYMLINK, Flaw.SPECIAL})
"""What stands in a dead letter's place and is none."""


class Mark(NamedTuple):
    """What changes when a file changes: its number, size in bytes, and time of modification in nanoseconds."""

    inode: int
    size: int
    modified: int


class FileFinding(NamedTuple):
    """What was found: why it died, or the flaw that keeps it from being read."""

    reason: DeadLetterReason
    flaw: Flaw | None = None
    mark: Mark | None = None


def kind(mode: int) -> Flaw | None:
    """Tell by its mode what is no file."""
    if stat.S_ISREG(mode):
        return None
    return Flaw.SYMLINK if stat.S_ISLNK(mode) else Flaw.SPECIAL


def flaw_of(error: OSError) -> Flaw:
    """Name what the file system said of a file."""
    if error.errno in _GONE:
        return Flaw.VANISHED
    if error.errno in _DENIED:
        return Flaw.DENIED
    return Flaw.SYMLINK if error.errno == errno.ELOOP else Flaw.IO


def examine(folder: int, name: str, sources: Sources, most: int = MOST_READ) -> FileFinding:
    """Read the file `name` in the folder with this descriptor; never raises for what is wrong with the file.

    What is not a regular file is not opened at all; of one that is larger than `most` bytes nothing is read.
    """
    mark: Mark | None = None
    try:
        found = os.stat(name, dir_fd=folder, follow_symlinks=False)
        mark = Mark(found.st_ino, found.st_size, found.st_mtime_ns)
        flaw = kind(found.st_mode)
        if flaw is None:
            return _read(folder, name, sources, mark, most)
    except OSError as error:
        flaw = flaw_of(error)
    return FileFinding(DeadLetterReason.UNREAD, flaw, mark)


def _read(folder: int, name: str, sources: Sources, mark: Mark, most: int) -> FileFinding:
    if mark.size > most:
        return FileFinding(DeadLetterReason.UNREAD, Flaw.TOO_LARGE, mark)
    descriptor = os.open(name, _FLAGS, dir_fd=folder)
    try:
        flaw = kind(os.fstat(descriptor).st_mode)
        content = b"" if flaw else _content(descriptor, most)
    finally:
        os.close(descriptor)
    if flaw is None and len(content) > most:  # it grew meanwhile
        flaw = Flaw.TOO_LARGE
    if flaw is not None:
        return FileFinding(DeadLetterReason.UNREAD, flaw, mark)
    try:
        return FileFinding(sources.of_envelope(json.loads(content)), None, mark)
    except (ValueError, RecursionError):
        return FileFinding(DeadLetterReason.UNREAD, Flaw.MALFORMED, mark)


def _content(descriptor: int, most: int) -> bytes:
    """Read to the end, or one byte more than `most`."""
    parts: list[bytes] = []
    left = most + 1
    while left > 0 and (part := os.read(descriptor, min(left, _CHUNK))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)
