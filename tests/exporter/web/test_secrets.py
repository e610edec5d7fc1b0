"""Planted secrets are nowhere to be read: not in logs, pages, errors, metrics, nor in the list of processes."""

from __future__ import annotations

import http.client
import ssl
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from keywatch.cli.exit_codes import BAD_CONFIGURATION
from tests.exporter.commands import keywatch
from tests.exporter.web.process import Exporter, exporter
from tests.exporter.web.server import basic, hashed, trusting
from tests.kafka.certificates import CertificateAuthority
from tests.kafka.waiting import wait_until

PASSWORD = "planted-password"  # noqa: S105 - planted to be looked for
WRONG = "planted-wrong-password"
KEY_PASSWORD = "planted-key-password"  # noqa: S105 - as above
SASL_PASSWORD = "planted-sasl-password"  # noqa: S105 - as above
PATHS = ("/metrics", "/-/config", "/-/healthy", "/-/ready", "/", "/nowhere", f"/{PASSWORD}", f"/?{PASSWORD}")


def ask(running: Exporter, tls: ssl.SSLContext, path: str, password: str, method: str = "GET") -> tuple[int, str]:
    """Ask once: the status and all that came back."""
    connection = http.client.HTTPSConnection("localhost", running.number, timeout=10, context=tls)
    try:
        connection.request(method, path, headers={"Authorization": basic("prometheus", password)})
        answer = connection.getresponse()
        return answer.status, f"{answer.headers}\n{answer.read().decode()}"
    finally:
        connection.close()


def test_no_planted_secret_is_anywhere(tmp_path: Path) -> None:
    authority = CertificateAuthority(tmp_path / "certificates")
    server = authority.server("server", ["localhost"])
    client = authority.client("client")
    locked = tmp_path / "locked.key"
    key = serialization.load_pem_private_key(client.key.read_bytes(), None)
    locked.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(KEY_PASSWORD.encode()),
        )
    )
    known = hashed(PASSWORD)
    own_key = server.key.read_text(encoding="ascii")
    web = tmp_path / "web.yml"

    def write(users: str) -> None:
        block = "".join(f"    {line}\n" for line in own_key.splitlines())
        web.write_text(
            f"tls_server_config:\n  cert_file: {server.certificate}\n  key: |\n{block}basic_auth_users:\n{users}\n",
            encoding="utf-8",
        )

    config = (
        "clusters:\n- bootstrap: ['127.0.0.1:1']\n"
        f"  tls: {{cert_file: {client.certificate}, key_file: {locked}, key_password: {KEY_PASSWORD}}}\n"
        f"  sasl: {{mechanism: PLAIN, username: prometheus, password: {SASL_PASSWORD}}}"
    )
    shown: list[str] = []
    write(f"  prometheus: {known}")
    tls = trusting(authority.certificate)
    with exporter(tmp_path, web, "--log.level", "debug", config=config) as running:
        for password in (PASSWORD, WRONG):
            for path in PATHS:
                for method in ("GET", "POST"):
                    status, text = ask(running, tls, path, password, method)
                    assert (status == 401) == (password == WRONG)
                    shown.append(text.replace(f"/{PASSWORD}", "").replace(f"?{PASSWORD}", ""))
        write(f"  prometheus: {PASSWORD}\n  other: [{known}]\n  {known}: x")  # which cannot be used
        wait_until(lambda: "stays in force" in ask(running, tls, "/", PASSWORD)[1] + running.text(), 10, "it is told")
        write(f"  prometheus: {known}\n  other: {known}")
        wait_until(lambda: "read anew" in ask(running, tls, "/", PASSWORD)[1] + running.text(), 10, "it is told")
        listed = running.process.cmdline()  # what ps shows
        assert "keywatch" in listed
        shown += [*listed, *running.process.environ().values(), running.text()]
    write(f"  prometheus: {PASSWORD}")
    checked = keywatch("config", "check", "--web", str(web))
    assert checked.returncode == BAD_CONFIGURATION
    shown += [checked.stdout, checked.stderr]
    key_lines = own_key.splitlines()[1:-1]
    for secret in (PASSWORD, WRONG, KEY_PASSWORD, SASL_PASSWORD, known, basic("prometheus", PASSWORD)[6:], *key_lines):
        assert [text for text in shown if secret in text] == [], secret
