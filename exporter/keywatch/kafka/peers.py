"""A probe's own connections, one per broker: kept open, opened anew when broken, shared with no other probe."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from keywatch.config.endpoint import Endpoint
from keywatch.engine import supervised
from keywatch.engine.deadline import Deadline
from keywatch.engine.probe import Reason
from keywatch.engine.slices import Pieces, in_slices
from keywatch.engine.supervised import Part
from keywatch.kafka.connection import (
    MAX_REPLY_BYTES,
    MOST_AT_ONCE,
    BrokerConnection,
    BrokerError,
    Security,
    connect,
    protocol_errors,
)
from keywatch.kafka.connection import REASONS as CONNECTION_REASONS
from keywatch.kafka.connection_limit import REASONS as LIMIT_REASONS
from keywatch.kafka.connection_limit import limited
from keywatch.kafka.proof import REASONS as PROOF_REASONS
from keywatch.kafka.proof import prove
from keywatch.kafka.releases import release, too_old
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire.codec import Reader
from keywatch.kafka.wire.identity import API_VERSIONS
from keywatch.kafka.wire.produce import PRODUCE
from keywatch.kafka.wire.request import Request
from keywatch.kafka.wire.requests import DESCRIBE_QUORUM
from keywatch.net.resolver import SHARED, Resolver

_T = TypeVar("_T")
_NOT_FIRST = frozenset({DESCRIBE_QUORUM, API_VERSIONS})
"""Requests to whose replies no throttle time belongs, or has it in the middle."""
REASONS = (CONNECTION_REASONS | PROOF_REASONS | LIMIT_REASONS) | {
    *(Reason.UNREGISTERED, Reason.UNSUPPORTED, Reason.THROTTLED)
}
"""Why a broker may not be asked something, or not answer it; what the answer refuses has reasons of its own."""
# What opening a connection gets more than its deadline, so that it can say which stage was late.
_SLACK = 0.05


@dataclass(slots=True)
class _Opening:
    """A connection that is being opened, and how many questions wait for it."""

    endpoint: Endpoint
    task: asyncio.Task[BrokerConnection]
    waiting: int = 0


class Peers:
    """The brokers of a cluster as one probe speaks to them; a slow broker holds up only its own requests."""

    def __init__(self, topology: Topology, security: Security | None, resolver: Resolver = SHARED) -> None:
        self._topology = topology
        self._security = security
        self._resolver = resolver
        self._connections: dict[str, BrokerConnection] = {}
        self._openings: dict[str, _Opening] = {}

    async def connection(self, label: str, timeout: float) -> BrokerConnection:
        """Return an open connection to the broker within `timeout` seconds; raises `BrokerError`."""
        endpoint = self._topology.endpoint(label)
        if endpoint is None:
            self.disconnect(label)
            raise BrokerError(Reason.UNREGISTERED, f"nobody says where broker {label} lives")
        if self._security is not None and self._security.speechless:
            words = (
                "a raw connection cannot log in with the configured mechanism: brokers are only asked whether they live"
            )
            raise BrokerError(Reason.UNSUPPORTED, words)
        kept = self._connections.get(label)
        if kept is not None and kept.is_open and kept.endpoint == endpoint:
            return kept
        return await self._opened(label, endpoint, timeout)

    async def _opened(self, label: str, endpoint: Endpoint, timeout: float) -> BrokerConnection:
        """Open a connection, or wait for the one that is being opened: questions of one moment share it."""
        opening = self._openings.get(label)
        if opening is None or opening.endpoint != endpoint:
            self.disconnect(label)
            work = self._proven(label, endpoint, timeout)
            task = supervised.task(Part.QUESTION, work, answers=(BrokerError,))
            opening = self._openings[label] = _Opening(endpoint, task)
            task.add_done_callback(partial(self._keep, label, opening))
        opening.waiting += 1
        done: set[asyncio.Task[BrokerConnection]] = set()
        try:
            # What was begun with this deadline ends by it and names the stage; others began something sooner or later.
            patience = timeout if opening.waiting > 1 else timeout + _SLACK
            done, _ = await asyncio.wait({opening.task}, timeout=patience)
        finally:
            opening.waiting -= 1
            if not done and not opening.waiting:
                if self._openings.get(label) is opening:
                    del self._openings[label]
                opening.task.cancel()
        if not done:
            raise BrokerError(Reason.TIMEOUT_CONNECT, f"{endpoint}: no connection in {timeout:.3g} s")
        if opening.task.cancelled():
            raise BrokerError(Reason.RESET, f"{endpoint}: the connection was given up")
        return opening.task.result()

    async def _proven(self, label: str, endpoint: Endpoint, timeout: float) -> BrokerConnection:
        """Open a connection and have the broker prove that it is the one that is meant."""
        deadline = Deadline(timeout)
        try:
            connection = await connect(endpoint, timeout, self._security, resolver=self._resolver)
        except BrokerError as error:
            raise limited(error, label, self._topology) from None
        try:
            left = max(deadline.left, 0.001)
            await prove(self._topology.membership, connection, self._topology.claim(label), left)
        except BaseException:
            connection.close()
            raise
        return connection

    def _keep(self, label: str, opening: _Opening, task: asyncio.Task[BrokerConnection]) -> None:
        """Keep a connection that came about, unless nobody waits for it any more or another is wanted."""
        wanted = self._openings.get(label) is opening
        if wanted:
            del self._openings[label]
        if task.cancelled() or task.exception() is not None:
            return
        if wanted:
            self._connections[label] = task.result()
        else:
            task.result().close()

    async def ask(self, label: str, request: Request, timeout: float, read: Callable[[Reader], _T]) -> _T:
        """Ask a broker and read its reply with `read`, all within `timeout` seconds; raises `BrokerError`."""
        connection, reader = await self._reply(label, request, timeout)
        with protocol_errors(connection, f"broker {label}"):
            return read(reader.limit(MOST_AT_ONCE))

    async def ask_much(
        self,
        label: str,
        request: Request,
        timeout: float,
        read: Callable[[Reader], Pieces[_T]],
        max_reply: int = MAX_REPLY_BYTES,
        rest: float = 0.0,
    ) -> _T:
        """Do as `ask` does for a reply that may be long: `read` reads it in pieces, after the `timeout` too.

        `rest` is as `in_slices` has it.
        """
        connection, reader = await self._reply(label, request, timeout, max_reply)
        with protocol_errors(connection, f"broker {label}"):
            return await in_slices(read(reader), rest=rest)

    async def _reply(
        self, label: str, request: Request, timeout: float, max_reply: int = MAX_REPLY_BYTES
    ) -> tuple[BrokerConnection, Reader]:
        deadline = Deadline(timeout)
        if deadline.over:  # asking all the same would cost the connection
            raise BrokerError(Reason.TIMEOUT_RESPONSE, f"no time was left to ask broker {label}")
        throttle = self._topology.throttle
        if (wait := throttle.wait(label)) > 0:
            if wait > timeout / 2:
                raise BrokerError(
                    Reason.THROTTLED, f"Kafka throttles keywatch: broker {label} wants {wait:.1f} s of rest"
                )
            await asyncio.sleep(wait)
        connection = await self.connection(label, max(deadline.left, 0.001))
        low, high = connection.versions.get(request.api, (0, -1))
        if not low <= request.version <= high:
            words = f"broker {label} speaks versions {low} to {high} of request {request.api}, not {request.version}"
            words = words if high >= 0 else f"broker {label} lacks request {request.api}"
            if old := too_old(connection.versions):
                words = f"{words}: {old}"
            raise BrokerError(Reason.UNSUPPORTED, words)
        reader = await connection.ask(request, max(deadline.left, 0.001), max_reply)
        self._topology.report_answer(label)
        with protocol_errors(connection, f"broker {label}"):
            # Replies begin with it (KIP-124), but for that to Produce, which ends with it, and for those without.
            if request.api not in _NOT_FIRST:
                throttle.record(label, reader.peek_int32(last=request.api == PRODUCE) / 1000)
        return connection, reader

    async def release(self, label: str, timeout: float) -> str:
        """Return which Kafka the broker is, by what it speaks; raises `BrokerError`."""
        return release((await self.connection(label, timeout)).versions)

    async def highest(self, label: str, api: int, timeout: float) -> int:
        """Return the highest version of a request that the broker speaks, -1 for none; raises `BrokerError`."""
        connection = await self.connection(label, timeout)
        return connection.versions.get(api, (0, -1))[1]

    def disconnect(self, label: str) -> None:
        """Close the connection to a broker, if there is one, and give up opening one."""
        opening = self._openings.pop(label, None)
        if opening is not None:
            opening.task.cancel()
        connection = self._connections.pop(label, None)
        if connection is not None:
            connection.close()

    def close(self) -> None:
        """Close all connections."""
        for label in [*self._connections, *self._openings]:
            self.disconnect(label)


async def first(calls: Iterable[Coroutine[Any, Any, _T]], patience: float) -> tuple[list[_T], list[BrokerError]]:
    """Run calls side by side; once one has answered, give the others `patience` seconds, then leave them.

    Returns the answers and the errors. A call that was left is cancelled and counts as neither.
    """
    pending = {supervised.task(Part.QUESTION, call, answers=(BrokerError,)) for call in calls}
    answers: list[_T] = []
    errors: list[BrokerError] = []
    timeout: float | None = None
    try:
        while pending:
            done, pending = await asyncio.wait(pending, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                break
            for task in done:
                try:
                    answers.append(task.result())
                except BrokerError as error:
                    errors.append(error)
            if answers:
                timeout = patience
    finally:
        for task in pending:
            task.cancel()
    return answers, errors
