"""An HTTP server of a few lines that answers with exactly the bytes it is told, or not at all."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field


@dataclass
class HttpServer:
    """Answers each path with its bytes, after `delay` seconds; a path that is missing: 404.

    None: not until `thaw` is set, and then with the bytes that stand there by then, or never.
    """

    pages: dict[str, bytes | None]
    delay: float = 0.0
    number: int = 0
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    connections: int = 0
    thaw: asyncio.Event = field(default_factory=asyncio.Event)
    sent: int = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.number}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one connection's requests."""
        self.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            while True:
                first = await reader.readexactly(1)
                if first == b"\x16":  # TLS, which this is not
                    writer.write(reply("", "400 Bad Request"))
                    return
                head = (first + await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                path = head[0].split(" ")[1]
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
                self.asked.append((path, headers))
                await asyncio.sleep(self.delay)
                page = self.pages.get(path, reply(b"not here", "404 Not Found"))
                if page is None:
                    await self.thaw.wait()
                    page = self.pages.get(path)
                if page is None:
                    return
                writer.write(page)
                await writer.drain()
                if b"Content-Length" not in page or headers.get("connection") == "close" or b"half" in page:
                    return
        writer.close()


def reply(body: bytes | str, status: str = "200 OK", kind: str = "application/json", more: str = "") -> bytes:
    """Write an answer."""
    data = body.encode() if isinstance(body, str) else body
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(data)}\r\n{more}\r\n".encode() + data


@contextlib.asynccontextmanager
async def serving(pages: dict[str, bytes | None], tls: ssl.SSLContext | None = None) -> AsyncIterator[HttpServer]:
    """Serve on a free port of the loopback."""
    made = HttpServer(pages)
    tasks: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await made.serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    made.number = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
