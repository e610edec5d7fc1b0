"""Reads the files that a configuration names: regular ones, as much as is bearable, and never waiting for a writer."""

from __future__ import annotations

import os
import stat
import weakref
from pathlib import Path
from typing import Final

MOST_TEXT: Final = 1024 * 1024
"""Bytes of a configuration."""
MOST_SECRET: Final = 64 * 1024
"""Bytes of a password, a key or a token."""
MOST_CERTIFICATES: Final = 8 * 1024 * 1024
"""Bytes of certificates; all that a system trusts are a quarter of a megabyte."""
_CHUNK = 1024 * 1024
# Without O_NONBLOCK, opening a pipe waits for somebody who writes, and a device may wait for its own reasons.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

Stamp = tuple[int, int, int]
"""What tells one state of a file from another; the inode, because Kubernetes swaps a link."""


class FileError(Exception):
    """A file cannot be used; the text says why, without the file's name and nothing of what it holds."""


def contents(path: Path, most: int) -> bytes:
    """Return what is in a regular file of at most `most` bytes; raises `FileError`."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror}") from error
    except ValueError:  # a NUL in the path
        raise FileError("cannot be read: its path is none") from None
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise FileError("is not a regular file")
        if found.st_size > most:
            raise FileError(f"is larger than {most} bytes")
        parts: list[bytes] = []
        left = most + 1  # a file of the kernel's says that it is empty, and one that is written grows
        while left and (part := os.read(descriptor, min(left, _CHUNK))):
            parts.append(part)
            left -= len(part)
        if not left:
            raise FileError(f"is larger than {most} bytes")
        return b"".join(parts)
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror}") from error
    finally:
        os.close(descriptor)


def stamp_of(path: Path) -> Stamp | None:
    """Return what changes when a file changes; None while it is not there."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class HeldFile:
    """What was read, as a file in memory for libraries that take a path: the same however often it is opened."""

    def __init__(self, data: bytes, name: str) -> None:
        """Hold it until nobody has this object any more; `name` is for whoever lists the process's descriptors."""
        descriptor = os.memfd_create(f"keywatch-{name}")
        weakref.finalize(self, os.close, descriptor)
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
        self.path = f"/proc/self/fd/{descriptor}"
