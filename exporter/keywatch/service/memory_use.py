"""Keeps the process small and its garbage collector short: both grow with the cluster that is watched."""

from __future__ import annotations

import contextlib
import ctypes
import gc

# glibc's mallopt.h. Without these, the buffers of large replies and scrapes stay with the process for ever, and each
# of librdkafka's threads has a heap of its own.
_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
_SETTINGS = ((_TRIM_THRESHOLD, 128 * 1024), (_MMAP_THRESHOLD, 256 * 1024), (_ARENA_MAX, 2))


def be_frugal() -> None:
    """Have the C library give memory back; does nothing where the library is not glibc."""
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        for setting, value in _SETTINGS:
            library.mallopt(setting, value)


def give_back() -> None:
    """Have the C library give back what lies free between what is in use; takes about 2 ms.

    Each burst of changes of a large cluster leaves 20 MB of such gaps, which it never gives back by itself.
    """
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def settle() -> None:
    """Have the garbage collector leave alone what is there now, which stays: a large cluster's state for the most part.

    A full collection of it holds the event loop for 20 to 40 ms at 10,000 partitions.
    """
    gc.collect()
    gc.freeze()
