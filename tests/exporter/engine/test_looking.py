"""Files are looked at beside the event loop: one that never answers costs a tenth of a second, once."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keywatch.config import secret
from keywatch.engine.looking import Looking
from keywatch.engine.probe import ProbeError
from keywatch.kafka.security.identity import ClusterSecurity
from keywatch.net import tls
from keywatch.net.http_peer import HttpPeer
from keywatch.service.config_file import parse
from keywatch.web import in_force
from keywatch.web.in_force import InForce
from tests.exporter.waiting import until
from tests.exporter.web.server import hashed, served

CLUSTER = "clusters: [{bootstrap: ['k:1'], sasl: {mechanism: PLAIN, username: u, password_file: %s}}]"


@pytest.fixture
def answers() -> Iterator[threading.Event]:
    """Return what a file system waits for before it answers; it does so with the test's end at the latest."""
    event = threading.Event()
    yield event
    event.set()


async def ticks_of(work: Callable[[], object]) -> float:
    """Return the longest time that the event loop stood still while something was done, in seconds."""
    longest, ended = 0.0, False

    async def tick() -> None:
        nonlocal longest
        while not ended:
            before = time.monotonic()
            await asyncio.sleep(0.005)
            longest = max(longest, time.monotonic() - before)

    ticking = asyncio.ensure_future(tick())
    await asyncio.wait_for(work(), 10)  # type: ignore[arg-type] # a coroutine
    ended = True
    await ticking
    return longest


async def test_what_is_looked_at_is_known_when_it_returns_and_not_asked_all_the_time() -> None:
    looks: list[str] = []
    looking = Looking("x", lambda: looks.append(threading.current_thread().name), every=3600.0)
    for _ in range(3):
        await looking.fresh()
    assert looks == ["x"]


async def test_one_that_hangs_is_waited_for_a_moment_and_once(answers: threading.Event) -> None:
    def look() -> None:
        answers.wait()

    looking = Looking("x", look, every=0.0)
    began = time.monotonic()
    await looking.fresh()
    assert time.monotonic() - began > 0.09
    for _ in range(1000):
        await asyncio.wait_for(looking.fresh(), 1.0)
    assert sum(thread.name == "x" for thread in threading.enumerate()) == 1
    answers.set()


async def test_its_thread_goes_with_its_owner() -> None:
    looking = Looking("owner", lambda: None)
    await looking.fresh()
    assert any(thread.name == "owner" for thread in threading.enumerate())
    del looking
    gc.collect()
    await until(lambda: all(thread.name != "owner" for thread in threading.enumerate()), "it ended")


async def test_secrets_on_a_file_system_that_hangs_hold_nothing_up(
    answers: threading.Event, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    file.write_text("hunter2", encoding="utf-8")
    (cluster,) = parse(CLUSTER % file, "test").clusters
    security = ClusterSecurity(cluster)
    for module in (secret, tls):
        monkeypatch.setattr(module, "stamp_of", lambda _: answers.wait())
    assert await ticks_of(security.fresh) < 1.0
    assert security.client_settings()["sasl.password"] == "hunter2"
    answers.set()


async def test_a_changed_secret_is_known_to_the_next_who_asks(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("old", encoding="utf-8")
    (cluster,) = parse(CLUSTER % file, "test").clusters
    security = ClusterSecurity(cluster)
    before = security.version()
    file.write_text("a new one", encoding="utf-8")
    await security.fresh()
    assert security.client_settings()["sasl.password"] == "a new one"
    assert security.version() != before


async def test_an_http_server_whose_files_hang_holds_nothing_up(
    answers: threading.Event, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    file.write_text("x", encoding="utf-8")
    text = "clusters: [{bootstrap: ['k:1'], keycloaks: [{name: k, url: 'http://127.0.0.1:1', basic_auth: {username: u,"
    (cluster,) = parse(f"{text} password_file: {file}}}}}]}}]", "test").clusters
    node = cluster.keycloaks[0]
    peer = HttpPeer(node.url, node.tls, node.basic_auth)

    async def ask() -> None:
        with pytest.raises(ProbeError, match="refused: "):
            await peer.get("x", 1.0, 100)

    for _ in range(2):
        assert await ticks_of(ask) < 1.0
        monkeypatch.setattr(secret, "stamp_of", lambda _: answers.wait())
    await peer.close()
    answers.set()


async def test_the_port_answers_while_its_files_hang(
    answers: threading.Event, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = tmp_path / "web.yml"
    web.write_text(f"basic_auth_users: {{a: {hashed('x')}}}\n", encoding="utf-8")
    async with served(web) as running:
        assert (await running.ask(user=("a", "x"))).status == 200
        monkeypatch.setattr(in_force, "_stamp", lambda _: answers.wait())
        await asyncio.sleep(0.15)  # so that it is due

        async def ask() -> None:
            for _ in range(5):
                assert (await running.ask(user=("a", "x"))).status == 200

        assert await ticks_of(ask) < 1.0
        answers.set()


async def test_a_file_is_not_asked_by_who_wants_to_know_what_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    web = tmp_path / "web.yml"
    web.write_text("rate_limit: {}\n", encoding="utf-8")
    holding = InForce(web)

    def refuse(*_: object) -> None:
        raise AssertionError("asked")

    monkeypatch.setattr(Path, "stat", refuse)
    assert holding.now().files == (web,)
