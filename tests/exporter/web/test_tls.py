"""TLS of the port holds against real clients: versions, suites, client certificates, their names, and rotation."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from keywatch.config.yaml_file import ConfigError
from keywatch.web import tls as web_tls
from keywatch.web.ciphers import CURVES, TLS12_SUITES, openssl_suites
from keywatch.web.file import load
from keywatch.web.tls import offers
from tests.exporter.web.server import Served, ended, served, trusting
from tests.kafka.certificates import Certificate, CertificateAuthority


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def authority(folder: Path) -> CertificateAuthority:
    return CertificateAuthority(folder / "a")


@pytest.fixture(scope="module")
def server(authority: CertificateAuthority) -> Certificate:
    return authority.server("server", ["localhost", "127.0.0.1"])


def written(tmp_path: Path, server: Certificate, *lines: str) -> Path:
    """Write a web configuration with this certificate and further lines of `tls_server_config`."""
    path = tmp_path / "web.yml"
    tls = [f"cert_file: {server.certificate}", f"key_file: {server.key}", *lines]
    path.write_text("tls_server_config:\n" + "".join(f"  {line}\n" for line in tls), encoding="utf-8")
    return path


async def gets(running: Served, client: ssl.SSLContext) -> int:
    """Ask once: the status, or 0 when the connection is refused in or after the handshake."""
    try:
        return (await running.ask(tls=client)).status
    except (ssl.SSLError, ConnectionError):
        return 0


async def test_a_client_that_trusts_the_authority_is_answered_and_plain_http_is_not(
    tmp_path: Path, authority: CertificateAuthority, server: Certificate
) -> None:
    async with served(written(tmp_path, server)) as running:
        assert running.port.scheme == "https"
        assert await gets(running, trusting(authority.certificate)) == 200
        with pytest.raises(ssl.SSLCertVerificationError):
            await running.ask(tls=ssl.create_default_context())
        assert (await running.ask()).status == 0


async def test_http_1_1_is_agreed_upon_with_a_client_that_would_rather_speak_http_2(
    tmp_path: Path, authority: CertificateAuthority, server: Certificate
) -> None:
    client = trusting(authority.certificate)
    client.set_alpn_protocols(["h2", "http/1.1"])
    async with served(written(tmp_path, server)) as running, running.connection(client) as (_, writer):
        assert writer.get_extra_info("ssl_object").selected_alpn_protocol() == "http/1.1"


@pytest.mark.parametrize(
    ("lines", "client_speaks", "status"),
    [
        (["min_version: TLS13"], ssl.TLSVersion.TLSv1_2, 0),
        (["min_version: TLS13"], ssl.TLSVersion.TLSv1_3, 200),
        (["max_version: TLS12"], ssl.TLSVersion.TLSv1_2, 200),
        (["max_version: TLS12"], ssl.TLSVersion.TLSv1_3, 0),
        (["cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]"], ssl.TLSVersion.TLSv1_2, 0),  # no RSA key
        (["cipher_suites: [TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256]"], ssl.TLSVersion.TLSv1_3, 200),
        (["cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256]"], ssl.TLSVersion.TLSv1_2, 200),
        (["curve_preferences: [CurveP256]"], ssl.TLSVersion.TLSv1_2, 200),
        (["curve_preferences: [CurveP384]", "prefer_server_cipher_suites: false"], ssl.TLSVersion.TLSv1_3, 200),
    ],
)
async def test_versions_suites_and_curves_are_as_configured(
    lines: list[str],
    client_speaks: ssl.TLSVersion,
    status: int,
    tmp_path: Path,
    authority: CertificateAuthority,
    server: Certificate,
) -> None:
    client = trusting(authority.certificate)
    client.minimum_version = client.maximum_version = client_speaks
    async with served(written(tmp_path, server, *lines)) as running:
        assert await gets(running, client) == status


async def test_the_suite_of_the_servers_choice_is_used(
    tmp_path: Path, authority: CertificateAuthority, server: Certificate
) -> None:
    suites = "cipher_suites: [TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]"
    client = trusting(authority.certificate)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers("ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305")
    async with served(written(tmp_path, server, suites)) as running, running.connection(client) as (_, writer):
        assert writer.get_extra_info("cipher")[0] == "ECDHE-ECDSA-CHACHA20-POLY1305"


@pytest.mark.parametrize(
    ("kind", "nobody", "ours", "foreign", "expired"),
    [
        ("NoClientCert", 200, 200, 200, 200),
        ("VerifyClientCertIfGiven", 200, 200, 0, 0),
        ("RequireAndVerifyClientCert", 0, 200, 0, 0),
    ],
)
async def test_client_certificates_are_asked_for_as_configured(
    kind: str,
    nobody: int,
    ours: int,
    foreign: int,
    expired: int,
    tmp_path: Path,
    authority: CertificateAuthority,
    server: Certificate,
) -> None:
    lines = [f"client_auth_type: {kind}"]
    if kind != "NoClientCert":
        lines.append(f"client_ca_file: {authority.certificate}")
    clients = {
        None: nobody,
        authority.client("ours"): ours,
        CertificateAuthority(tmp_path / "b").client("foreign"): foreign,
        authority.client("expired", ends_in=dt.timedelta(days=-1)): expired,
        server: ours if kind == "NoClientCert" else 0,  # a certificate for servers proves no client
    }
    async with served(written(tmp_path, server, *lines)) as running:
        for own, status in clients.items():
            assert await gets(running, trusting(authority.certificate, own)) == status, own


@pytest.mark.parametrize(
    ("alternatives", "status"),
    [
        ([x509.DNSName("prometheus")], 200),
        ([x509.DNSName("other"), x509.IPAddress(ipaddress.ip_address("2001:db8::1"))], 200),
        ([x509.UniformResourceIdentifier("spiffe://example/prometheus")], 200),
        ([x509.RFC822Name("ops@example.org")], 200),
        ([x509.DNSName("prometheus.example.org"), x509.DNSName("PROMETHEUS")], 0),
        ([x509.DirectoryName(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "prometheus")]))], 0),
        ([], 0),
    ],
)
async def test_only_clients_with_an_allowed_name_are_answered(
    alternatives: list[x509.GeneralName],
    status: int,
    tmp_path: Path,
    authority: CertificateAuthority,
    server: Certificate,
) -> None:
    path = written(
        tmp_path,
        server,
        "client_auth_type: RequireAndVerifyClientCert",
        f"client_ca_file: {authority.certificate}",
        "client_allowed_sans: [prometheus, '2001:DB8:0::1', 'spiffe://example/prometheus', ops@example.org]",
    )
    own = authority.client("prometheus", alternatives=alternatives)
    async with served(path) as running:
        assert await gets(running, trusting(authority.certificate, own)) == status
        assert running.refused("client_certificate") == (0 if status else 1)
        assert running.refused("tls_handshake") == 0


async def test_certificates_may_stand_in_the_file_itself(
    tmp_path: Path, authority: CertificateAuthority, server: Certificate
) -> None:
    def block(path: Path) -> str:
        return "|\n" + "".join(f"    {line}\n" for line in path.read_text(encoding="ascii").splitlines())

    path = tmp_path / "web.yml"
    path.write_text(
        f"tls_server_config:\n  cert: {block(server.certificate)}  key: {block(server.key)}"
        f"  client_ca: {block(authority.certificate)}  client_auth_type: RequireAndVerifyClientCert\n",
        encoding="ascii",
    )
    async with served(path) as running:
        assert await gets(running, trusting(authority.certificate, authority.client("inline"))) == 200
        assert await gets(running, trusting(authority.certificate)) == 0


async def test_a_handshake_that_is_broken_off_is_counted_and_forgotten(tmp_path: Path, server: Certificate) -> None:
    async with served(written(tmp_path, server)) as running:
        for first in (b"", b"\x16\x03\x01", b"GET / HTTP/1.1\r\n\r\n", bytes(1000)):
            async with running.connection() as (reader, writer):
                writer.write(first)
                writer.write_eof()
                assert await ended(reader)
        assert running.refused("tls_handshake") == 4
        assert len(running.port._crowd) == 0


def test_openssl_knows_every_suite_and_curve_that_may_be_configured() -> None:
    for name, known_as in TLS12_SUITES.items():
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers(openssl_suites([name, "TLS_AES_128_GCM_SHA256"]))
        assert [suite["name"] for suite in context.get_ciphers() if suite["protocol"] != "TLSv1.3"] == [known_as]
    assert {"CurveP256", "CurveP384", "CurveP521"} <= {curve for curve in CURVES if offers(curve)}


@pytest.mark.parametrize("curve", CURVES)
def test_a_curve_is_set_or_refused_with_those_that_can_be(tmp_path: Path, server: Certificate, curve: str) -> None:
    path = written(tmp_path, server, f"curve_preferences: [{curve}]")
    if offers(curve):
        load(path)
    else:
        with pytest.raises(ConfigError, match=r"curve_preferences: X25519 cannot be set .* allowed here: CurveP256"):
            load(path)


def test_a_curve_that_this_python_does_not_take_is_refused_by_name(
    tmp_path: Path, server: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_tls, "CURVES", {**CURVES, "X25519": "not-to-be-had"})
    with pytest.raises(ConfigError, match=r"curve_preferences: X25519 cannot be set .* allowed here: CurveP256"):
        load(written(tmp_path, server, "curve_preferences: [X25519]"))
