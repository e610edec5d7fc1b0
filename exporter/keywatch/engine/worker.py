"""Runs blocking calls of a C library on a thread of its own, which may hang without holding up anything else."""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from keywatch.engine import supervised
from keywatch.engine.probe import ProbeError, Reason
from keywatch.engine.supervised import Part

_T = TypeVar("_T")


class Worker:
    """One daemon thread for calls that must not overlap.

    A thread of `concurrent.futures` would be waited for when the process ends, and a call that never returns would
    keep keywatch from ending. Nobody else's calls run on it, so that none waits behind what hangs elsewhere.
    """

    def __init__(self, name: str, *, queued: bool = False) -> None:
        """Make it; with `queued`, calls wait for the one before in place of being refused. The caller bounds them."""
        self._name = name
        self._queued = queued
        self._calls: queue.SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._busy: Future[Any] | None = None

    async def call(self, function: Callable[[], _T]) -> _T:
        """Run `function` on the thread and give its result.

        Raises `ProbeError` with the reason `stuck` when the call before has still not come back, so that calls do
        not pile up behind one that hangs.
        """
        if not self._queued and self._busy is not None and not self._busy.done():
            raise ProbeError(Reason.STUCK, f"{self._name}: the call before has still not come back")
        if self._thread is None or not self._thread.is_alive():
            self._thread = supervised.thread(Part.WORKER, self._name, self._work)
        future: Future[_T] = Future()
        self._busy = future
        self._calls.put((future, function))
        # Shielded: giving up waiting must not mark the call as done while it still holds the thread.
        return await asyncio.shield(asyncio.wrap_future(future))

    def end(self, last: Callable[[], None] | None = None) -> None:
        """Let the thread end after the call it is in, and after `last`, which lets go of things; does not wait."""
        if last is not None:
            future: Future[None] = Future()
            future.add_done_callback(self._ended)
            self._calls.put((future, last))
        self._calls.put(None)

    def _work(self) -> None:
        while (item := self._calls.get()) is not None:
            _carry_out(*item)
            del item  # or it would hold what the last call was about until the next one

    def _ended(self, future: Future[None]) -> None:
        error = None if future.cancelled() else future.exception()
        if error is not None:
            supervised.defect(Part.WORKER, error, self._name)


def _carry_out(future: Future[Any], function: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return  # nobody waits for it any more
    try:
        result = function()
    except BaseException as error:  # noqa: BLE001 - handed to whoever awaits the call, not swallowed
        future.set_exception(error)
    else:
        future.set_result(result)
