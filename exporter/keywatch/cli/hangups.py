"""SIGHUP asks for a reload: one that comes before anything can be read anew is kept, in place of ending the process."""

from __future__ import annotations

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # this is loaded first of all, and asyncio takes a while
    import asyncio


class Hangups:
    """Takes the signal from the very beginning, and hands it on once there is somebody who reloads."""

    def __init__(self) -> None:
        self._held = False

    def hold(self) -> None:
        """Keep what comes from now on."""
        signal.signal(signal.SIGHUP, self._keep)

    def lead_to(self, loop: asyncio.AbstractEventLoop, reload: Callable[[], None]) -> None:
        """Have each signal call `reload` on the loop, at once when one was kept."""
        loop.add_signal_handler(signal.SIGHUP, reload)
        if self._held:
            self._held = False
            loop.call_soon(reload)

    def ignore(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let it mean nothing any more, because the end has begun."""
        loop.remove_signal_handler(signal.SIGHUP)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _keep(self, _: int, __: object) -> None:
        self._held = True


HANGUPS = Hangups()
"""The process has one such signal."""
