"""keywatch's own port: takes connections one by one, each under the certificate and the limits of that moment."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

from aiohttp import web
from aiohttp.http import RawRequestMessage
from yarl import URL

from keywatch.engine import supervised
from keywatch.engine.supervised import Part
from keywatch.web.connection import ClientConnection
from keywatch.web.crowd import Crowd
from keywatch.web.guard import Guard
from keywatch.web.in_force import InForce
from keywatch.web.limits import Count, Refusal
from keywatch.web.tls import canonical

_LOG = logging.getLogger(__name__)
Factory = Callable[..., web.BaseRequest]
_BACKLOG = 128
_DEAF_FOR = 0.1
_NO_FILES_LEFT = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_NO_PLACE = (
    b"HTTP/1.1 503 Service Unavailable\r\nServer: keywatch\r\nRetry-After: 1\r\n"
    b"Content-Length: 0\r\nConnection: close\r\n\r\n"
)


class Port:
    """Serves an application. asyncio's own servers keep the TLS context that they began with, so this is not one."""

    def __init__(
        self, application: web.Application, guard: Guard, in_force: InForce, crowd: Crowd, count: Count
    ) -> None:
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.5)
        self._guard = guard
        self._in_force = in_force
        self._crowd = crowd
        self._count = count
        self._sockets: list[socket.socket] = []
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def number(self) -> int:
        """The port's number."""
        return int(self._sockets[0].getsockname()[1])

    @property
    def scheme(self) -> str:
        """What it speaks now."""
        return "http" if self._in_force.now().context is None else "https"

    async def open(self, host: str | None, number: int) -> None:
        """Listen on all addresses of a host (None: all addresses); raises `OSError`."""
        await self._runner.setup()
        server = self._runner.server
        if server is None:
            raise RuntimeError("the runner was set up and has no server")
        server.request_handler = self._guard.around(server.request_handler)
        server.request_factory = _with_url(server.request_factory)
        loop = asyncio.get_running_loop()
        try:
            # Binds and does not listen; the sockets outlive it.
            bound = await loop.create_server(asyncio.Protocol, host, number, start_serving=False)
        except OSError:
            await self._runner.cleanup()
            raise
        self._sockets = [each.dup() for each in bound.sockets]
        bound.close()
        for each in self._sockets:
            each.setblocking(False)
            each.listen(_BACKLOG)
            self._hold(supervised.keep(Part.PORT, partial(self._accept, server, each), again=_DEAF_FOR))

    async def close(self) -> None:
        """Stop listening, let answers under way come to their end for a moment, and end all connections."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for each in self._sockets:
            each.close()
        await self._runner.cleanup()

    def _hold(self, task: asyncio.Task[None]) -> asyncio.Task[None]:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _accept(self, server: web.Server, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, peer = await loop.sock_accept(listener)
            except OSError as error:
                if error.errno in _NO_FILES_LEFT and not self._crowd.make_room():
                    _LOG.error("cannot take a connection: %s", error.strerror)
                    await asyncio.sleep(1.0)
                await asyncio.sleep(0.05)
                continue
            try:
                await self._in_force.fresh()
                self._admit(server, client, canonical(peer[0]))
            except BaseException:
                client.close()
                raise
            await asyncio.sleep(0)  # a connection that waits is accepted without that, and a flood would hold the loop

    def _admit(self, server: web.Server, client: socket.socket, address: str) -> None:
        protection = self._in_force.now()
        tls = protection.config.tls_server_config
        names = tls.client_allowed_sans if tls else None
        allowed = frozenset(map(canonical, names)) if names is not None else None
        connection = ClientConnection(server, self._crowd, self._count, address, allowed)
        if self._crowd.enter(connection):
            work = self._greet(client, connection, protection.context)
            connection.greeting = self._hold(supervised.task(Part.CONNECTION, work))
            return
        self._count(Refusal.CROWDED)
        with client, contextlib.suppress(OSError):
            if protection.context is None:
                client.send(_NO_PLACE)

    async def _greet(self, client: socket.socket, connection: ClientConnection, context: ssl.SSLContext | None) -> None:
        """Set a connection up, with a TLS handshake when there is a context."""
        limits = self._crowd.limits
        seconds = (
            {}
            if context is None
            else {"ssl_handshake_timeout": limits.handshake, "ssl_shutdown_timeout": limits.parting}
        )
        loop = asyncio.get_running_loop()
        try:
            await loop.connect_accepted_socket(lambda: connection, client, ssl=context, **seconds)
        except (OSError, asyncio.CancelledError) as error:  # TLS's own errors and deadlines that are over are OSErrors
            _LOG.debug("%s: no connection: %s", connection.address, error)
            # The error holds its frames, they hold it and TLS's buffers of 256 KiB, until garbage is collected.
            traceback.clear_frames(error.__traceback__)
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            connection.greeting = None
            # Python 3.11 calls it a success when the other end goes during the handshake.
            if not connection.made:
                client.close()
                connection.end(Refusal.TLS_HANDSHAKE)
                connection.connection_lost(None)


def _with_url(make: Factory) -> Factory:
    """Mend aiohttp's reading of `CONNECT` without an authority, which has no URL and would end in a trace."""

    def made(message: RawRequestMessage, *others: Any) -> web.BaseRequest:
        if message.url is None:
            message = message._replace(path="/", url=URL("/"))
        return make(message, *others)

    return made
