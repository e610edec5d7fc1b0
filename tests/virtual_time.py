"""An event loop on a clock of its own: where nothing is left to do it goes to the next moment at which something is."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

_T = TypeVar("_T")


class VirtualTime(asyncio.SelectorEventLoop):
    """Waits for nothing but what others do on threads or sockets while no timer is set."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def time(self) -> float:
        """Return the moment that it is, in seconds."""
        return self.now

    def _run_once(self) -> None:
        timers = [timer.when() for timer in self._scheduled if not timer.cancelled()]  # type: ignore[attr-defined]
        if timers and not self._ready:  # type: ignore[attr-defined] # both are of asyncio's own loop
            self.now = max(self.now, min(timers))
        super()._run_once()  # type: ignore[misc] # as above


def in_virtual_time(work: Coroutine[Any, Any, _T]) -> tuple[_T, float]:
    """Do the work; returns what it gives, and how many seconds it took."""
    with asyncio.Runner(loop_factory=VirtualTime) as runner:
        loop = runner.get_loop()
        begun = loop.time()
        found = runner.run(work)
        return found, loop.time() - begun
