"""Whatever a server does, the failure has a name, the time is bounded and so is the memory."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import time
from pathlib import Path

import pytest
import uvloop
from pydantic import SecretStr

from keywatch.config.keycloak import BasicAuthSection
from keywatch.config.security import TlsSection
from keywatch.engine.probe import ProbeError, Reason
from keywatch.net.http_peer import HttpPeer
from tests.exporter.fakes.http_server import reply, serving
from tests.kafka.certificates import CertificateAuthority
from tests.slowness import Stopwatch

MOST = 1000
SECRET = "hunter2-of-the-proxy"  # noqa: S105 - what must not be found


async def failure(peer: HttpPeer, timeout: float = 1.0) -> ProbeError:
    with pytest.raises(ProbeError) as caught:
        await peer.get("page", timeout, MOST)
    await peer.close()
    return caught.value


async def test_an_answer_is_given_with_what_it_took_and_connections_are_kept() -> None:
    async with serving({"/page": reply("hello", kind="text/plain")}) as server:
        peer = HttpPeer(server.url + "/")
        for _ in range(3):
            answer = await peer.get("page", 1.0, MOST)
            assert (answer.status, answer.content_type, answer.body) == (200, "text/plain", b"hello")
            assert answer.took > 0
        assert server.connections == 1
        await peer.get("page", 1.0, MOST, last=True)
        await peer.get("page", 1.0, MOST)
        assert server.connections == 2
        await peer.close()


async def test_a_path_of_the_url_is_kept() -> None:
    async with serving({"/auth/health/live": reply("{}")}) as server:
        peer = HttpPeer(server.url + "/auth")
        assert (await peer.get("health/live", 1.0, MOST)).status == 200
        await peer.close()


@pytest.mark.parametrize(
    ("page", "reason", "words"),
    [
        (b"\x16\x03\x01garbage\r\n\r\n", Reason.PROTOCOL, "no proper HTTP"),
        (b"HTTP/1.1 abc OK\r\n\r\n", Reason.PROTOCOL, "no proper HTTP"),
        (reply("", "302 Found", more="Location: http://127.0.0.1:1/elsewhere\r\n"), Reason.PROTOCOL, "redirects to"),
        (reply("", "401 Unauthorized"), Reason.AUTHENTICATION, "status 401"),
        (reply("", "403 Forbidden"), Reason.AUTHORIZATION, "status 403"),
        (reply("x" * 1001), Reason.PROTOCOL, "more than 1000 bytes"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n" + b"x" * 5000, Reason.PROTOCOL, "more than 1000"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"400\r\n" + b"x" * 1024, Reason.PROTOCOL, "more"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", Reason.RESET, "before the answer was complete"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000 + b"\r\n\r\n", Reason.PROTOCOL, "no proper HTTP"),
        (b"", Reason.RESET, "closed before the answer"),
        (None, Reason.TIMEOUT_RESPONSE, "no answer in 0.3 s"),
    ],
    ids=[
        "garbage", "no status", "redirect", "401", "403", "too large", "a gigabyte", "chunks without end", "half",
        "a large header", "nothing", "silence",
    ],
)  # fmt: skip
async def test_what_a_server_does_wrong_is_named(page: bytes | None, reason: Reason, words: str) -> None:
    async with serving({"/page": page}) as server:
        found = await failure(HttpPeer(server.url), 0.3 if page is None else 2.0)
    assert found.reason is reason
    assert words in found.detail
    assert "garbage" not in found.detail


async def test_a_closed_port_is_refused_and_a_name_that_nobody_has_is_dns() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert (await failure(HttpPeer(f"http://127.0.0.1:{port}"))).reason is Reason.REFUSED
    assert (await failure(HttpPeer("http://nobody.invalid:80"), 5.0)).reason is Reason.DNS


async def test_an_answer_drop_by_drop_takes_no_longer_than_the_deadline() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n")
        while not reader.at_eof():
            writer.write(b"x")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(reader.read(1), 0.05)
        writer.close()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    watch = Stopwatch()
    found = await failure(HttpPeer(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"), 0.5)
    assert found.reason is Reason.TIMEOUT_RESPONSE
    assert watch.excuse("the peer gives up", 2)
    server.close()


async def test_certificates_are_verified_and_their_end_is_known(tmp_path: Path) -> None:
    authority, other = CertificateAuthority(tmp_path / "a"), CertificateAuthority(tmp_path / "b")
    server_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own = authority.server("keycloak", ["localhost", "127.0.0.1"])
    server_tls.load_cert_chain(own.certificate, own.key)
    async with serving({"/page": reply("{}")}, server_tls) as server:
        url = server.url.replace("http", "https")
        peer = HttpPeer(url, TlsSection(ca_file=authority.certificate))
        await peer.get("page", 2.0, MOST)
        assert peer.certificate_not_after is not None
        assert peer.certificate_not_after > time.time()
        await peer.close()
        assert (await failure(HttpPeer(url, TlsSection(ca_file=other.certificate)), 2.0)).reason is Reason.TLS_UNTRUSTED
        named = TlsSection(ca_file=authority.certificate, server_name="elsewhere")
        assert (await failure(HttpPeer(url, named), 2.0)).reason is Reason.TLS_HOSTNAME
    async with serving({"/page": reply("{}")}) as plain:
        peer = HttpPeer(plain.url.replace("http", "https"), TlsSection(ca_file=authority.certificate))
        assert (await failure(peer, 2.0)).reason in {Reason.TLS, Reason.RESET}


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_handshake_that_does_not_end_is_told_apart_from_a_connection_that_does_not_come(loop: str) -> None:
    async def ask() -> Reason:
        hanging = asyncio.Event()

        async def silent(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await hanging.wait()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        peer = HttpPeer(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}", TlsSection())
        found = await failure(peer, 1.0)
        hanging.set()
        server.close()
        return found.reason

    factory = uvloop.new_event_loop if loop == "uvloop" else None
    with asyncio.Runner(loop_factory=factory) as runner:
        assert runner.run(ask()) is Reason.TIMEOUT_TLS


async def test_a_connection_that_does_not_come_is_no_handshake_that_does_not_end() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, socket.socket() as first, socket.socket() as second:
        address = full.getsockname()
        for filler in (first, second):  # where its queue is full, Linux answers no further connection
            filler.setblocking(False)
            filler.connect_ex(address)
        peer = HttpPeer(f"https://127.0.0.1:{address[1]}", TlsSection())
        assert (await failure(peer, 1.0)).reason is Reason.TIMEOUT_CONNECT


async def test_a_password_is_sent_and_a_changed_file_counts_at_once(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(SECRET, encoding="utf-8")
    async with serving({"/page": reply("{}")}) as server:
        peer = HttpPeer(server.url, auth=BasicAuthSection(username="me", password_file=file))
        await peer.get("page", 1.0, MOST)
        file.write_text("another, of another length", encoding="utf-8")
        await peer.get("page", 1.0, MOST)
        await peer.close()
    first, second = (headers["authorization"] for _, headers in server.asked)
    assert first.startswith("Basic ")
    assert first != second


async def test_files_that_cannot_be_read_are_named_and_no_secret_is_in_a_failure(tmp_path: Path) -> None:
    gone = HttpPeer("http://127.0.0.1:1", auth=BasicAuthSection(username="me", password_file=tmp_path / "none"))
    found = await failure(gone)
    assert found.reason is Reason.AUTHENTICATION
    assert str(tmp_path / "none") in found.detail
    closed = HttpPeer("http://127.0.0.1:1", auth=BasicAuthSection(username="me", password=SecretStr(SECRET)))
    assert SECRET not in str(await failure(closed))
