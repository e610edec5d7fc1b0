"""Resolves names as the machine does, each beside the others: one whose name server hangs keeps no other waiting."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from aiohappyeyeballs import AddrInfoType
from aiohttp.abc import AbstractResolver, ResolveResult

from keywatch.engine import supervised
from keywatch.engine.supervised import Part
from keywatch.engine.threads import Threads
from keywatch.net.failures import unresolvable

# The names of one cluster that may hang before others of it have to wait, each under way three times at most.
_MOST_LOOKUPS = 256
_MOST_OF_A_NAME = 3
# A question that its name server lost is asked again by the system after five seconds. One asked beside it learns
# earlier that the server is back.
_ASK_BESIDE_AFTER = 1.5


@dataclass(slots=True)
class _Name:
    """One name that is being looked up: the look-ups under way, oldest first, and who waits."""

    under_way: list[asyncio.Task[list[AddrInfoType]]] = field(default_factory=list)
    waiting: set[asyncio.Future[list[AddrInfoType]]] = field(default_factory=set)
    begun: float = 0.0


class Resolver:
    """The look-ups of one owner, such as a cluster; those of another owner never wait for them.

    They are the system's own (`getaddrinfo`): /etc/hosts, search domains and whatever else the machine is set up for
    hold, as for every other program on it. Nothing is kept, so that a name that is gone or leads elsewhere is seen.
    """

    def __init__(self, most: int = _MOST_LOOKUPS, flags: int = 0) -> None:
        self._flags = flags
        self._threads = Threads(most)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._names: dict[str, _Name] = {}

    async def addresses(self, host: str, port: int) -> list[AddrInfoType]:
        """Return where to connect to; raises `OSError` for a name that does not resolve. Cancel it at any time."""
        for family in (socket.AF_INET, socket.AF_INET6):
            with contextlib.suppress(OSError, ValueError):  # not an address of this family
                socket.inet_pton(family, host)
                rest = () if family is socket.AF_INET else (0, 0)
                return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port, *rest))]
        found = await self._look_up(host)
        return [(*rest, (address[0], port, *address[2:])) for *rest, address in found]  # type: ignore[misc] # as before

    async def _look_up(self, host: str) -> list[AddrInfoType]:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._names = loop, {}
        name = self._names.setdefault(host, _Name())
        waits_long = loop.time() - name.begun >= _ASK_BESIDE_AFTER
        if not name.under_way or (waits_long and len(name.under_way) < _MOST_OF_A_NAME):
            name.begun = loop.time()
            call = self._threads.call(partial(_resolve, host, self._flags))
            task = supervised.task(Part.QUESTION, call, "name", answers=(OSError,))
            name.under_way.append(task)
            task.add_done_callback(partial(self._ended, host, name))
        coming: asyncio.Future[list[AddrInfoType]] = loop.create_future()
        name.waiting.add(coming)
        try:
            return await coming
        finally:
            name.waiting.discard(coming)

    def _ended(self, host: str, name: _Name, task: asyncio.Task[list[AddrInfoType]]) -> None:
        """Tell those who wait; a failure counts only when nothing that was asked later may still be answered."""
        index = name.under_way.index(task)
        name.under_way.remove(task)
        if not name.under_way and self._names.get(host) is name:
            del self._names[host]
        error = None if task.cancelled() else task.exception()
        failed = error is not None or task.cancelled()
        if failed and index < len(name.under_way):
            return
        waiting, name.waiting = name.waiting, set()
        for coming in waiting:
            if coming.done():
                continue
            if task.cancelled():
                coming.cancel()
            elif error is not None:
                coming.set_exception(error)
            else:
                coming.set_result(task.result())


SHARED = Resolver()
"""For whoever has no owner's."""


class HttpResolver(AbstractResolver):
    """The same for aiohttp's connections."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return where to connect to; raises `OSError`."""
        found = await self._resolver.addresses(host, port)
        return [
            ResolveResult(
                hostname=host,
                host=_written(address),
                port=port,
                family=int(kind),
                proto=protocol,
                flags=int(socket.AI_NUMERICHOST | socket.AI_NUMERICSERV),
            )
            for kind, _, protocol, _, address in found
            if family in (socket.AF_UNSPEC, kind)
        ]

    async def close(self) -> None:
        """Do nothing: look-ups end by themselves."""


def _written(address: Any) -> str:
    """Write an address; one that holds on a link only with the link's number."""
    scope = address[3] if len(address) > 3 else 0
    return f"{address[0]}%{scope}" if scope and "%" not in address[0] else str(address[0])


def _resolve(host: str, flags: int) -> list[AddrInfoType]:
    try:
        return list(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=flags))
    except ValueError as error:  # such as a name that IDNA does not know
        raise unresolvable("it is no host name") from error
