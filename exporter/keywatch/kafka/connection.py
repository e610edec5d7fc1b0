"""One TCP or TLS connection to one broker: opened, asked and closed under deadlines, every failure named."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from aiohappyeyeballs import AddrInfoType, start_connection

from keywatch.kafka.codec import Reader, WireError, Writer
from keywatch.kafka.errors import connection_error
from keywatch.probe import Reason

_HEADER = struct.Struct(">ihhi")  # size, API key, version, correlation id
_CLIENT_ID = Writer().string("keywatch").done()
# Metadata of 100,000 partitions is about 5 MB; a peer that announces more than this is not a Kafka broker.
MAX_REPLY_BYTES = 64 * 1024 * 1024
_API_VERSIONS = 18
# A name with several addresses (localhost is ::1 and 127.0.0.1) is tried in turn, as RFC 8305 has it.
_NEXT_ADDRESS_AFTER = 0.25
_FIRST_BYTES = {b"HTTP": "an HTTP server answers there", b"\x15\x03": "the port speaks TLS", b"SSH-": "an SSH server"}


class Endpoint(NamedTuple):
    """Where a broker listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """Write `host:port`, an IPv6 address in brackets."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class BrokerError(Exception):
    """A broker could not be asked: the reason, and words for the log."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Tls:
    """How to speak TLS: the context, and the name to verify when it is not the host's own."""

    context: ssl.SSLContext
    server_name: str | None = None


class Request(NamedTuple):
    """One request: API key, version, whether that version is flexible (KIP-482), and the encoded body."""

    api: int
    version: int
    flexible: bool
    body: bytes


_API_VERSIONS_REQUEST = Request(_API_VERSIONS, 0, False, b"")


class Connection:
    """A connection on which one request is under way at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.versions: dict[int, tuple[int, int]] = {}
        self.first_answer = 0.0
        self._reader = reader
        self._writer = writer
        self._correlation = 0
        self._lock = asyncio.Lock()

    @property
    def is_open(self) -> bool:
        """Whether neither side has closed it, as far as is known without asking."""
        return not self._writer.is_closing() and not self._reader.at_eof()

    @property
    def certificate_not_after(self) -> float | None:
        """When the broker's certificate ends, in Unix time; None without TLS."""
        certificate = self._writer.get_extra_info("peercert")
        if not certificate or "notAfter" not in certificate:
            return None
        return float(ssl.cert_time_to_seconds(certificate["notAfter"]))

    async def ask(self, request: Request, timeout: float, max_reply: int = MAX_REPLY_BYTES) -> Reader:
        """Send a request and give a reader at the start of the reply's body.

        `timeout` in seconds, `max_reply` in bytes. Raises `BrokerError`; the connection is closed then, because the
        order of replies is lost.
        """
        try:
            async with asyncio.timeout(timeout), self._lock:
                data = await self._exchange(request, max_reply)
        except TimeoutError:
            self.close()
            raise BrokerError(Reason.TIMEOUT_RESPONSE, f"{self.endpoint} did not answer in {timeout:.3g} s") from None
        except (OSError, EOFError, WireError) as error:
            self.close()
            reason, words = connection_error(error)
            raise BrokerError(reason, f"{self.endpoint}: {words}") from error
        except asyncio.CancelledError:
            self.close()
            raise
        # The header of an ApiVersions reply is never flexible (KIP-511), so that old brokers can say no.
        reader = Reader(data, flexible=request.flexible, position=4)
        if request.flexible and request.api != _API_VERSIONS:
            reader.tags()
        return reader

    async def _exchange(self, request: Request, max_reply: int) -> bytes:
        self._correlation = (self._correlation + 1) & 0x7FFFFFFF
        tail = (_CLIENT_ID + b"\0" if request.flexible else _CLIENT_ID) + request.body
        self._writer.write(_HEADER.pack(8 + len(tail), request.api, request.version, self._correlation) + tail)
        await self._writer.drain()
        prefix = await self._reader.readexactly(4)
        size = int.from_bytes(prefix, "big", signed=True)
        if not 4 <= size <= max_reply:
            raise WireError(_not_kafka(prefix, size))
        data = await self._reader.readexactly(size)
        if int.from_bytes(data[:4], "big", signed=True) != self._correlation:
            raise WireError("the reply belongs to another request")
        return data

    def close(self) -> None:
        """Close at once, without waiting for the other side."""
        with contextlib.suppress(RuntimeError):  # the event loop may be gone already
            self._writer.transport.abort()


async def connect(
    endpoint: Endpoint, timeout: float, tls: Tls | None = None, *, answer_within: float | None = None
) -> Connection:
    """Open a connection and learn which versions the broker speaks (ApiVersions v0, which every broker has).

    `timeout` in seconds covers name resolution, TCP, TLS and the answer, unless the answer gets `answer_within`
    seconds of its own. Raises `BrokerError`, whose reason names the stage.
    """
    deadline = asyncio.get_running_loop().time() + timeout
    stage = Reason.DNS
    sock: socket.socket | None = None
    try:
        async with asyncio.timeout_at(deadline):
            addresses = await _resolve(endpoint)
            stage = Reason.TIMEOUT_CONNECT
            sock = await start_connection(addresses, happy_eyeballs_delay=_NEXT_ADDRESS_AFTER)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            stage = Reason.TIMEOUT_TLS
            if tls is None:
                reader, writer = await asyncio.open_connection(sock=sock)
            else:
                name = tls.server_name or endpoint.host
                reader, writer = await asyncio.open_connection(sock=sock, ssl=tls.context, server_hostname=name)
    except TimeoutError:
        _discard(sock)
        words = {Reason.DNS: "the name did not resolve", Reason.TIMEOUT_CONNECT: "no TCP connection"}
        detail = words.get(stage, "the TLS handshake was not finished")
        raise BrokerError(stage, f"{endpoint}: {detail} in {timeout:.3g} s") from None
    except (OSError, EOFError) as error:
        _discard(sock)
        reason, detail = connection_error(error)
        raise BrokerError(reason, f"{endpoint}: {detail}") from error
    except asyncio.CancelledError:
        _discard(sock)
        raise
    connection = Connection(reader, writer, endpoint)
    opened = asyncio.get_running_loop().time()
    left = max(deadline - opened, 0.001) if answer_within is None else answer_within
    reader_of_versions = await _ask_versions(connection, left)
    with protocol_errors(connection, connection.endpoint):
        connection.versions = _versions(reader_of_versions)
    connection.first_answer = asyncio.get_running_loop().time() - opened
    return connection


async def _resolve(endpoint: Endpoint) -> list[AddrInfoType]:
    for family in (socket.AF_INET, socket.AF_INET6):
        with contextlib.suppress(OSError):  # not an address of this family
            socket.inet_pton(family, endpoint.host)
            address = (
                (endpoint.host, endpoint.port) if family is socket.AF_INET else (endpoint.host, endpoint.port, 0, 0)
            )
            return [(family, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", address)]
    # On a thread, because the resolver blocks; every time anew, so that a name that is gone is seen.
    loop = asyncio.get_running_loop()
    return list(await loop.getaddrinfo(endpoint.host, endpoint.port, type=socket.SOCK_STREAM))


async def ping(connection: Connection, timeout: float) -> None:
    """Ask for ApiVersions v0: the cheapest question that a broker's request handler answers; raises `BrokerError`.

    The list of versions is passed over: it took half of a ping's time, and it is known since the connection opened.
    """
    await _ask_versions(connection, timeout)


async def _ask_versions(connection: Connection, timeout: float) -> Reader:
    """Give a reader at the list of versions."""
    reader = await connection.ask(_API_VERSIONS_REQUEST, timeout, max_reply=64 * 1024)
    with protocol_errors(connection, connection.endpoint):
        code = reader.int16()
    if code:
        connection.close()
        raise BrokerError(Reason.PROTOCOL, f"{connection.endpoint}: ApiVersions answered with error {code}")
    return reader


@contextlib.contextmanager
def protocol_errors(connection: Connection, whose: object) -> Iterator[None]:
    """Turn a reply that is not what the protocol says into a `BrokerError`, and close the connection."""
    try:
        yield
    except WireError as error:
        connection.close()
        raise BrokerError(Reason.PROTOCOL, f"{whose}: {error}") from error


def _versions(reader: Reader) -> dict[int, tuple[int, int]]:
    """Read API key → lowest and highest version."""
    entries = reader.take(6 * reader.count())
    return {api: (low, high) for api, low, high in struct.iter_unpack(">hhh", entries)}


def _not_kafka(prefix: bytes, size: int) -> str:
    for start, words in _FIRST_BYTES.items():
        if prefix.startswith(start):
            return words
    return f"not the Kafka protocol: a reply of {size} bytes is announced"


def _discard(sock: socket.socket | None) -> None:
    if sock is not None:
        sock.close()
