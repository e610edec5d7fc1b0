"""Hands log lines to a thread that writes them: whoever reads the log, or does not, holds up nothing else."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import time
from queue import SimpleQueue
from threading import Thread
from typing import IO, Final

from keywatch.engine import supervised
from keywatch.engine.supervised import Part

_MOST_LINES: Final = 10_000
_MOST_BYTES: Final = 16 * 1024 * 1024
_LONGEST_LINE: Final = 256 * 1024
_LAST_LINES_WITHIN: Final = 1.0
_CUT: Final = b" [cut]"


class LogWriter(logging.Handler):
    """Formats a record where it is logged, at once, and never waits; lines that find no room are counted."""

    def __init__(self, stream: IO[str], most_lines: int = _MOST_LINES, most_bytes: int = _MOST_BYTES) -> None:
        super().__init__()
        self.stream = stream
        self._descriptor: int | None = None
        with contextlib.suppress(OSError, ValueError, AttributeError):
            self._descriptor = stream.fileno()
        self._most = most_lines, most_bytes
        self._lines: SimpleQueue[bytes] = SimpleQueue()
        # Each of these is written by one side only: the first pair under the handler's lock, the second by the thread.
        self._taken = [0, 0]
        self._done = [0, 0]
        self._refused = self._unwritten = 0
        self._thread = self._begin()

    @property
    def lost(self) -> int:
        """How many lines could not be written since the beginning."""
        return self._refused + self._unwritten

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record over."""
        try:
            line = self.format(record).encode("utf-8", "backslashreplace")
        except Exception:  # noqa: BLE001 - words that do not fit their figures: nobody could be told but by the log
            self._refused += 1
            return
        if len(line) > _LONGEST_LINE:
            line = line[: _LONGEST_LINE - len(_CUT)] + _CUT
        lines, size = (taken - done for taken, done in zip(self._taken, self._done, strict=True))
        if lines >= self._most[0] or size + len(line) > self._most[1]:
            self._refused += 1
            return
        if not self._thread.is_alive():
            self._thread = self._begin()
        self._taken[0] += 1
        self._taken[1] += len(line)
        self._lines.put(line)

    def flush(self) -> None:
        """Wait until all is written, for a second at most: called at the end."""
        until = time.monotonic() + _LAST_LINES_WITHIN
        while self._done[0] < self._taken[0] and self._thread.is_alive() and time.monotonic() < until:
            time.sleep(0.005)

    def _begin(self) -> Thread:
        return supervised.thread(Part.LOG, "log", self._write_all)

    def _write_all(self) -> None:
        while True:
            line = self._lines.get()
            try:
                self._write(line + b"\n")
            except (OSError, ValueError):  # closed, a full disk, a reader that went
                self._unwritten += 1
            finally:
                self._done[0] += 1
                self._done[1] += len(line)

    def _write(self, line: bytes) -> None:
        if self._descriptor is None:  # such as a test's
            self.stream.write(line.decode())
            self.stream.flush()
            return
        left = memoryview(line)
        while left:
            try:
                left = left[os.write(self._descriptor, left) :]
            except BlockingIOError:  # somebody who shares it made it so
                select.select([], [self._descriptor], [], 1.0)
