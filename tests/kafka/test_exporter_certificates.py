"""Certificates on a real Kafka: each way in which one does not hold is named (H07), and a good one mends it."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka import scene
from tests.kafka.certificates import CertificateAuthority
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Recorder, Scrape, unexplained_failures
from tests.kafka.fixtures import kafka_required
from tests.slowness import Stopwatch

pytestmark = pytest.mark.kafka

_DAY = dt.timedelta(days=1)


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(1, listeners=["SSL"], client_auth="requested") as made:
        yield made


@pytest.fixture
def exporter(cluster: KafkaCluster) -> Iterator[ExporterProcess]:
    assert cluster.authority is not None
    tls = {"ca_file": str(cluster.authority.certificate)}
    with ExporterProcess(scene.config(cluster.bootstrap_for("SSL"), tls=tls)) as process:
        yield process


def reason(scrape: Scrape) -> str:
    """Return why broker 1 is down; empty while it is up."""
    found = scrape.all("keywatch_broker_down_reason", broker="1")
    return next((dict(labels)["reason"] for labels, value in found.items() if value), "")


def restart_with(cluster: KafkaCluster, authority: CertificateAuthority, hosts: list[str], lives: dt.timedelta) -> None:
    """Return the broker another certificate; what it had before is overwritten."""
    node = cluster.node(1)
    node.stop()
    issued = authority.server("node-1", hosts, ends_in=lives)
    (cluster.folder / "certificates" / "node-1.bundle.pem").write_bytes(issued.bundle.read_bytes())
    node.start()


@pytest.mark.parametrize("expected", ["tls_expired", "tls_hostname", "tls_untrusted"])
def test_a_certificate_that_does_not_hold_is_named_and_a_good_one_mends_it(
    cluster: KafkaCluster, exporter: ExporterProcess, expected: str, tmp_path: Path
) -> None:
    assert cluster.authority is not None
    host = cluster.node(1).host
    exporter.until(lambda s: s.value("keywatch_broker_up", broker="1") == 1, 120, "the broker is up")
    with Recorder(exporter) as recorder:
        restart_with(
            cluster,
            CertificateAuthority(tmp_path) if expected == "tls_untrusted" else cluster.authority,
            ["kafka.example"] if expected == "tls_hostname" else [host],
            -_DAY if expected == "tls_expired" else 7 * _DAY,
        )
        served = time.monotonic()
        recorder.first(lambda s: reason(s) == expected, served, 5, "the certificate is judged")
        restart_with(cluster, cluster.authority, [host], 7 * _DAY)
        mended = time.monotonic()
        recorder.first(lambda s: s.value("keywatch_broker_up", broker="1") == 1, mended, 10, "it is up again")


def test_a_client_certificate_of_a_stranger_is_refused(cluster: KafkaCluster, tmp_path: Path) -> None:
    assert cluster.authority is not None
    stranger = CertificateAuthority(tmp_path).client("keywatch")
    tls = {
        "ca_file": str(cluster.authority.certificate),
        "cert_file": str(stranger.certificate),
        "key_file": str(stranger.key),
    }
    with ExporterProcess(scene.config(cluster.bootstrap_for("SSL"), tls=tls)) as exporter:
        seen = exporter.until(lambda s: s.total("keywatch_broker_down_reason") > 0, 20, "it is refused")
        assert {dict(labels)["reason"] for labels in seen.all("keywatch_broker_down_reason")} == {"tls_client"}
        assert "refused keywatch's certificate" in exporter.log.read_text(encoding="utf-8")


def test_a_renewed_client_certificate_is_taken_without_a_failed_probe(cluster: KafkaCluster, tmp_path: Path) -> None:
    assert cluster.authority is not None
    first, second = cluster.authority.client("one"), cluster.authority.client("two")
    certificate, key = tmp_path / "client.pem", tmp_path / "client.key"
    certificate.write_bytes(first.certificate.read_bytes())
    key.write_bytes(first.key.read_bytes())
    tls = {"ca_file": str(cluster.authority.certificate), "cert_file": str(certificate), "key_file": str(key)}
    with ExporterProcess(scene.config(cluster.bootstrap_for("SSL"), tls=tls)) as exporter:
        before = exporter.until(lambda s: s.total("keywatch_canary_up") == 1, 120, "all is well")
        watch = Stopwatch()
        for path, renewed in ((certificate, second.certificate), (key, second.key)):
            path.write_bytes(renewed.read_bytes())
        received = before.total("keywatch_canary_records_received_total")
        after = exporter.until(
            lambda s: s.total("keywatch_canary_records_received_total") > received + 8, 30, "it goes on"
        )
        failures = ("keywatch_broker_failures_total", "keywatch_probe_failures_total")
        assert not unexplained_failures(before, after, failures, watch)
