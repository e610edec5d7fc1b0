"""A broker on asyncio that speaks just enough of Kafka, or anything else, to misbehave in every way."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from keywatch.config.endpoint import Endpoint

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

# ApiVersions v0: no error; Metadata 0 to 8, ApiVersions 0 to 3, SaslHandshake 0 to 1, SaslAuthenticate 0 to 1.
VERSIONS = bytes.fromhex("0000 00000004 0003 0000 0008 0012 0000 0003 0011 0000 0001 0024 0000 0001".replace(" ", ""))


@dataclass
class FakeBroker:
    """Answers ApiVersions after `delay` seconds, and other requests by `answers`; counts connections and requests."""

    delay: float = 0.0
    busy: float = 0.0
    """Seconds for which, after each answer, nobody on this event loop gets to do anything."""
    drop_new: bool = False
    """Whether new connections are accepted and then left without an answer."""
    close_new: bool = False
    """Whether new connections are closed at once."""
    answers: dict[int, Callable[[bytes], bytes]] = field(default_factory=dict)
    versions: bytes = b""
    """The answer to ApiVersions v0, if it is to be another one."""
    connections: int = 0
    requests: list[int] = field(default_factory=list)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.connections += 1
        if self.close_new:
            writer.close()
            return
        if self.drop_new:
            await asyncio.Event().wait()
        while True:
            size = int.from_bytes(await reader.readexactly(4), "big")
            request = await reader.readexactly(size)
            key = int.from_bytes(request[:2], "big")
            self.requests.append(key)
            if self.delay:
                await asyncio.sleep(self.delay)
            skip = 8 + 2 + int.from_bytes(request[8:10], "big")  # the header: key, version, correlation, client id
            body = self.answers[key](request[skip:]) if key in self.answers else self.versions or _versions(request)
            writer.write((len(body) + 4).to_bytes(4, "big") + request[4:8] + body)
            time.sleep(self.busy)  # noqa: ASYNC251 - that is what is asked for


def _versions(request: bytes) -> bytes:
    """Answer ApiVersions, which ends with the throttle time from version 1 on."""
    assert int.from_bytes(request[:2], "big") == 18
    return VERSIONS + (bytes(4) if int.from_bytes(request[2:4], "big") else b"")


@contextlib.asynccontextmanager
async def listening(
    serve: Serve, *, host: str = "127.0.0.1", context: ssl.SSLContext | None = None
) -> AsyncIterator[Endpoint]:
    """Serve each connection with `serve` on a free port; every one is closed at the end."""
    tasks: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            with contextlib.suppress(EOFError, OSError, asyncio.CancelledError):
                await serve(reader, writer)
        finally:
            tasks.discard(task)
            writer.transport.abort()

    server = await asyncio.start_server(one, host, 0, ssl=context)
    try:
        yield Endpoint(host, server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def says(data: bytes, *, then_wait: bool = False) -> Serve:
    """Answer the first request, whatever it is, with these bytes; then close, or stay silent."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(data)
        await writer.drain()
        if then_wait:
            await asyncio.Event().wait()
        writer.close()
        await writer.wait_closed()

    return serve


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accept and never answer."""
    del reader, writer
    await asyncio.Event().wait()


async def closing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Close as soon as something was asked."""
    await reader.read(1000)
    writer.close()
