"""A TCP proxy in front of a broker that can delay, stop forwarding, or refuse, on an event loop of its own thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Protocol, Self

_CHUNK = 65536
_ENDS_WITHIN = 1.0
_API_VERSIONS = (18).to_bytes(2)


class Watch(Protocol):
    """Is shown what crosses a connection."""

    def __call__(self, data: bytes, *, answers: bool) -> None:
        """Look at some bytes of the broker's answers, or of what it was asked."""


class Proxy:
    """Listens on `host:port` and forwards to `target`; `delay` in seconds is added to each chunk of the answers.

    `late` are the monotonic times at which an answer to ApiVersions, by which keywatch asks whether a broker lives, was
    later than that by more than `tolerance` seconds, because the machine was busy.
    """

    def __init__(self, host: str, port: int, target: tuple[str, int]) -> None:
        self.host = host
        self.port = port
        self.delay = 0.0
        self.tolerance = 0.05
        self.late: list[float] = []
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()

    def open(self) -> None:
        """Listen, again after `refuse`."""
        self._run(self._open())

    def refuse(self) -> None:
        """Close the listener and every connection: what is left is a refused port."""
        self._run(self._close())

    def hold(self) -> None:
        """Stop forwarding; connections stay open and new ones are accepted."""
        self._loop.call_soon_threadsafe(self._flowing.clear)

    def flow(self) -> None:
        """Forward again."""
        self._loop.call_soon_threadsafe(self._flowing.set)

    def lead_to(self, target: tuple[str, int]) -> None:
        """Lead to another server from now on; connections to the former one are cut."""
        self.refuse()
        self._target = target
        self.open()

    def __enter__(self) -> Self:
        self._thread.start()
        self.open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.refuse()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(5)
        self._loop.close()

    def _watch(self) -> Watch:
        """Return what is shown all that crosses one connection."""
        return lambda data, *, answers: None  # noqa: ARG005 - nobody looks

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _open(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, self.host, self.port)

    async def _close(self) -> None:
        if self._server is not None:
            for listener in self._server.sockets:
                self._loop.remove_reader(listener.fileno())
        # Who was accepted and not handed over yet is known to nobody but the loop, which loses him with the server: he
        # becomes a connection first, and is cut as one.
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in self._tasks:
                task.cancel()
            await asyncio.wait(others, timeout=_ENDS_WITHIN)
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._writers:  # those whose task was cancelled before it began, too
            writer.transport.abort()
        self._writers.clear()
        await asyncio.sleep(0)  # what is aborted is closed by the loop

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve a connection by a task that is known from its first moment on."""
        self._writers.add(writer)
        task = self._loop.create_task(self._serve(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.CancelledError):
            back_reader, back_writer = await asyncio.open_connection(*self._target)
            watch = self._watch()
            try:
                async with asyncio.TaskGroup() as both:
                    pings: list[float] = []
                    both.create_task(self._forward(reader, back_writer, watch, pings, answers=False))
                    both.create_task(self._forward(back_reader, writer, watch, pings, answers=True))
            except* OSError:
                pass
            finally:
                back_writer.transport.abort()
        writer.transport.abort()
        self._writers.discard(writer)

    async def _forward(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        watch: Watch,
        pings: list[float],
        *,
        answers: bool,
    ) -> None:
        """Forward one direction; `pings` are when it was asked whether the broker lives and did not answer yet."""
        while data := await reader.read(_CHUNK):
            watch(data, answers=answers)
            if not answers and data[4:6] == _API_VERSIONS:
                pings.append(self._loop.time())
            await self._flowing.wait()
            if answers and self.delay:
                await asyncio.sleep(self.delay)
            writer.write(data)
            await writer.drain()
            if answers and pings and self._loop.time() - pings.pop(0) - self.delay > self.tolerance:
                self.late.append(time.monotonic())
        writer.transport.abort()
