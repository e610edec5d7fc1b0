"""`keywatch check --live` says whether the port answers, whatever guards it, and says no for whatever does not."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from keywatch.cli.live import alive
from keywatch.engine.store import Key
from tests.exporter.commands import keywatch
from tests.exporter.web.server import hashed, served
from tests.kafka.certificates import CertificateAuthority

NAMES = ["localhost", "127.0.0.1"]


async def live(*arguments: str) -> CompletedProcess[str]:
    """Run the command while the loop of the test goes on."""
    return await asyncio.to_thread(keywatch, "check", "--live", *arguments)


def web_file(folder: Path, text: str) -> Path:
    """Write a web configuration with a certificate beside it."""
    server = CertificateAuthority(folder / "authority").server("server", NAMES)
    (folder / "web.yml").write_text(
        text.format(cert=server.certificate, key=server.key, hash=hashed("word")), encoding="utf-8"
    )
    return folder / "web.yml"


TLS = "tls_server_config: {{cert_file: {cert}, key_file: {key}}}\n"
CLIENTS = (
    "tls_server_config:\n  cert_file: {cert}\n  key_file: {key}\n  client_ca_file: {cert}\n"
    "  client_auth_type: RequireAndVerifyClientCert\n"
)


async def test_an_open_port_is_alive_where_the_file_has_it_listen(tmp_path: Path) -> None:
    async with served() as port:
        file = tmp_path / "keywatch.yml"
        file.write_text(f"web: {{listen_address: ':{port.number}'}}\nclusters: []\n", encoding="utf-8")
        done = await live("--config.file", str(file))
    assert (done.returncode, "answers with status 200" in done.stdout) == (0, True), done


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("basic_auth_users: {{p: '{hash}'}}\n", "answers with status 401"),
        (TLS, "answers with status 200"),
        (TLS + "basic_auth_users: {{p: '{hash}'}}\n", "answers with status 401"),
        (CLIENTS, "without a client certificate"),
        (CLIENTS + "  max_version: TLS12\n", "without a client certificate"),
    ],
)
async def test_a_port_that_refuses_is_alive(tmp_path: Path, text: str, words: str) -> None:
    async with served(web_file(tmp_path, text)) as port:
        for scheme in ("", "http" if "tls" not in text else "https"):
            file = tmp_path / "keywatch.yml"
            file.write_text(f"web: {{listen_address: ':{port.number}'}}\n", encoding="utf-8")
            url = f"{scheme}://127.0.0.1:{port.number}" if scheme else None
            lives, told = await asyncio.to_thread(alive, url, file)
            assert (lives, words in told) == (True, True), told


async def test_probes_that_stand_still_are_no_life(monkeypatch: pytest.MonkeyPatch) -> None:
    async with served() as port:
        monkeypatch.setattr(
            "keywatch.engine.scheduler.Scheduler.standing_still", lambda _: [Key("kafka", "groups", "")]
        )
        done = await live("--exporter", f"http://127.0.0.1:{port.number}")
    assert (done.returncode, "probes that stand still: kafka/groups" in done.stderr) == (1, True), done


@contextlib.asynccontextmanager
async def answering(words: bytes | None) -> AsyncIterator[int]:
    """Accept connections and answer with these words, or never."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(10)
        if words is not None:
            writer.write(words)
        else:
            await reader.read()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


@pytest.mark.parametrize(
    "words", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 500 oh\r\n\r\n", b"\x15\x03\x03\x00\x02\x02\x28", b"HTTP/1.1 x\r\n\r\n"]
)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_what_is_no_keywatch_is_not_alive(words: bytes, scheme: str) -> None:
    async with answering(words) as number:
        done = await live("--exporter", f"{scheme}://127.0.0.1:{number}")
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr


async def test_who_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keywatch.cli.live._WITHIN", 0.2)
    async with answering(None) as number:
        lives, words = await asyncio.to_thread(alive, f"http://127.0.0.1:{number}", None)
    assert (lives, "timed out" in words) == (False, True), words


@pytest.mark.parametrize("url", ["localhost:1", "ftp://a:1", "http://", "http://a:99999", "http://[::"])
async def test_a_bad_address_is_told(url: str) -> None:
    done = await live("--exporter", url)
    assert (done.returncode, "--exporter: must be http://HOST:PORT" in done.stderr) == (2, True), done


async def test_a_file_that_is_bad_in_its_other_parts_is_no_matter(tmp_path: Path) -> None:
    file = tmp_path / "keywatch.yml"
    file.write_text("clusters: [{bootstraps: x}]\nweb: {listen_address: nowhere}\n", encoding="utf-8")
    done = await live("--config.file", str(file))
    assert (done.returncode, "web.listen_address: 'nowhere' is not host:port" in done.stderr) == (2, True), done
