"""Every way in which a peer on a broker's port can misbehave has a name, costs little memory, and ends in time."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import socket
import ssl
import time
import tracemalloc
from pathlib import Path

import pytest

from keywatch.config.endpoint import Endpoint
from keywatch.engine.probe import Reason
from keywatch.kafka.connection import BrokerConnection, BrokerError, _Socket, connect
from keywatch.kafka.wire import requests
from keywatch.net.tls import Tls
from tests.exporter.fakes.fake_broker import VERSIONS, FakeBroker, Serve, closing, listening, says, silent
from tests.kafka.certificates import Certificate, CertificateAuthority
from tests.slowness import Stopwatch

IN_TIME = 0.3


async def refused(endpoint: Endpoint, identity: Identity | None = None) -> BrokerError:
    with pytest.raises(BrokerError) as error:
        (await connect(endpoint, IN_TIME, identity)).close()
    return error.value


class Identity:
    """TLS with one context, nobody to log in."""

    speechless = False

    def __init__(self, context: ssl.SSLContext, server_name: str | None = None) -> None:
        self._tls = Tls(context, server_name)

    async def fresh(self) -> None:
        """Have no files."""

    def tls(self) -> Tls:
        """Return it."""
        return self._tls

    async def authenticate(self, connection: BrokerConnection, timeout: float) -> None:
        """Do nothing."""
        del connection, timeout


def reply(body: bytes, *, correlation: int = 1, size: int | None = None) -> bytes:
    length = len(body) + 4 if size is None else size
    return length.to_bytes(4, "big", signed=True) + correlation.to_bytes(4, "big") + body


async def test_a_broker_is_asked_and_tells_its_versions() -> None:
    async with listening(FakeBroker()) as endpoint:
        connection = await connect(endpoint, IN_TIME)
        assert connection.versions[3] == (0, 8)
        assert 0 < connection.first_answer < IN_TIME
        assert connection.is_open
        connection.close()
        assert not connection.is_open


async def test_ipv6_is_spoken() -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")
    async with listening(FakeBroker(), host="::1") as endpoint:
        assert str(endpoint).startswith("[::1]:")
        (await connect(endpoint, IN_TIME)).close()


async def test_a_name_with_several_addresses_is_tried_in_turn() -> None:
    async with listening(FakeBroker()) as endpoint:
        (await connect(Endpoint("localhost", endpoint.port), 1.0)).close()


async def test_a_closed_port_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    error = await refused(Endpoint("127.0.0.1", port))
    assert error.reason is Reason.REFUSED
    assert str(error) == f"refused: 127.0.0.1:{port}: connection refused"


async def test_a_name_that_does_not_exist_is_dns() -> None:
    with pytest.raises(BrokerError) as error:
        await connect(Endpoint("no-such-broker.invalid", 9092), 5.0)
    assert error.value.reason is Reason.DNS


PEERS: dict[str, tuple[Serve, Reason, str]] = {
    "silence": (silent, Reason.TIMEOUT_RESPONSE, "did not answer in 0."),
    "a closed connection": (closing, Reason.RESET, "the connection was"),
    "HTTP": (says(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Reason.PROTOCOL, "an HTTP server answers there"),
    "TLS": (says(bytes.fromhex("15030100020246")), Reason.PROTOCOL, "the port speaks TLS"),
    "SSH": (says(b"SSH-2.0-OpenSSH_9.2\r\n"), Reason.PROTOCOL, "an SSH server"),
    "garbage": (says(b"\xde\xad\xbe\xef" * 10), Reason.PROTOCOL, "not the Kafka protocol"),
    "a reply of 2 GB": (says(reply(b"x" * 100, size=2**31 - 1)), Reason.PROTOCOL, "2147483647 bytes is announced"),
    "a reply of less than nothing": (says(reply(b"", size=-1)), Reason.PROTOCOL, "-1 bytes is announced"),
    "half a reply": (says(reply(VERSIONS[:8], size=200), then_wait=True), Reason.TIMEOUT_RESPONSE, "did not answer"),
    "half a reply, then the end": (says(reply(VERSIONS[:8], size=200)), Reason.RESET, "the connection was closed"),
    "another request's reply": (says(reply(VERSIONS, correlation=9)), Reason.PROTOCOL, "belongs to another request"),
    "an error": (says(reply(b"\0\x23")), Reason.PROTOCOL, "ApiVersions answered with error 35"),
    "a list that is cut": (says(reply(VERSIONS[:12])), Reason.PROTOCOL, "a field of 24 bytes where 6 are left"),
    "nothing in a reply": (says(reply(b"")), Reason.PROTOCOL, "in the middle of a number"),
    "too much": (says(reply(VERSIONS) + b"\0\0\0\x04" * 4, then_wait=True), Reason.RESET, ""),
}


@pytest.mark.parametrize(("serve", "reason", "words"), PEERS.values(), ids=PEERS)
async def test_a_peer_that_is_no_broker_is_named(serve: Serve, reason: Reason, words: str) -> None:
    async with listening(serve) as endpoint:
        watch = Stopwatch()
        tracemalloc.start()
        try:
            if not words:  # the versions came, and then what nobody had asked for
                connection = await connect(endpoint, IN_TIME)
                with pytest.raises(BrokerError):
                    await connection.ask(requests.metadata(), IN_TIME)
                return
            error = await refused(endpoint)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert error.reason is reason
        assert words in error.detail
        assert str(endpoint) in error.detail
        assert watch.excuse("the connection is given up", IN_TIME + 1)
        assert most < 4_000_000


async def test_replies_come_in_pieces_and_together() -> None:
    """TCP keeps no boundaries: a reply may come byte by byte, and two may come at once."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(4 + int.from_bytes(await reader.readexactly(4), "big") - 4)
        for index in range(len(first := reply(VERSIONS))):
            writer.write(first[index : index + 1])
            await writer.drain()
            await asyncio.sleep(0)
        for _ in range(2):
            await reader.readexactly(int.from_bytes(await reader.readexactly(4), "big"))
        writer.write(reply(b"ab", correlation=2) + reply(b"cd", correlation=3))
        await asyncio.Event().wait()

    async with listening(serve) as endpoint:
        connection = await connect(endpoint, 2.0)
        both = await asyncio.gather(*(connection.ask(requests.metadata(), 2.0) for _ in range(2)))
        assert [reader.raw(2) for reader in both] == [b"ab", b"cd"]
        connection.close()


async def test_a_request_that_is_given_up_closes_the_connection() -> None:
    broker = FakeBroker(answers={3: lambda _: b""})
    async with listening(broker) as endpoint:
        connection = await connect(endpoint, IN_TIME)
        broker.delay = 10.0
        task = asyncio.ensure_future(connection.ask(requests.metadata(), 5.0))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not connection.is_open


def server(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.bundle)
    return context


def client(authority: CertificateAuthority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.certificate))


async def test_tls_works_and_tells_when_the_certificate_ends(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    issued = authority.server("broker", ["127.0.0.1"], ends_in=dt.timedelta(days=7))
    async with listening(FakeBroker(), context=server(issued)) as endpoint:
        connection = await connect(endpoint, 2.0, Identity(client(authority)))
        assert connection.certificate_not_after == pytest.approx(time.time() + 7 * 86_400, abs=60)
        connection.close()


async def test_a_certificate_for_another_name_holds_when_that_name_is_expected(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path)
    async with listening(FakeBroker(), context=server(authority.server("broker", ["kafka.example"]))) as endpoint:
        (await connect(endpoint, 2.0, Identity(client(authority), "kafka.example"))).close()


@pytest.mark.parametrize(
    ("hosts", "days", "trusted", "reason"),
    [
        (["127.0.0.1"], 7, False, Reason.TLS_UNTRUSTED),
        (["127.0.0.1"], -1, True, Reason.TLS_EXPIRED),
        (["127.0.0.9"], 7, True, Reason.TLS_HOSTNAME),
        (["kafka.example"], 7, True, Reason.TLS_HOSTNAME),
    ],
)
async def test_a_certificate_that_does_not_hold_is_named(
    hosts: list[str], days: int, trusted: bool, reason: Reason, tmp_path: Path
) -> None:
    authority = CertificateAuthority(tmp_path / "one")
    issued = authority.server("broker", hosts, ends_in=dt.timedelta(days=days))
    trust = authority if trusted else CertificateAuthority(tmp_path / "other")
    async with listening(FakeBroker(), context=server(issued)) as endpoint:
        assert (await refused(endpoint, Identity(client(trust)))).reason is reason


async def test_tls_towards_a_plain_port_is_named(tmp_path: Path) -> None:
    context = client(CertificateAuthority(tmp_path))
    async with listening(says(reply(VERSIONS))) as endpoint:
        error = await refused(endpoint, Identity(context))
        assert (error.reason, "does not speak TLS" in error.detail) == (Reason.TLS, True)
    async with listening(silent) as endpoint:
        assert (await refused(endpoint, Identity(context))).reason is Reason.TIMEOUT_TLS


def test_a_socket_that_was_closed_by_its_number_takes_nobody_else_with_it() -> None:
    ours, peer = socket.socketpair()
    held, number = _Socket(ours), ours.fileno()
    with peer, Path(os.devnull).open("rb") as other:
        os.dup2(other.fileno(), number)  # as uvloop closes it, and another thread opens something
        held.discard()
        assert os.fstat(number).st_rdev == os.fstat(other.fileno()).st_rdev
        os.close(number)


def test_a_socket_that_is_given_up_is_closed_once() -> None:
    ours, peer = socket.socketpair()
    with peer:
        held, number = _Socket(ours), ours.fileno()
        held.discard()
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(number)
        held.discard()
    gone, peer = socket.socketpair()
    with peer:
        held = _Socket(gone)
        os.close(gone.fileno())
        held.discard()
