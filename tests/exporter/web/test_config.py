"""A web configuration is taken whole or refused with the place, the mistake and what is allowed; secrets never show."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from keywatch.cli.command import main
from keywatch.cli.exit_codes import BAD_CONFIGURATION, OK
from keywatch.config.yaml_file import ConfigError
from keywatch.web.file import load, parse
from tests.exporter.commands import keywatch
from tests.exporter.service.test_config_file import blocks
from tests.exporter.web.server import hashed
from tests.kafka.certificates import CertificateAuthority

BAD = blocks("bad_web_configurations.txt")
HERE = Path("/etc/keywatch/web.yml")
SECRET = "hunter2-planted"  # noqa: S105 - planted to be looked for
CLIENTS = "cert_file: a.bundle.pem, key_file: a.bundle.pem, client_ca_file: authority.pem, client_auth_type:"
HASH = "$2y$04$" + "." * 53


def said(text: str, path: Path = HERE) -> str:
    with pytest.raises(ConfigError) as refused:
        parse(text, path)
    return str(refused.value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two certificates and their keys, and other files that are none."""
    folder = tmp_path_factory.mktemp("certificates")
    authority = CertificateAuthority(folder)
    authority.server("a", ["localhost"])
    authority.server("b", ["localhost"])
    key = rsa.generate_private_key(65537, 2048)
    locked = serialization.BestAvailableEncryption(SECRET.encode())
    formats = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "locked.key").write_bytes(key.private_bytes(*formats, locked))
    (folder / "other.key").write_bytes(key.private_bytes(*formats, serialization.NoEncryption()))
    weak = rsa.generate_private_key(65537, 1024)  # noqa: S505 - it is there to be refused
    (folder / "weak.key").write_bytes(weak.private_bytes(*formats, serialization.NoEncryption()))
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "weak")])
    now = dt.datetime.now(dt.UTC)
    builder = x509.CertificateBuilder(name, name, weak.public_key(), 1, now, now + dt.timedelta(days=1))
    (folder / "weak.pem").write_bytes(builder.sign(weak, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    (folder / "text").write_text("no certificate\n", encoding="ascii")
    os.mkfifo(folder / "pipe")
    return folder


def test_the_table_of_bad_web_configurations_was_read() -> None:
    assert len(BAD) > 50
    assert all(says.startswith("/etc/keywatch/web.yml") for _, _, says in BAD)


@pytest.mark.parametrize(("text", "says"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_bad_web_configuration_is_refused_in_an_operators_words(text: str, says: str) -> None:
    assert said(text) == says
    assert "hunter2" not in says


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ("cert_file: text, key_file: a.key", "cert_file: {}/text holds no certificate that can be used"),
        ("cert_file: a.key, key_file: a.key", "cert_file: {}/a.key holds no certificate that can be used"),
        ("cert_file: pipe, key_file: a.key", "cert_file: {}/pipe is not a regular file"),
        (
            "cert_file: a.pem, key_file: text",
            "key_file: {}/text holds no key that can be used; allowed: PEM without a password",
        ),
        (
            "cert_file: a.pem, key_file: locked.key",
            "key_file: {}/locked.key holds no key that can be used; allowed: PEM without a password",
        ),
        ("cert_file: weak.pem, key_file: weak.key", "cert_file: {}/weak.pem is too weak for OpenSSL: ee key too small"),
        ("cert_file: a.pem, key_file: b.key", "key_file: {}/b.key is not the key of the certificate in {}/a.pem"),
        (
            "cert_file: a.pem, key_file: other.key",
            "key_file: {}/other.key is not the key of the certificate in {}/a.pem",
        ),
        (
            "cert_file: a.pem, key_file: a.key, client_auth_type: RequireAndVerifyClientCert, client_ca_file: text",
            "client_ca_file: {}/text holds no certificate that can be used",
        ),
    ],
)
def test_files_that_do_not_do_are_named_by_their_place_beside_the_configuration(
    keys: str, says: str, folder: Path
) -> None:
    path = folder / "web.yml"
    assert (
        said(f"tls_server_config: {{{keys}}}\n", path)
        == f"{path}:1: tls_server_config.{says.replace('{}', str(folder))}"
    )


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda _: None, "cannot be read: No such file or directory"),
        (lambda path: path.mkdir(), "is not a regular file"),
        (os.mkfifo, "is not a regular file"),
        (lambda path: path.write_bytes(b"a: \xff"), "is not UTF-8 text: byte 3 is wrong"),
    ],
)
def test_a_file_that_cannot_be_read_is_named(make: Callable[[Path], object], says: str, tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    make(path)
    with pytest.raises(ConfigError) as refused:
        load(path)
    assert str(refused.value) == f"{path}: {says}"


@pytest.mark.parametrize(
    ("interval", "seconds"),
    [("0", 0.0), ("0s", 0.0), ("1s", 1.0), ("1m30s", 90.0), ("100ms", 0.1), ("1.5s", 1.5), ("24h", 86400.0)],
)
def test_lengths_of_time_are_those_of_go(interval: str, seconds: float) -> None:
    config = parse(f"rate_limit: {{interval: {interval}, burst: 3}}", HERE).config
    assert config.rate_limit.interval == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "plain HTTP, no users"),
        ("# nothing\n", "plain HTTP, no users"),
        ("http_server_config: {http2: true, headers: {Content-Security-Policy: ''}}", "plain HTTP, no users"),
        (f"basic_auth_users: {{a: {HASH}}}", "plain HTTP, 1 user"),
        (f"basic_auth_users: {{a: {HASH}, b: {HASH}}}", "plain HTTP, 2 users"),
        ("tls_server_config: {cert_file: a.pem, key_file: a.key, min_version: TLS13}", "TLS, no users"),
        (f"tls_server_config: {{{CLIENTS} VerifyClientCertIfGiven}}", "TLS, verified client certificates, no users"),
        (
            f"tls_server_config: {{{CLIENTS} RequireAndVerifyClientCert, client_allowed_sans: [a]}}",
            "TLS, required client certificates, no users",
        ),
    ],
)
def test_a_good_web_configuration_is_summed_up(
    text: str, words: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / "web.yml"
    path.write_text(text, encoding="utf-8")
    assert main(["config", "check", "--web", str(path)]) == OK
    assert capsys.readouterr().out == f"{path}: good; {words}\n"


def test_both_files_are_checked_and_the_one_that_the_other_names(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    web, other, main_file = tmp_path / "web.yml", tmp_path / "other.yml", tmp_path / "k.yml"
    web.write_text(f"basic_auth_users: {{a: {HASH}}}", encoding="utf-8")
    other.write_text("", encoding="utf-8")
    main_file.write_text(f"clusters: [{{bootstrap: ['k:1']}}]\nweb: {{config_file: {web}}}\n", encoding="utf-8")
    assert main(["config", "check", str(main_file), "--web", str(other)]) == OK
    assert capsys.readouterr().out.splitlines() == [
        f"{main_file}: good; clusters: kafka",
        f"{other}: good; plain HTTP, no users",
        f"{web}: good; plain HTTP, 1 user",
    ]
    web.write_text("users: {}", encoding="utf-8")
    assert main(["config", "check", str(main_file)]) == BAD_CONFIGURATION
    assert capsys.readouterr().err.startswith(f"{web}:1: users: unknown key")
    assert main(["config", "check"]) == BAD_CONFIGURATION
    assert capsys.readouterr().err.startswith(
        "give a FILE to check, or --web FILE; without them /etc/keywatch/keywatch.yml"
    )


def test_a_process_with_a_bad_web_configuration_says_one_line_and_ends(tmp_path: Path) -> None:
    path = tmp_path / "web.yml"
    path.write_text("tls_config: {}\n", encoding="utf-8")
    flags = ("--kafka", "127.0.0.1:1", "--web.listen-address", "127.0.0.1:0", "--web.config.file", str(path))
    done = keywatch("serve", *flags)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (BAD_CONFIGURATION, "", 1)
    assert done.stderr.startswith(f"{path}:1: tls_config: unknown key; did you mean tls_server_config?")


def test_no_secret_is_in_what_is_shown_of_a_web_configuration() -> None:
    good = hashed(SECRET)
    config = parse(f"basic_auth_users: {{prometheus: {good}}}", HERE).config
    for shown in (repr(config), str(config), config.model_dump_json(), str(config.model_dump(mode="json"))):
        assert good not in shown
    assert config.basic_auth_users["prometheus"].get_secret_value() == good


@pytest.mark.parametrize(
    "text",
    [
        "basic_auth_users: {a: SECRET}",
        "basic_auth_users: {a: [SECRET]}",
        "basic_auth_users: {a: !SECRET x}",
        "basic_auth_users: {a: *SECRET}",
        "basic_auth_users: SECRET",
        "basic_auth_users: {'SECRET:': x}",
        "basic_auth_users: {$2y$SECRET: x}",
        "tls_server_config: {cert: SECRET, key: SECRET}",
        "tls_server_config: {key: SECRET}",
        "tls_server_config: {cert_file: s, key: SECRET, key_file: k}",
    ],
)
def test_no_secret_is_in_a_message(text: str) -> None:
    assert SECRET not in said(text.replace("SECRET", SECRET))
