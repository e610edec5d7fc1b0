"""One TCP or TLS connection to one broker: opened, asked and closed under deadlines, every failure named."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import math
import os
import socket
import ssl
import struct
import time
from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from aiohappyeyeballs import start_connection

from keywatch.config.endpoint import Endpoint
from keywatch.engine.probe import Reason
from keywatch.kafka.errors import request_error
from keywatch.kafka.wire.codec import Reader, ReplyTooLargeError, WireError, Writer
from keywatch.kafka.wire.replies import Replies
from keywatch.kafka.wire.request import Request
from keywatch.net.failures import REASONS as CONNECTION_REASONS
from keywatch.net.failures import connection_error
from keywatch.net.resolver import SHARED, Resolver
from keywatch.net.tls import Tls

_T = TypeVar("_T")
REASONS = CONNECTION_REASONS | {
    *(Reason.TIMEOUT_CONNECT, Reason.TIMEOUT_TLS, Reason.TIMEOUT_RESPONSE, Reason.PROTOCOL, Reason.AUTHENTICATION)
}
"""Why a connection may not be made, or a request on it not be answered."""
_HEADER = struct.Struct(">ihhi")  # size, API key, version, correlation id
_CLIENT_ID = Writer().string("keywatch").done()
# Metadata of 100,000 partitions is about 5 MB; a peer that announces more than this is not a Kafka broker.
MAX_REPLY_BYTES = 64 * 1024 * 1024
MOST_AT_ONCE = 200_000
"""Items of arrays in a reply that is read in one piece; each takes a microsecond or a few."""
_API_VERSIONS = 18
_MAX_VERSIONS_BYTES = 64 * 1024
# A name with several addresses (localhost is ::1 and 127.0.0.1) is tried in turn, as RFC 8305 has it.
_NEXT_ADDRESS_AFTER = 0.25


class BrokerError(Exception):
    """A broker could not be asked: the reason, and words for the log.

    `too_large` are the bytes of an answer that is more than may be read, so that it may be asked for in parts; else 0.
    """

    def __init__(self, reason: Reason, detail: str, too_large: int = 0) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
        self.too_large = too_large


class Security(Protocol):
    """How to prove each other's identity, from the state of things at the moment of asking."""

    @property
    def speechless(self) -> bool:
        """Whether a raw connection cannot log in, so that all it can ask for is ApiVersions."""

    async def fresh(self) -> None:
        """Have the state of things looked at, where it may have changed."""

    def tls(self) -> Tls | None:
        """Return how to speak TLS; None for plaintext."""

    async def authenticate(self, connection: BrokerConnection, timeout: float) -> None:
        """Prove who keywatch is, where that is configured; raises `BrokerError`."""


_API_VERSIONS_REQUEST = Request(_API_VERSIONS, 0, False, b"")
_THROTTLE_TOLD = 2  # before, brokers that throttle kept the answer back (KIP-219)
_PINGS = (_API_VERSIONS_REQUEST, Request(_API_VERSIONS, _THROTTLE_TOLD, False, b""))


class BrokerConnection:
    """A connection on which requests are answered in the order in which they were sent."""

    def __init__(self, replies: Replies, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.versions: dict[int, tuple[int, int]] = {}
        self.first_answer = 0.0
        self.expires = math.inf
        """When the broker will not listen any more without a new proof of identity, on the loop's clock."""
        self._replies = replies
        self._correlation = 0

    @property
    def is_open(self) -> bool:
        """Whether neither side has closed it, as far as is known without asking, and the broker still listens."""
        return self._replies.is_open and (self.expires == math.inf or time.monotonic() < self.expires)

    @property
    def certificate_not_after(self) -> float | None:
        """When the broker's certificate ends, in Unix time; None without TLS."""
        certificate = self._replies.transport.get_extra_info("peercert") if self._replies.is_open else None
        if not certificate or "notAfter" not in certificate:
            return None
        return float(ssl.cert_time_to_seconds(certificate["notAfter"]))

    async def ask(self, request: Request, timeout: float, max_reply: int = MAX_REPLY_BYTES) -> Reader:
        """Send a request and give a reader at the start of the reply's body.

        `timeout` in seconds, `max_reply` in bytes. Raises `BrokerError`; the connection is closed then, because what
        is still to come answers nobody.
        """
        try:
            async with asyncio.timeout(timeout):
                data = await self.send(request, max_reply)
        except TimeoutError:
            self.close()
            raise BrokerError(Reason.TIMEOUT_RESPONSE, f"{self.endpoint} did not answer in {timeout:.3g} s") from None
        except (OSError, EOFError, WireError) as error:
            raise self.broken(error) from error
        except asyncio.CancelledError:
            self.close()
            raise
        # The header of an ApiVersions reply is never flexible (KIP-511), so that old brokers can say no.
        reader = Reader(data, flexible=request.flexible, position=4)
        if request.flexible and request.api != _API_VERSIONS:
            with protocol_errors(self, self.endpoint):
                reader.tags()
        return reader

    async def request(self, request: Request, timeout: float, read: Callable[[Reader], _T]) -> _T:
        """Send a request and read the reply with `read`, within `timeout` seconds; raises `BrokerError`."""
        reader = await self.ask(request, timeout)
        with protocol_errors(self, self.endpoint):
            return read(reader.limit(MOST_AT_ONCE))

    def send(self, request: Request, max_reply: int = MAX_REPLY_BYTES) -> asyncio.Future[bytes]:
        """Send a request and give the reply to come, header included; see `Replies.send` for how it fails."""
        self._correlation = (self._correlation + 1) & 0x7FFFFFFF
        tail = (_CLIENT_ID + b"\0" if request.flexible else _CLIENT_ID) + request.body
        head = _HEADER.pack(8 + len(tail), request.api, request.version, self._correlation)
        return self._replies.send(head + tail, self._correlation, max_reply)

    def broken(self, error: BaseException) -> BrokerError:
        """Close, and name why a request failed."""
        self.close()
        reason, words = request_error(error)
        too_large = error.size if isinstance(error, ReplyTooLargeError) else 0
        return BrokerError(reason, f"{self.endpoint}: {words}", too_large)

    def close(self) -> None:
        """Close at once, without waiting for the other side."""
        with contextlib.suppress(RuntimeError):  # the event loop may be gone already
            self._replies.close()


async def connect(
    endpoint: Endpoint,
    timeout: float,
    security: Security | None = None,
    *,
    resolver: Resolver = SHARED,
    answer_within: float | None = None,
) -> BrokerConnection:
    """Open a connection, learn which versions the broker speaks (ApiVersions v0, which every broker has), and log in.

    `timeout` in seconds covers name resolution, TCP, TLS and the answers, unless the answers get `answer_within`
    seconds of their own. Raises `BrokerError`, whose reason names the stage.
    """
    deadline = asyncio.get_running_loop().time() + timeout
    if security is not None:
        await security.fresh()
    tls = security.tls() if security is not None else None
    stage = Reason.DNS
    sock: _Socket | None = None
    try:
        async with asyncio.timeout_at(deadline):
            addresses = await resolver.addresses(endpoint.host, endpoint.port)
            stage = Reason.TIMEOUT_CONNECT
            sock = _Socket(await start_connection(addresses, happy_eyeballs_delay=_NEXT_ADDRESS_AFTER))
            sock.itself.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stage = Reason.TIMEOUT_TLS
            context = tls.context if tls is not None else None
            name = (tls.server_name or endpoint.host) if tls is not None else None
            loop = asyncio.get_running_loop()
            _, replies = await loop.create_connection(Replies, sock=sock.itself, ssl=context, server_hostname=name)
    except TimeoutError:
        if sock is not None:
            sock.discard()
        words = {Reason.DNS: "the name did not resolve", Reason.TIMEOUT_CONNECT: "no TCP connection"}
        detail = words.get(stage, "the TLS handshake was not finished")
        raise BrokerError(stage, f"{endpoint}: {detail} in {timeout:.3g} s") from None
    except (OSError, EOFError) as error:
        if sock is not None:
            sock.discard()
        reason, detail = connection_error(error)
        if isinstance(error, OSError) and error.errno == errno.EADDRNOTAVAIL and ":" not in endpoint.host:
            # Towards IPv6 it means that there is none here; else no port is left to connect from.
            reason, detail = Reason.EXHAUSTED, f"keywatch itself: {error.strerror}"
        raise BrokerError(reason, f"{endpoint}: {detail}") from error
    except asyncio.CancelledError:
        if sock is not None:
            sock.discard()
        raise
    connection = BrokerConnection(replies, endpoint)
    opened = time.monotonic()  # uvloop's own clock tells milliseconds only
    left = max(deadline - asyncio.get_running_loop().time(), 0.001) if answer_within is None else answer_within
    reader = await connection.ask(_API_VERSIONS_REQUEST, left, _MAX_VERSIONS_BYTES)
    _check_versions(connection, reader)
    with protocol_errors(connection, connection.endpoint):
        connection.versions = _versions(reader)
    connection.first_answer = time.monotonic() - opened
    if security is not None:
        await security.authenticate(connection, max(left - connection.first_answer, 0.001))
    return connection


def ping(connection: BrokerConnection) -> asyncio.Future[bytes]:
    """Ask for ApiVersions: the cheapest question that a broker's request handler answers; see `check_ping`."""
    return connection.send(_PINGS[_tells_throttle(connection)], _MAX_VERSIONS_BYTES)


def _tells_throttle(connection: BrokerConnection) -> bool:
    return connection.versions.get(_API_VERSIONS, (0, 0))[1] >= _THROTTLE_TOLD


def check_ping(connection: BrokerConnection, answer: asyncio.Future[bytes]) -> float:
    """Judge the answer to a ping that came, and return for how many seconds the broker wants to be left alone.

    Raises `BrokerError`. The list of versions is passed over: it took half of a ping's time, and it is known since the
    connection opened.
    """
    try:
        reader = Reader(answer.result(), position=4)
    except (OSError, EOFError, WireError) as error:
        raise connection.broken(error) from error
    _check_versions(connection, reader)
    if not _tells_throttle(connection):
        return 0.0
    with protocol_errors(connection, connection.endpoint):
        return reader.peek_int32(last=True) / 1000


def _check_versions(connection: BrokerConnection, reader: Reader) -> None:
    with protocol_errors(connection, connection.endpoint):
        code = reader.int16()
    if code:
        connection.close()
        raise BrokerError(Reason.PROTOCOL, f"{connection.endpoint}: ApiVersions answered with error {code}")


@contextlib.contextmanager
def protocol_errors(connection: BrokerConnection, whose: object) -> Iterator[None]:
    """Turn a reply that is not what the protocol says into a `BrokerError`, and close the connection."""
    try:
        yield
    except WireError as error:
        connection.close()
        raise BrokerError(Reason.PROTOCOL, f"{whose}: {error}") from error


def _versions(reader: Reader) -> dict[int, tuple[int, int]]:
    """Read API key → lowest and highest version."""
    entries = reader.raw(6 * reader.count())
    return {api: (low, high) for api, low, high in struct.iter_unpack(">hhh", entries)}


class _Socket:
    """A socket on its way to a transport, which may have closed it by number when it is given up meanwhile."""

    def __init__(self, itself: socket.socket) -> None:
        self.itself = itself
        self._inode = os.fstat(itself.fileno()).st_ino

    def discard(self) -> None:
        """Close it, unless that was done: uvloop closes the number, which may be another's by now."""
        try:
            ours = os.fstat(self.itself.fileno()).st_ino == self._inode
        except OSError:
            ours = False
        if ours:
            self.itself.close()
        else:
            self.itself.detach()
