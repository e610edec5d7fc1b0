"""Nobody who is slow, many or large keeps a scrape waiting, and every response carries the headers that protect it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import socket
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from keywatch.engine.slices import Pieces
from keywatch.web.connection import ClientConnection
from keywatch.web.crowd import Crowd, Stage
from keywatch.web.headers import dress
from keywatch.web.limits import Limits, Refusal
from keywatch.web.page import page
from tests.exporter.waiting import until
from tests.exporter.web.server import Answer, Served, answer, ended, hashed, request, served
from tests.slowness import Stopwatch

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
    "server": "keywatch",
    "x-content-type-options": "nosniff",
    "x-frame-options": "deny",
}
PATHS = ["/metrics", "/-/healthy", "/-/ready", "/-/config", "/nowhere", "/metrics?collect[]=nothing"]


def protecting(found: Answer) -> dict[str, str]:
    return {name: value for name, value in found.headers.items() if name in HEADERS}


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize("path", PATHS)
async def test_every_response_carries_the_headers_that_protect_it(path: str, method: str) -> None:
    async with served() as running:
        assert protecting(await running.ask(path, method=method)) == HEADERS
        strange = await running.ask(path, method=method, headers={"Expect": "nothing"})
        assert (strange.status, protecting(strange)) == (417, HEADERS)


async def test_also_those_to_what_is_no_http_and_none_of_them_quotes_it() -> None:
    for nonsense in (b"hello\r\n\r\n", b"GET /\x00secret HTTP/1.1\r\n\r\n", b"GET / HTTP/1.1\r\nsecret\r\n\r\n"):
        async with served() as running, running.connection() as (reader, writer):
            writer.write(nonsense)
            found = await answer(reader)
            assert (found.status, found.body, protecting(found)) == (400, b"bad request\n", HEADERS)
            assert running.refused("bad_request") == 1
            assert await ended(reader)


async def test_a_connect_to_nowhere_is_a_method_that_is_not_allowed(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as running, running.connection() as (reader, writer):
        writer.write(b"CONNECT  \r\n\r\n")
        found = await answer(reader)
        assert (found.status, protecting(found)) == (405, HEADERS)
    assert caplog.messages == []


async def test_the_page_allows_its_own_style_and_nothing_else() -> None:
    async with served() as running:
        found = await running.ask("/")
    style = found.body.decode().partition("<style>")[2].partition("</style>")[0]
    assert style == page.STYLE
    known = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = dict(part.strip().split(" ", 1) for part in found.headers["content-security-policy"].split(";"))
    assert policy.pop("style-src") == f"'sha256-{known}'"
    assert set(policy) == {"default-src", "base-uri", "form-action", "frame-ancestors"}
    assert set(policy.values()) == {"'none'"}
    assert b"style=" not in found.body
    assert protecting(found) == {**HEADERS, "content-security-policy": found.headers["content-security-policy"]}


async def test_headers_of_the_web_configuration_win(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text(
        "http_server_config:\n  headers:\n    X-Frame-Options: sameorigin\n    Content-Security-Policy: ''\n"
        "    X-XSS-Protection: '0'\n    Strict-Transport-Security: max-age=31536000\n",
        encoding="utf-8",
    )
    async with served(path) as running:
        for asked in ("/", "/metrics"):
            found = (await running.ask(asked)).headers
            assert found["x-frame-options"] == "sameorigin"
            assert found["x-xss-protection"] == "0"
            assert found["strict-transport-security"] == "max-age=31536000"
            assert "content-security-policy" not in found


def test_what_a_page_says_of_itself_is_kept() -> None:
    response = web.Response(headers={"Cache-Control": "public"})
    dress(response)
    assert response.headers["Cache-Control"] == "public"


QUICK = Limits(connections=8, answers=2, handshake=0.3, request=0.3, answer=0.3, patience=0.05, idle=0.3, parting=0.3)


@pytest.mark.parametrize(
    ("sends", "refused"),
    [
        (b"", "slow_request"),
        (b"GET /metr", "slow_request"),
        (b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nX-A: ", "slow_request"),
        (request("/-/healthy"), ""),  # answered, and then nothing more comes
        (request("/-/healthy", headers={"Content-Length": "10"}), ""),  # answered, and the body does not come
    ],
)
async def test_who_sends_slowly_is_let_go(sends: bytes, refused: str) -> None:
    async with served(limits=QUICK) as running, running.connection() as (reader, writer):
        writer.write(sends)
        assert await ended(reader)
        assert running.refused("slow_request") == (1 if refused else 0)
        await until(lambda: not len(running.port._crowd), "the connection is forgotten")


async def test_who_sends_byte_by_byte_gains_no_time() -> None:
    async with served(limits=QUICK) as running, running.connection() as (reader, writer):
        gone = asyncio.create_task(ended(reader))
        watch = Stopwatch()
        writer.write(b"GET /metrics HTTP/1.1\r\nX-Long: ")
        while not gone.done():
            writer.write(b"a")
            await asyncio.wait([gone], timeout=0.02)
        assert watch.excuse("the connection is ended", 5)
        assert running.refused("slow_request") == 1


async def test_a_connection_is_kept_between_requests() -> None:
    async with served(limits=replace(QUICK, idle=60)) as running, running.connection() as (reader, writer):
        for _ in range(20):
            writer.write(request("/-/healthy"))
            assert (await answer(reader)).status == 200
        assert len(running.port._crowd) == 1


@pytest.mark.parametrize("headers", [1, 200])
async def test_headers_without_end_are_not_read(headers: int) -> None:
    async with served() as running, running.connection() as (reader, writer):
        lines = "".join(f"X-{number}: {'a' * (70_000 // headers)}\r\n" for number in range(headers))
        writer.write(f"GET / HTTP/1.1\r\nHost: localhost\r\n{lines}".encode())
        assert await ended(reader)
        assert running.refused("too_large") + running.refused("bad_request") == 1


async def test_a_large_body_is_refused_and_a_small_one_not_waited_for() -> None:
    async with served() as running:
        assert (await running.ask(method="POST", headers={"Content-Length": "1000000"})).status == 413
        assert (await running.ask(method="POST", headers={"Content-Length": "10"})).status == 405
        async with running.connection() as (reader, writer):
            writer.write(request("/-/healthy", headers={"Content-Length": "4"}) + b"body" + request("/-/healthy"))
            assert [(await answer(reader)).status for _ in range(2)] == [200, 200]


async def test_a_scrape_comes_through_when_others_hold_all_connections(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text(f"basic_auth_users: {{a: {hashed('b')}}}", encoding="utf-8")
    patient = replace(QUICK, request=60, idle=60)
    async with served(path, patient) as running, contextlib.AsyncExitStack() as stack:
        kept_reader, kept_writer = await stack.enter_async_context(running.connection())
        kept_writer.write(request("/-/healthy", user=("a", "b")))
        assert (await answer(kept_reader)).status == 200
        for _ in range(50):
            reader, writer = await stack.enter_async_context(running.connection())
            writer.write(request("/-/healthy"))  # answered 401, and then held
            assert (await answer(reader)).status == 401
            assert len(running.port._crowd) <= patient.connections
        assert (await running.ask(user=("a", "b"))).status == 200
        kept_writer.write(request("/-/healthy", user=("a", "b")))  # who was let in once was not pushed out
        assert (await answer(kept_reader)).status == 200
        assert running.refused("crowded") >= 40


async def slow_reader(running: Served) -> socket.socket:
    """Ask for a large answer and take none of it."""
    loop = asyncio.get_running_loop()
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    await loop.sock_connect(client, ("127.0.0.1", running.number))
    await loop.sock_sendall(client, request("/metrics"))
    return client


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """Make /metrics far larger than what the sockets hold."""
    body = b"".join(b"a%d 1\n" % number for number in range(9_999)) * 200

    def rendering(*_: object, **__: object) -> Pieces[bytes]:
        yield
        return body

    monkeypatch.setattr("keywatch.engine.exposition.rendering", rendering)
    return body


async def test_a_large_answer_arrives_whole(large: bytes) -> None:
    async with served() as running:
        found = await running.ask("/metrics?collect[]=health")
        assert hashlib.sha256(found.body).digest() == hashlib.sha256(large).digest()
        assert protecting(found) == HEADERS


async def test_who_takes_an_answer_slowly_is_let_go(large: bytes) -> None:
    del large
    async with served(limits=replace(QUICK, answers=16)) as running:
        client = await slow_reader(running)
        await until(lambda: running.refused("slow_reader"), "the slow reader is let go")
        await until(lambda: not len(running.port._crowd), "the connection is forgotten")
        client.close()


async def test_slow_readers_keep_nobody_from_an_answer(large: bytes) -> None:
    del large
    async with served(limits=replace(QUICK, answer=60)) as running:
        clients = [await slow_reader(running) for _ in range(2)]
        crowd = running.port._crowd
        await until(lambda: answering(crowd) == 2, "both are answered")
        statuses = []
        while 200 not in statuses:
            statuses.append((await running.ask("/-/healthy")).status)
            assert len(statuses) < 10_000
        assert set(statuses) <= {200, 503}
        assert running.refused("slow_reader") == 1
        assert running.refused("crowded") == statuses.count(503)
        for client in clients:
            client.close()


def answering(crowd: Crowd) -> int:
    return sum(visitor.stage is Stage.ANSWERING for visitor in crowd._inside)


class Guest:
    """A visitor of a crowd."""

    def __init__(self, address: str, stage: Stage, since: float, *, trusted: bool = False) -> None:
        self.address = address
        self.stage = stage
        self.since = since
        self.trusted = trusted
        self.ended: Refusal | None = None

    def end(self, refusal: Refusal) -> None:
        """Remember why."""
        self.ended = refusal


def test_the_one_goes_who_waits_longest_among_those_of_the_address_with_the_most() -> None:
    crowd = Crowd(Limits(connections=6), clock=lambda: 100.0)
    lonely = Guest("192.0.2.9", Stage.READING, 1.0)
    answered = Guest("192.0.2.1", Stage.ANSWERING, 2.0)
    checked = Guest("192.0.2.1", Stage.CHECKING, 3.0)
    known = Guest("192.0.2.1", Stage.IDLE, 4.0, trusted=True)
    late = Guest("192.0.2.1", Stage.READING, 6.0)
    early = Guest("192.0.2.1", Stage.HANDSHAKE, 5.0)
    for guest in (lonely, answered, checked, known, late, early):
        assert crowd.enter(guest)
    gone: list[Guest] = []
    for _ in range(4):
        newcomer = Guest("192.0.2.1", Stage.CHECKING, 99.0)
        assert crowd.enter(newcomer)
        gone += [guest for guest in (lonely, answered, checked, known, late, early) if guest.ended]
        for guest in gone:
            guest.ended = None
    assert gone == [early, late, lonely, known]
    assert not crowd.enter(Guest("192.0.2.1", Stage.READING, 100.0))
    assert len(crowd) == 6


async def test_when_nobody_can_go_a_newcomer_is_told_so_and_closed() -> None:
    async with served(limits=replace(QUICK, connections=0)) as running, running.connection() as (reader, _):
        found = await answer(reader)
        assert (found.status, found.headers["retry-after"]) == (503, "1")
        assert running.refused("crowded") == 1


async def test_an_end_of_the_file_descriptors_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    import errno  # noqa: PLC0415

    loop = asyncio.get_running_loop()
    accept, failures = loop.sock_accept, [OSError(errno.EMFILE, "Too many open files"), ConnectionAbortedError()]

    async def failing(sock: socket.socket) -> tuple[socket.socket, object]:
        if failures:
            raise failures.pop()
        return await accept(sock)

    monkeypatch.setattr(loop, "sock_accept", failing)
    async with served() as running:
        assert (await running.ask()).status == 200
    assert caplog.messages == ["cannot take a connection: Too many open files"]


async def test_a_defect_in_a_page_is_a_plain_500_with_the_headers(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("keywatch.web.pages.writing", lambda *_: 1 / 0)
    async with served() as running:
        found = await running.ask("/")
    assert (found.status, found.body) == (500, b"internal: see the log\n")
    assert protecting(found) == HEADERS
    assert [record.exc_info is not None for record in caplog.records] == [True]


async def test_a_defect_in_the_gate_lets_nobody_in(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("keywatch.web.guard.Guard._judge", lambda *_: 1 / 0)
    async with served() as running:
        found = await running.ask("/metrics")
    assert (found.status, found.body) == (500, b"internal error: see the log\n")
    assert protecting(found) == HEADERS
    assert caplog.messages == ["answering failed"]


async def test_no_task_no_descriptor_and_no_connection_is_left_behind() -> None:
    before = asyncio.all_tasks()
    async with served(limits=QUICK) as running:
        base = asyncio.all_tasks() - before
        for number in range(100):
            async with running.connection() as (reader, writer):
                writer.write((b"", b"GET /", request("/-/healthy"), b"\0\0\r\n\r\n")[number % 4])
                if number % 4 >= 2:
                    await answer(reader)
        await until(lambda: not len(running.port._crowd), "all connections are forgotten")
        await until(lambda: asyncio.all_tasks() - before <= base, "all tasks are over")
        assert not running.port._runner.server.connections  # type: ignore[union-attr] # it runs
    await until(lambda: asyncio.all_tasks() <= before, "all tasks are over")


async def test_a_connection_that_has_ended_stays_ended() -> None:
    async with served() as running:
        server = running.port._runner.server
        assert server is not None
        connection = ClientConnection(server, Crowd(Limits()), lambda _: None, "192.0.2.1", None)
        connection.end(None)
        connection.enter(Stage.READING)
        connection.data_received(b"GET / HTTP/1.1\r\n\r\n")
        assert connection.stage is Stage.HANDSHAKE
        assert connection._deadline is None
