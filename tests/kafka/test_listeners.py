"""Proves the harness's listeners with TLS and SASL: the right client gets in, the wrong one is refused."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.kafka import admin
from tests.kafka.certificates import Certificate, CertificateAuthority
from tests.kafka.cluster import KafkaCluster
from tests.kafka.fixtures import kafka_required

pytestmark = pytest.mark.kafka

USER = "keywatch"
PASSWORD = "made for this test"  # noqa: S105 - of a broker that lives for seconds
# A client that is refused goes on trying until then.
REFUSED_SECONDS = 3.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    """Return one node with every kind of listener."""
    kafka_required()
    listeners = ["SSL", "SASL_PLAINTEXT", "OUTSIDE:SASL_SSL", "PROXIED:PLAINTEXT"]
    cluster = KafkaCluster(1, listeners=listeners, users={USER: PASSWORD})
    # Clients of this listener are sent to another door of the same broker, as to a proxy.
    cluster.node(1).advertised["PROXIED"] = cluster.node(1).address
    with cluster:
        yield cluster


def configure(cluster: KafkaCluster, overrides: dict[str, str]) -> None:
    """Have the node run with these overrides and no others."""
    if cluster.node(1).overrides != overrides:
        cluster.node(1).restart(overrides)


def authority(cluster: KafkaCluster) -> CertificateAuthority:
    """Return the authority that the brokers' certificates come from."""
    assert cluster.authority is not None
    return cluster.authority


def shake_hands(cluster: KafkaCluster, trusted: Path) -> str | None:
    """Return the TLS version of a handshake with the node; raises `ssl.SSLError` when it fails."""
    context = ssl.create_default_context(cafile=str(trusted))
    node = cluster.node(1)
    with (
        socket.create_connection((node.host, node.ports["SSL"]), 5) as plain,
        context.wrap_socket(plain, server_hostname=node.host) as secured,
    ):
        return secured.version()


def tls(cluster: KafkaCluster, certificate: Certificate | None = None) -> dict[str, str]:
    """Return the settings of a client that trusts the cluster, with a certificate of its own or without."""
    trust = {"security.protocol": "ssl", "ssl.ca.location": str(authority(cluster).certificate)}
    if certificate is None:
        return trust
    own = {"ssl.certificate.location": str(certificate.certificate), "ssl.key.location": str(certificate.key)}
    return trust | own


def sasl(mechanism: str, user: str, password: str) -> dict[str, str]:
    """Return the settings of a client that logs in."""
    login = {"sasl.mechanism": mechanism, "sasl.username": user, "sasl.password": password}
    return {"security.protocol": "sasl_plaintext"} | login


def brokers(cluster: KafkaCluster, listener: str, client: dict[str, str], within: float = 60.0) -> list[str]:
    """Return the addresses that a client of the listener is told; raises `KafkaException` when it is not let in."""
    settings = admin.client_settings(cluster.bootstrap_for(listener), client)
    found = AdminClient(settings).list_topics(timeout=within).brokers.values()
    return [f"{broker.host}:{broker.port}" for broker in found]


def test_tls_with_the_right_authority(cluster: KafkaCluster) -> None:
    configure(cluster, {})
    assert shake_hands(cluster, authority(cluster).certificate) == "TLSv1.3"
    assert brokers(cluster, "SSL", tls(cluster)) == [cluster.node(1).address_of("SSL")]


def test_tls_with_another_authority_is_refused(cluster: KafkaCluster, tmp_path: Path) -> None:
    configure(cluster, {})
    with pytest.raises(ssl.SSLCertVerificationError, match=r"signature failure|self-signed|unable to get"):
        shake_hands(cluster, CertificateAuthority(tmp_path).certificate)


@pytest.mark.parametrize(
    ("host", "ends_in", "reason"),
    [
        ("127.0.0.1", dt.timedelta(days=-1), "certificate has expired"),
        ("127.0.0.99", dt.timedelta(days=1), "IP address mismatch"),
        ("broker.example", dt.timedelta(days=1), "IP address mismatch"),
    ],
)
def test_bad_certificate_after_a_restart(cluster: KafkaCluster, host: str, ends_in: dt.timedelta, reason: str) -> None:
    issued = authority(cluster).server(f"bad-{host}-{ends_in.days}", [host], ends_in=ends_in)
    configure(cluster, {"ssl.keystore.location": str(issued.bundle)})
    with pytest.raises(ssl.SSLCertVerificationError, match=reason):
        shake_hands(cluster, authority(cluster).certificate)


def test_certificate_of_another_authority_after_a_restart(cluster: KafkaCluster, tmp_path: Path) -> None:
    other = CertificateAuthority(tmp_path)
    configure(cluster, {"ssl.keystore.location": str(other.server("other", ["127.0.0.1"]).bundle)})
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(cluster, authority(cluster).certificate)
    assert shake_hands(cluster, other.certificate) == "TLSv1.3"


def test_client_certificate_required(cluster: KafkaCluster) -> None:
    configure(cluster, {"ssl.client.auth": "required"})
    assert brokers(cluster, "SSL", tls(cluster, authority(cluster).client("reader")))
    with pytest.raises(KafkaException):
        brokers(cluster, "SSL", tls(cluster), REFUSED_SECONDS)


def test_advertised_address_is_what_clients_are_told(cluster: KafkaCluster) -> None:
    assert brokers(cluster, "PROXIED", {}) == [cluster.node(1).address]


def test_plain_login(cluster: KafkaCluster) -> None:
    assert brokers(cluster, "SASL_PLAINTEXT", sasl("PLAIN", USER, PASSWORD))
    with pytest.raises(KafkaException):
        brokers(cluster, "SASL_PLAINTEXT", sasl("PLAIN", USER, "wrong"), REFUSED_SECONDS)


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_scram_login(cluster: KafkaCluster, mechanism: str) -> None:
    login = sasl(mechanism, "scram-user", PASSWORD)
    admin.set_scram_password(cluster.bootstrap, "scram-user", PASSWORD, mechanism=mechanism)
    assert brokers(cluster, "SASL_PLAINTEXT", login)
    secured = tls(cluster) | login | {"security.protocol": "sasl_ssl"}
    assert brokers(cluster, "OUTSIDE", secured) == [cluster.node(1).address_of("OUTSIDE")]
    admin.revoke_scram_password(cluster.bootstrap, "scram-user", mechanism=mechanism)
    with pytest.raises(KafkaException):
        brokers(cluster, "SASL_PLAINTEXT", login, REFUSED_SECONDS)
