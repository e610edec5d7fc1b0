"""`keywatch config check` warns of what is open or in clear, and with `--strict` refuses it."""

from __future__ import annotations

from pathlib import Path

import pytest

from keywatch.cli.command import main
from keywatch.cli.exit_codes import BAD_CONFIGURATION, OK
from keywatch.config.exposure import exposures
from keywatch.service.config_file import parse
from tests.exporter.web.server import hashed
from tests.kafka.certificates import CertificateAuthority

CLOSED = """
clusters:
  - bootstrap: ["kafka:9093"]
    tls: {}
    sasl: {mechanism: SCRAM-SHA-512, username: keywatch, password_file: word}
    keycloaks: [{name: k, url: "https://keycloak:9000"}]
    logs: {elasticsearch: {url: "https://elastic:9200", api_key_file: word}}
web: {listen_address: "127.0.0.1:9877"}
"""
KAFKA = (
    'clusters: [{bootstrap: ["kafka:9093"], tls: {}, sasl: {mechanism: SCRAM-SHA-512, username: u, password_file: word}'
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "word").write_text("hunter2", encoding="utf-8")
    return tmp_path


def test_nothing_is_said_of_what_is_closed(folder: Path) -> None:
    assert exposures(parse(CLOSED, "k.yml", folder)) == []
    local = """
clusters:
  - bootstrap: ["localhost:9092", "127.0.0.1:9093", "[::1]:9092"]
    keycloaks: [{name: k, url: "http://localhost:9000"}]
web: {listen_address: "[::1]:9877"}
"""
    assert exposures(parse(local, "k.yml", folder)) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('clusters: [{bootstrap: ["localhost:1", "kafka:9092"]}]', "clusters[0].tls: is missing"),
        ('clusters: [{bootstrap: ["kafka:9092"], tls: {}}]', "clusters[0].sasl: is missing, and so is tls.cert_file"),
        (KAFKA + ', keycloaks: [{name: k, url: "http://keycloak:9000"}]}]', "clusters[0].keycloaks[0].url: http://"),
        (KAFKA + ', logs: {elasticsearch: {url: "http://e:9200"}}}]', "clusters[0].logs.elasticsearch.url: http://"),
        (
            KAFKA + ', logs: {logstash: [{name: l, url: "http://l:9600"}]}}]',
            "clusters[0].logs.logstash[0].url: http://",
        ),
        (
            KAFKA.replace("password_file: word", "password: hunter2") + "}]",
            "clusters[0].sasl.password: is a secret that",
        ),
        (KAFKA + ', logs: {elasticsearch: {url: "https://e:1", api_key: aHVudGVyMg==}}}]', "api_key: is a secret that"),
        (
            KAFKA + ", client: {ssl.keystore.password: hunter2}}]",
            "clusters[0].client.ssl.keystore.password: is a secret that",
        ),
        (KAFKA + "}]", "web.config_file: is missing"),
    ],
)
def test_what_is_open_is_named_by_its_place(folder: Path, text: str, words: str) -> None:
    told = exposures(parse(text, "k.yml", folder))
    assert [one for one in told if words in one], told
    assert "hunter2" not in "".join(told)
    assert "aHVudGVyMg" not in "".join(told)


def test_it_warns_and_strictly_refuses(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "keywatch.yml"
    file.write_text('clusters: [{bootstrap: ["kafka:9092"]}]\n', encoding="utf-8")
    assert main(["config", "check", str(file)]) == OK
    told = capsys.readouterr()
    assert f"{file}: warning: clusters[0].tls: is missing" in told.err
    assert f"{file}: good; clusters: kafka" in told.out
    assert main(["config", "check", "--strict", str(file)]) == BAD_CONFIGURATION
    told = capsys.readouterr()
    assert "good" not in told.out
    assert f"{file}: clusters[0].tls: is missing" in told.err
    file.write_text(CLOSED, encoding="utf-8")
    assert main(["config", "check", "--strict", str(file)]) == OK
    assert capsys.readouterr().err == ""


def test_the_ports_own_file_is_judged(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    server = CertificateAuthority(folder / "authority").server("server", ["localhost"])
    tls = f"tls_server_config: {{cert_file: {server.certificate}, key_file: {server.key}}}\n"
    users = f"basic_auth_users: {{p: '{hashed('word')}'}}\n"
    web = folder / "web.yml"
    for text, words in (
        ("{}\n", "anybody may ask the port"),
        (users, "passwords and answers can be read on the way"),
        (tls, "anybody may ask the port"),
    ):
        web.write_text(text, encoding="utf-8")
        assert main(["config", "check", "--strict", "--web", str(web)]) == BAD_CONFIGURATION
        assert words in capsys.readouterr().err
    web.write_text(tls + users, encoding="utf-8")
    assert main(["config", "check", "--strict", "--web", str(web)]) == OK
    file = folder / "keywatch.yml"
    file.write_text(CLOSED.replace('web: {listen_address: "127.0.0.1:9877"}', ""), encoding="utf-8")
    assert main(["config", "check", "--strict", str(file)]) == BAD_CONFIGURATION
    assert main(["config", "check", "--strict", str(file), "--web", str(web)]) == OK
