"""A real Keycloak whose management interface speaks TLS: keywatch trusts it, knows when it ends, or says why not."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from tests.kafka import scene
from tests.kafka.certificates import CertificateAuthority
from tests.kafka.exporter_process import ExporterProcess
from tests.kafka.ports import PortReservation
from tests.keycloak.fixtures import keycloak_required
from tests.keycloak.server import KeycloakServer

pytestmark = pytest.mark.keycloak

REFUSED = {"stranger": "tls_untrusted", "elsewhere": "tls_hostname"}


def test_a_keycloak_behind_tls_is_up_with_its_certificates_end_and_a_bad_certificate_is_named(tmp_path: Path) -> None:
    keycloak_required()
    authority = CertificateAuthority(tmp_path / "authority")
    issued = authority.server("keycloak", ["127.0.0.1"], ends_in=dt.timedelta(days=20))
    ends = dt.datetime.now(dt.UTC) + dt.timedelta(days=20)
    options = [
        f"--https-management-certificate-file={issued.certificate}",
        f"--https-management-certificate-key-file={issued.key}",
    ]
    trust = {"ca_file": str(authority.certificate)}
    with PortReservation() as ports, KeycloakServer(options=options) as keycloak:
        url = keycloak.management_url
        assert url.startswith("https://")
        nodes = [
            {"name": "kc", "url": url, "tls": trust},
            {"name": "stranger", "url": url},
            {"name": "elsewhere", "url": url, "tls": trust | {"server_name": "keycloak.example"}},
        ]
        config = scene.config(f"127.0.0.1:{ports.take('127.0.0.1')}", keycloaks=nodes)
        with ExporterProcess(config) as exporter:
            seen = exporter.until(
                lambda s: (
                    s.value("keywatch_keycloak_ready", keycloak="kc") == 1
                    and all(s.value("keywatch_keycloak_up", keycloak=node) == 0 for node in REFUSED)
                ),
                30,
                "one is ready and two are down",
            )
    assert seen.value("keywatch_keycloak_up", keycloak="kc") == 1
    told = seen.value("keywatch_keycloak_tls_certificate_not_after_timestamp_seconds", keycloak="kc")
    assert told is not None
    assert abs(told - ends.timestamp()) < 60
    for node, reason in REFUSED.items():
        assert seen.value("keywatch_keycloak_down_reason", keycloak=node, reason=reason) == 1
