"""Has files looked at on a thread: a file system that does not answer costs those who depend on it a moment, once."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable
from typing import Final

from keywatch.engine import supervised
from keywatch.engine.supervised import Part
from keywatch.engine.worker import Worker

_EVERY: Final = 0.1
_PATIENCE: Final = 0.1


class Looking:
    """One owner's files, looked at by `look`, which may block, at most once each `every` seconds and when asked for."""

    def __init__(self, name: str, look: Callable[[], None], every: float = _EVERY) -> None:
        self._name = name
        self._look = look
        self._every = every
        self._began = float("-inf")
        self._task: asyncio.Task[None] | None = None
        self._worker = Worker(name)
        weakref.finalize(self, self._worker.end)

    def begin(self) -> None:
        """Have them looked at if that is due, and wait for nothing; needs a running event loop."""
        now = time.monotonic()
        if (self._task is None or self._task.done()) and now - self._began >= self._every:
            self._began = now
            self._task = supervised.task(Part.LOOKING, self._worker.call(self._look), self._name)

    async def fresh(self) -> None:
        """Have them looked at if that is due, and wait until it is done.

        When it takes longer than a tenth of a second, what was seen before has to do, and nobody waits again.
        """
        self.begin()
        left = self._began + _PATIENCE - time.monotonic()
        if self._task is not None and not self._task.done() and left > 0:
            await asyncio.wait([self._task], timeout=left)
