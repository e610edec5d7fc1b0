"""Changed files are in force at once and bad ones never; no scrape fails by a rotation, and nothing opens the port."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import shutil
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from keywatch.metrics import exporter as exporter_metrics
from keywatch.web.file import Protection, load
from keywatch.web.in_force import InForce
from tests.exporter.waiting import until
from tests.exporter.web.server import Served, answer, eventually, hashed, request, served, settled, trusting
from tests.kafka.certificates import Certificate, CertificateAuthority

OLD, NEW = ("prometheus", "old"), ("prometheus-2", "new")
NAMES = ["localhost", "127.0.0.1"]


class Files:
    """A web configuration with its certificate in one folder, changed the way operators do; `clock` is the future."""

    def __init__(self, folder: Path) -> None:
        self.authority = CertificateAuthority(folder / "authority")
        self.path = folder / "web.yml"
        self.now = time.time()
        self.users(OLD)
        self.certificate(self.authority.server("first", NAMES))
        self.settle()

    def clock(self) -> float:
        """Return the time that the code under test sees."""
        return self.now

    def settle(self) -> None:
        """Let the files grow old."""
        self.now = time.time() + 10

    def users(self, *users: tuple[str, str], more: str = "") -> None:
        """Replace the configuration."""
        tls = "tls_server_config: {cert_file: s.pem, key_file: s.key}\n"
        self.write(tls + more + "basic_auth_users:\n" + "".join(f"  {name}: {hashed(word)}\n" for name, word in users))

    def write(self, text: str) -> None:
        """Replace the configuration by this text at one stroke."""
        new = self.path.with_suffix(".new")
        new.write_text(text, encoding="utf-8")
        new.replace(self.path)

    def certificate(self, server: Certificate) -> None:
        """Replace certificate and key, one after the other."""
        for source, name in ((server.certificate, "s.pem"), (server.key, "s.key")):
            new = self.path.parent / f"{name}.new"
            shutil.copyfile(source, new)
            new.replace(self.path.parent / name)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def seen_by(in_force: InForce) -> Protection:
    """Return what holds once the files were looked at."""
    in_force.look()
    return in_force.now()


def value(in_force: InForce) -> float:
    in_force.look()
    samples = {sample.metric: sample.value for sample in in_force.samples()}
    return samples[exporter_metrics.WEB_CONFIG_RELOAD_SUCCESSFUL]


def test_without_a_file_nothing_is_protected_and_nothing_told() -> None:
    in_force = InForce(None)
    assert str(seen_by(in_force)) == "plain HTTP, no users"
    assert list(in_force.samples()) == []


def test_what_did_not_change_is_not_read_again(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[Path] = []

    def counted(path: Path) -> Protection:
        reads.append(path)
        return load(path)

    monkeypatch.setattr("keywatch.web.in_force.load", counted)
    in_force = InForce(files.path, files.clock)
    for _ in range(100):
        seen_by(in_force)
    assert len(reads) == 2  # once more when it was settled
    files.users(OLD, NEW)
    files.settle()
    for _ in range(100):
        seen_by(in_force)
    assert len(reads) == 3


@pytest.mark.parametrize("changed", ["s.pem", "s.key"])
def test_a_certificate_or_key_alone_is_watched_too(files: Files, changed: str) -> None:
    in_force = InForce(files.path, files.clock)
    before = seen_by(in_force).context
    (files.path.parent / changed).touch()
    files.settle()
    assert seen_by(in_force).context is not before


def test_a_file_that_is_being_written_is_waited_for(files: Files) -> None:
    in_force = InForce(files.path, files.clock)
    before = seen_by(in_force)
    files.users(OLD, NEW)
    files.now = files.path.stat().st_mtime + 0.2
    assert seen_by(in_force) is before
    files.now += 0.1
    assert seen_by(in_force).config.basic_auth_users.keys() == {"prometheus", "prometheus-2"}


def test_a_file_that_changed_while_it_was_read_for_the_first_time_is_read_again(files: Files) -> None:
    files.now = time.time()
    stamp = files.path.stat().st_mtime_ns
    in_force = InForce(files.path, files.clock)
    files.path.write_text(files.path.read_text(encoding="utf-8").replace("prometheus:", "PROMETHEUS:"), "utf-8")
    os.utime(files.path, ns=(stamp, stamp))  # as a clock does that is too coarse to tell
    files.settle()
    assert seen_by(in_force).config.basic_auth_users.keys() == {"PROMETHEUS"}


def test_a_bad_file_leaves_the_old_one_in_force_is_told_once_and_mended(
    files: Files, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    seconds = [0.0]
    monkeypatch.setattr("keywatch.web.in_force.time.monotonic", lambda: seconds[0])
    in_force = InForce(files.path, files.clock)
    good = seen_by(in_force)
    assert value(in_force) == 1.0
    files.users(OLD, more="users: {}\n")
    files.settle()
    for _ in range(5):
        assert seen_by(in_force) is good
        assert value(in_force) == 0.0
        seconds[0] += 2
    line, *rest = caplog.messages
    assert line.startswith(f"{files.path}:2: users: unknown key")
    assert rest == ["what was read before stays in force"]
    files.users(NEW)
    files.settle()
    assert seen_by(in_force).config.basic_auth_users.keys() == {"prometheus-2"}
    assert value(in_force) == 1.0
    assert caplog.messages[2:] == [f"{files.path}: read anew: TLS, 1 user"]


def test_what_a_bad_file_waits_for_is_found_when_it_comes(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = [0.0]
    monkeypatch.setattr("keywatch.web.in_force.time.monotonic", lambda: seconds[0])
    in_force = InForce(files.path, files.clock)
    seen_by(in_force)
    files.write(files.path.read_text(encoding="utf-8").replace("s.key", "later.key"))
    files.settle()
    seen_by(in_force)
    assert value(in_force) == 0.0
    shutil.copyfile(files.path.parent / "s.key", files.path.parent / "later.key")
    assert value(in_force) == 0.0  # not looked for all the time
    seconds[0] += 1.1
    assert value(in_force) == 1.0


STRICT = (
    "tls_server_config:\n  cert_file: s.pem\n  key_file: s.key\n  client_ca_file: authority/authority.pem\n"
    "  client_auth_type: RequireAndVerifyClientCert\n  client_allowed_sans: [prometheus]\n"
    f"basic_auth_users:\n  prometheus: {hashed('x')}\n"
)


@pytest.mark.parametrize(
    ("weaker", "lost"),
    [
        ("", "tls_server_config"),
        (STRICT[STRICT.index("basic_auth_users") :], "tls_server_config"),
        (STRICT[: STRICT.index("basic_auth_users")], "all of basic_auth_users"),
        (STRICT.replace("  client_allowed_sans: [prometheus]\n", ""), "client_allowed_sans"),
        (
            STRICT.replace(
                "RequireAndVerifyClientCert\n  client_allowed_sans: [prometheus]", "VerifyClientCertIfGiven"
            ),
            "the demand for client certificates",
        ),
        ("tls_server_config: {cert_file: s.pem, key_file: s.key}\n", "the demand for client certificates"),
    ],
    ids=["nothing", "no TLS", "no users", "no names", "certificates if given", "no client certificates"],
)
def test_protection_is_not_taken_away_without_a_restart(files: Files, weaker: str, lost: str) -> None:
    files.write(STRICT)
    in_force = InForce(files.path, files.clock)
    files.settle()
    before = seen_by(in_force).config
    files.write(weaker)
    files.settle()
    assert seen_by(in_force).config is before
    assert in_force._problem == f"{files.path}: takes away {lost}, which needs a restart"
    assert seen_by(InForce(files.path, files.clock)).config != before


@contextlib.asynccontextmanager
async def scraping(running: Served, tls: ssl.SSLContext, users: list[tuple[str, str]]) -> AsyncIterator[list[int]]:
    """Scrape without a pause, each time on a connection of its own and once on a kept one; returns the statuses."""
    seen: list[int] = []

    async def anew() -> None:
        while True:
            seen.append((await running.ask("/metrics?collect[]=health", user=users[-1], tls=tls)).status)

    async def kept() -> None:
        async with running.connection(tls) as (reader, writer):
            while True:
                writer.write(request("/metrics?collect[]=health", user=users[-1]))
                seen.append((await answer(reader)).status)

    tasks = [asyncio.create_task(anew()), asyncio.create_task(kept())]
    try:
        yield seen
        assert not any(task.done() for task in tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def serial(running: Served, tls: ssl.SSLContext) -> str:
    """Return the serial number of the certificate that a new connection is shown."""
    async with running.connection(tls) as (_, writer):
        return str(writer.get_extra_info("peercert")["serialNumber"])


async def changed(running: Served, tls: ssl.SSLContext, before: str) -> str:
    """Wait until new connections are shown another certificate than before, and give it."""
    seen = [before]

    async def look() -> bool:
        seen.append(await serial(running, tls))
        return seen[-1] != before

    await eventually(look, "another certificate")
    return seen[-1]


async def test_certificates_and_passwords_are_rotated_and_no_scrape_fails(files: Files) -> None:
    tls = trusting(files.authority.certificate)
    users = [OLD]
    async with served(files.path) as running, scraping(running, tls, users) as seen:
        shown = await serial(running, tls)
        for name in ("second", "third"):
            files.certificate(files.authority.server(name, NAMES))
            shown = await changed(running, tls, shown)
        files.users(OLD, NEW)
        await settled(running, 200, user=NEW, tls=tls)
        users.append(NEW)
        count = len(seen)
        await until(lambda: len(seen) > count + 10, "scrapes as the new user")
        files.users(NEW)
        await settled(running, 401, user=OLD, tls=tls)
        count = len(seen)
        await until(lambda: len(seen) > count + 10, "scrapes without the old user")
        assert set(seen) == {200}


async def test_a_change_that_cannot_be_used_is_in_the_metrics_and_no_scrape_fails(files: Files) -> None:
    tls = trusting(files.authority.certificate)

    async def told(success: float) -> bool:
        body = (await running.ask("/metrics?collect[]=health", user=OLD, tls=tls)).body.decode()
        return f"\nkeywatch_web_config_reload_successful {success:g}\n" in body

    async with served(files.path) as running, scraping(running, tls, [OLD]) as seen:
        assert await told(1)
        (files.path.parent / "s.key").write_text("no key\n", encoding="ascii")
        await eventually(lambda: told(0), "the failure is told")
        files.certificate(files.authority.server("mended", NAMES))
        await eventually(lambda: told(1), "the success is told")
        assert set(seen) == {200}


async def test_a_file_that_is_emptied_for_a_moment_opens_nothing(files: Files) -> None:
    tls = trusting(files.authority.certificate)
    async with served(files.path) as running:
        text = files.path.read_text(encoding="utf-8")
        files.path.write_text("", encoding="utf-8")
        old = time.time() - 60
        os.utime(files.path, (old, old))  # as if it had been so for long
        assert (await running.ask(tls=tls)).status == 401
        assert (await running.ask()).status == 0  # plain HTTP
        files.path.write_text(text, encoding="utf-8")
        assert (await running.ask(user=OLD, tls=tls)).status == 200
