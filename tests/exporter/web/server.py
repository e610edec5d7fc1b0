"""keywatch's own port inside the test, with nothing behind it that is watched, and a client that sees every byte."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import bcrypt

from keywatch.engine.store import Store
from keywatch.metrics import exporter as exporter_metrics
from keywatch.service.config_file import from_data
from keywatch.service.own_metrics import OwnMetrics
from keywatch.service.watch import Watch
from keywatch.web import pages
from keywatch.web.limits import Limits
from keywatch.web.port import Port
from tests.kafka.certificates import Certificate

_DEADLINE = 10.0


@dataclass(frozen=True)
class Answer:
    """What came back: status 0 when the connection ended without an answer."""

    status: int
    headers: Mapping[str, str]
    """By name in small letters."""
    body: bytes


@dataclass(frozen=True)
class Served:
    """A running port."""

    port: Port
    store: Store
    limits: Limits

    @property
    def number(self) -> int:
        """Where it listens on the loopback."""
        return self.port.number

    async def ask(
        self,
        path: str = "/-/healthy",
        *,
        user: tuple[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        headers: Mapping[str, str] | None = None,
        method: str = "GET",
    ) -> Answer:
        """Ask once on a connection of its own. Raises `ssl.SSLError` for a refused handshake."""
        async with self.connection(tls) as (reader, writer):
            writer.write(request(path, user=user, headers={"Connection": "close", **(headers or {})}, method=method))
            return await answer(reader, bodiless=method == "HEAD")

    @contextlib.asynccontextmanager
    async def connection(
        self, tls: ssl.SSLContext | None = None
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """Open a connection and end it when the block is left."""
        name = "localhost" if tls else None
        reader, writer = await asyncio.open_connection("127.0.0.1", self.number, ssl=tls, server_hostname=name)
        try:
            yield reader, writer
        finally:
            writer.transport.abort()

    def refused(self, reason: str) -> float:
        """Return how often the port refused for a reason."""
        return self.store.counters[exporter_metrics.WEB_REFUSED_TOTAL][(reason,)]


@contextlib.asynccontextmanager
async def served(web_file: Path | None = None, limits: Limits | None = None) -> AsyncIterator[Served]:
    """Serve on a free port of the loopback."""
    own = {"config_file": str(web_file)} if web_file else {}
    watch = Watch(from_data({"clusters": [{"bootstrap": ["127.0.0.1:1"]}], "web": own}, "test"))
    itself = OwnMetrics(watch.store)
    limits = limits or Limits()
    port = pages.port(watch, itself, limits)
    await port.open("127.0.0.1", 0)
    beat = asyncio.create_task(itself.watch_loop())
    try:
        yield Served(port, watch.store, limits)
    finally:
        beat.cancel()
        await port.close()
        await watch.stop()


def request(
    path: str,
    *,
    user: tuple[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
    method: str = "GET",
) -> bytes:
    """Write a request."""
    given = {name.lower() for name in headers or {}}
    lines = [f"{method} {path} HTTP/1.1", *(["Host: localhost"] if "host" not in given else [])]
    if user is not None:
        lines.append(f"Authorization: {basic(*user)}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode()


def basic(name: str, password: str) -> str:
    """Write the value of the header `Authorization`."""
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


async def answer(reader: asyncio.StreamReader, *, bodiless: bool = False) -> Answer:
    """Read an answer with a Content-Length, or to the connection's end."""
    try:
        async with asyncio.timeout(_DEADLINE):
            head = await reader.readuntil(b"\r\n\r\n")
            status, *rest = head.decode("latin-1").rstrip().split("\r\n")
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in rest)}
            size = "0" if bodiless else headers.get("content-length")
            body = await (reader.read() if size is None else reader.readexactly(int(size)))
            return Answer(int(status.split(" ")[1]), headers, body)
    except (asyncio.IncompleteReadError, ConnectionError):
        return Answer(0, {}, b"")


async def ended(reader: asyncio.StreamReader) -> bool:
    """Return whether the other end is gone; takes what came before."""
    try:
        async with asyncio.timeout(_DEADLINE):
            while await reader.read(65536):
                pass
    except ConnectionError:
        return True
    return True


def hashed(password: str) -> str:
    """Hash a password as cheaply as bcrypt can."""
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


def trusting(authority: Path, own: Certificate | None = None) -> ssl.SSLContext:
    """Make a client's context that trusts an authority and shows its own certificate, if any."""
    context = ssl.create_default_context(cafile=authority)
    if own is not None:
        context.load_cert_chain(own.certificate, own.key)
    return context


async def eventually(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Ask until the condition holds; raises `TimeoutError`. Changed files are in force after a moment."""
    end = asyncio.get_running_loop().time() + _DEADLINE
    while asyncio.get_running_loop().time() < end:
        if await condition():
            return
        await asyncio.sleep(0.01)
    raise TimeoutError(f"{what}: not within {_DEADLINE:g} s")


async def settled(
    served: Served, status: int, *, user: tuple[str, str] | None = None, tls: ssl.SSLContext | None = None
) -> None:
    """Ask until the answer has a status."""

    async def look() -> bool:
        return (await served.ask(user=user, tls=tls)).status == status

    await eventually(look, f"status {status}")
