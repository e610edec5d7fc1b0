"""Runs blocking calls on daemon threads, so many of one purpose at a time, so that none waits behind another's."""

from __future__ import annotations

import asyncio
import contextlib
import errno
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TypeVar

from keywatch.engine import supervised
from keywatch.engine.supervised import Part

_T = TypeVar("_T")
# A thread that has nothing to do for so long ends: making one takes longer than what it is made for.
_IDLE_SECONDS = 10.0


class Threads:
    """The calls of one purpose: at most `most` under way at a time, the others wait for their turn.

    A call that nobody waits for any more keeps its place until it comes back, so that hanging ones do not pile up. The
    threads are daemons: one that hangs does not keep keywatch from ending, and no other purpose needs it.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._loop: asyncio.AbstractEventLoop | None = None
        self._places = asyncio.Semaphore(most)

    async def call(self, function: Callable[[], _T]) -> _T:
        """Run `function` on a thread and give its result; raises what it raises, or `OSError` without a thread."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:  # calls that hang since another loop was closed come back to nobody
            self._loop, self._places = loop, asyncio.Semaphore(self._most)
        places = self._places
        await places.acquire()
        coming: asyncio.Future[_T] = loop.create_future()

        def deliver(result: _T | None, error: BaseException | None) -> None:
            places.release()
            if coming.done():
                return
            if error is not None:
                coming.set_exception(error)
            else:
                coming.set_result(result)  # type: ignore[arg-type] # without an error it is the function's

        def work() -> None:
            result, error = None, None
            try:
                result = function()
            except BaseException as raised:  # noqa: BLE001 - handed to whoever awaits the call, not swallowed
                error = raised
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know any more
                loop.call_soon_threadsafe(deliver, result, error)

        try:
            _Thread.take().give(work)
        except RuntimeError as none:
            places.release()
            raise OSError(errno.EAGAIN, "no thread can be started") from none
        return await coming


class _Thread:
    """One thread: works, then waits a while for more."""

    _idle: list[_Thread] = []  # noqa: RUF012 - shared by all of the process, and touched by single, atomic operations

    def __init__(self) -> None:
        self._work: SimpleQueue[Callable[[], None]] = SimpleQueue()
        supervised.thread(Part.WORKER, "call", self._serve)

    @classmethod
    def take(cls) -> _Thread:
        """Take one that is idle, or make one; raises `RuntimeError` when the system gives no more."""
        with contextlib.suppress(IndexError):
            return cls._idle.pop()
        return cls()

    def give(self, work: Callable[[], None]) -> None:
        """Have it work, which may not raise."""
        self._work.put(work)

    def _serve(self) -> None:
        while True:
            try:
                work = self._work.get(timeout=_IDLE_SECONDS)
            except Empty:
                with contextlib.suppress(ValueError):  # it was taken in this very moment, and work is coming
                    self._idle.remove(self)
                    return
                continue
            work()
            del work  # with whatever it holds
            self._idle.append(self)
