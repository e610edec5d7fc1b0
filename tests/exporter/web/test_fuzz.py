"""Ten thousand broken requests and a thousand broken handshakes: nothing ends, leaks or waits, and scrapes go on."""

from __future__ import annotations

import contextlib
import http.client
import random
import re
import socket
import ssl
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Self

import pytest

from tests.exporter.web.process import Exporter, exporter
from tests.exporter.web.server import basic, hashed, trusting
from tests.kafka.certificates import CertificateAuthority
from tests.kafka.waiting import wait_until

REQUESTS = 10_000
CONNECTIONS = 4
WARM_UP = 2_000  # caches fill, and the allocator has its pages
HANDSHAKES = 1_000
USER = ("prometheus", "word")
SEED = 20_241_123
LONGEST_SCRAPE = 1.0
MOST_GROWTH = 20 * 2**20
METHODS = [
    b"GET",
    b"HEAD",
    b"POST",
    b"PUT",
    b"DELETE",
    b"OPTIONS",
    b"TRACE",
    b"CONNECT",
    b"PATCH",
    b"PRI",
    b"get",
    b"G\0",
]
PATHS = [
    b"/metrics", b"/", b"/-/healthy", b"/-/config", b"/metrics?collect[]=health", b"/metrics?collect[]=%00%ff&collect",
    b"/../../etc/passwd", b"//", b"*", b"http://[::1]/metrics", b"http://a:b@c:99999/", b"/%", b"/\xff\xfe", b"",
    b"/" + b"a" * 9000, b"localhost:443", b"/-/config#x", b"/?" + b"&".join(b"a=%d" % n for n in range(500)),
]  # fmt: skip
VERSIONS = [b"HTTP/1.1", b"HTTP/1.0", b"HTTP/0.9", b"HTTP/2.0", b"HTTP/9.9", b"http/1.1", b"", b"HTTP/1.1 extra"]
HEADERS = [
    b"Host: localhost", b"Host: a\r\nHost: b", b"Connection: keep-alive", b"Connection: close", b"Connection: upgrade",
    b"Upgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13", b"Upgrade: h2c",
    b"Content-Length: 0", b"Content-Length: 5", b"Content-Length: -1", b"Content-Length: 99999999999999999999",
    b"Content-Length: 4\r\nContent-Length: 5", b"Transfer-Encoding: chunked", b"Transfer-Encoding: gzip, chunked",
    b"Content-Length: 3\r\nTransfer-Encoding: chunked", b"Expect: 100-continue", b"Expect: nothing",
    b"Accept: application/openmetrics-text", b"Accept-Encoding: gzip;q=0.5, *;q=0", b"Accept-Encoding: " + b"a," * 999,
    b"Content-Encoding: gzip", b"Content-Encoding: br", b"Content-Type: multipart/form-data", b"Range: bytes=0-1",
    b"Authorization: Basic", b"Authorization: Basic \xff\xff", b"Authorization: Digest a=b", b"Cookie: " + b"a=b;" * 99,
    b" folded: x", b"no colon", b": empty", b"X\0Y: z", b"X-Y: \0", b"X-Y:\x0b\x7f", b"Sec-WebSocket-Extensions: x;;;",
    b"If-Modified-Since: never", b"X-Forwarded-For: ::1", b"A: " + b"b" * 8200, b"Content-Type: ;;;=;",
]  # fmt: skip
BODIES = [
    b"",
    b"",
    b"body!",
    b"5\r\nhello\r\n0\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b"-1\r\n",
    b"0\r\n\r\n",
    b"\x1f\x8b\x08\0",
]
_STATUS = re.compile(rb"HTTP/1\.[01] (\d\d\d) ")


def fuzzed(random_: random.Random) -> bytes:
    """Make a request that is broken in one way or the other, or not at all."""

    def mostly(usual: bytes, others: list[bytes]) -> bytes:
        return usual if random_.random() < 0.8 else random_.choice(others)

    auth = [f"Authorization: {basic(*USER)}".encode()] if random_.random() < 0.7 else []
    host = [b"Host: localhost"] if random_.random() < 0.9 else []
    headers = host + auth + random_.sample(HEADERS, random_.choice([0, 0, 0, 1, 1, 2]))
    line = b" ".join((mostly(b"GET", METHODS), mostly(random_.choice(PATHS[:5]), PATHS), mostly(b"HTTP/1.1", VERSIONS)))
    ends = random_.choices([b"\r\n", b"\n", b"\r", b"\0"], [96, 2, 1, 1])[0]
    made = bytearray(ends.join([line, *headers, b"", mostly(b"", BODIES)]))
    if random_.random() < 0.15:
        for _ in range(random_.randrange(1, 8)):
            made[random_.randrange(len(made))] = random_.randrange(256)
    if random_.random() < 0.05:
        del made[random_.randrange(len(made)) :]
    return bytes(made) * (3 if random_.random() < 0.05 else 1)


class Scraper:
    """Scrapes all the time as Prometheus does, on a kept connection, on a thread of its own; a context manager."""

    def __init__(self, number: int, tls: ssl.SSLContext | None) -> None:
        self._number = number
        self._tls = tls
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._scrape)
        self.seconds: list[float] = []
        self.failures: list[str] = []

    def _connection(self) -> http.client.HTTPConnection:
        if self._tls is None:
            return http.client.HTTPConnection("127.0.0.1", self._number, timeout=5)
        return http.client.HTTPSConnection("localhost", self._number, timeout=5, context=self._tls)

    def _scrape(self) -> None:
        connection = self._connection()
        while not self._over.wait(0.05):
            started = time.monotonic()
            if len(self.seconds) % 10 == 0:  # at times it begins anew
                connection.close()
            try:
                connection.request("GET", "/metrics", headers={"Authorization": basic(*USER)})
                answer = connection.getresponse()
                body = answer.read()
                if answer.status != 200 or b"keywatch_build_info" not in body:
                    self.failures.append(f"{answer.status}: {body[:100]!r}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
            self.seconds.append(time.monotonic() - started)
        connection.close()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def served_on(folder: Path, tls: str) -> Path:
    path = folder / "web.yml"
    path.write_text(f"{tls}basic_auth_users: {{{USER[0]}: {hashed(USER[1])}}}\n", encoding="utf-8")
    return path


@contextlib.contextmanager
def unharmed(running: Exporter, tls: ssl.SSLContext | None) -> Iterator[Scraper]:
    """Scrape while the block runs; afterwards nothing may have failed, been logged or been left behind."""
    with Scraper(running.number, tls) as scraper:
        wait_until(lambda: len(scraper.seconds) > 5, 20, "scrapes")
        descriptors, threads = running.process.num_fds(), running.process.num_threads()
        memory = running.process.memory_info().rss
        said = running.text()
        yield scraper
        wait_until(lambda: running.process.num_fds() <= descriptors + 2, 15, "all descriptors are closed")
        count = len(scraper.seconds)
        wait_until(lambda: len(scraper.seconds) > count + 5, 20, "scrapes")
    assert scraper.failures == []
    assert max(scraper.seconds) < LONGEST_SCRAPE
    assert running.process.num_threads() <= threads + 1  # bcrypt's may have begun
    assert running.process.memory_info().rss < memory + MOST_GROWTH
    assert "Traceback" not in running.text()
    assert [line for line in running.text()[len(said) :].splitlines() if "cluster=kafka" not in line] == []


def send(number: int, requests: int, random_: random.Random) -> Counter[bytes]:
    """Send broken requests, as many on a connection as it bears; returns how often each status was seen."""
    seen: Counter[bytes] = Counter()
    client = socket.create_connection(("127.0.0.1", number), timeout=5)
    for _ in range(requests):
        try:
            client.sendall(fuzzed(random_))
            client.settimeout(0.02)
            found = client.recv(65536)
            seen.update(_STATUS.findall(found))
            if found and b"\r\nConnection: close\r\n" not in found:
                continue
        except OSError:  # no answer in time, or none at all
            pass
        client.close()
        client = socket.create_connection(("127.0.0.1", number), timeout=5)
    client.close()
    return seen


def send_on_several(number: int, requests: int, seed: int) -> Counter[bytes]:
    """Do so on several connections at once."""
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        randoms = [random.Random(seed + each) for each in range(CONNECTIONS)]  # noqa: S311 - repeatable, not secret
        work = [pool.submit(send, number, requests // CONNECTIONS, each) for each in randoms]
        return sum((each.result() for each in work), Counter())


def test_ten_thousand_broken_requests_harm_nothing(tmp_path: Path) -> None:
    started = time.monotonic()
    with exporter(tmp_path, served_on(tmp_path, "")) as running:
        send_on_several(running.number, WARM_UP, SEED)
        with unharmed(running, None):
            seen = send_on_several(running.number, REQUESTS - WARM_UP, SEED + CONNECTIONS)
            assert time.monotonic() - started < 30
    # They were broken in many ways, and some were not; none found a defect.
    assert {b"200", b"400", b"401", b"404", b"405"} <= seen.keys()
    assert b"500" not in seen


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    authority = CertificateAuthority(tmp_path_factory.mktemp("certificates"))
    authority.server("s", ["localhost", "127.0.0.1"])
    return authority


def hello(trusted: ssl.SSLContext) -> bytes:
    """Return the beginning of a real handshake."""
    outgoing = ssl.MemoryBIO()
    client = trusted.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    with contextlib.suppress(ssl.SSLWantReadError):
        client.do_handshake()
    return outgoing.read()


def shake(number: int, handshakes: int, random_: random.Random, good: bytes) -> None:
    """Begin handshakes in many ways that come to nothing, and hold hundreds of them at once."""

    def changed(data: bytes) -> bytes:
        made = bytearray(data)
        made[random_.randrange(len(made))] ^= 1 << random_.randrange(8)
        return bytes(made)

    sends: list[Callable[[], bytes]] = [
        lambda: b"",
        lambda: good,  # and then silence
        lambda: good[: random_.randrange(1, len(good))],
        lambda: changed(good),
        lambda: random_.randbytes(random_.randrange(1, 2000)),
        lambda: b"\x16\x03\x01\xff\xff" + random_.randbytes(500),
        lambda: b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
        lambda: good + random_.randbytes(200),
    ]
    held: list[socket.socket] = []
    for turn in range(handshakes):
        client = socket.create_connection(("127.0.0.1", number), timeout=5)
        held.append(client)
        with contextlib.suppress(OSError):  # it may have been pushed out already
            client.sendall(sends[turn % len(sends)]())
            if turn % 5 == 0:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                held.pop().close()  # with a reset
            elif turn % 7 == 0:
                client.shutdown(socket.SHUT_WR)
        if len(held) > 300:
            held.pop(random_.randrange(len(held))).close()
    for client in held:
        client.close()


def test_a_thousand_slow_or_broken_handshakes_harm_nothing(tmp_path: Path, authority: CertificateAuthority) -> None:
    random_ = random.Random(SEED)  # noqa: S311 - repeatable, not secret
    folder = authority.certificate.parent
    files = served_on(tmp_path, f"tls_server_config: {{cert_file: {folder}/s.pem, key_file: {folder}/s.key}}\n")
    trusted = trusting(authority.certificate)
    good = hello(trusted)
    with exporter(tmp_path, files) as running:
        shake(running.number, HANDSHAKES // 2, random_, good)  # as many as there may be at once
        with unharmed(running, trusted):
            shake(running.number, HANDSHAKES // 2, random_, good)
