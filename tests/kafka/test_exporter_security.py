"""TLS and missing rights on a real Kafka: named, explained, and the parts that may still be asked go on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from keywatch.kafka.rights import CREATE_CANARY
from tests.kafka import scene
from tests.kafka.certificates import CertificateAuthority
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess
from tests.kafka.fixtures import kafka_required

pytestmark = pytest.mark.kafka

# The plain listener's nameless users, the brokers among them, may do all; whoever shows a certificate may do nothing.
AUTHORIZER = {
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "super.users": "User:ANONYMOUS",
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(1, listeners=["SSL"], client_auth="required", extra=AUTHORIZER) as made:
        yield made


def config(cluster: KafkaCluster, authority: CertificateAuthority, **tls: str) -> dict[str, Any]:
    return scene.config(cluster.bootstrap_for("SSL"), tls={"ca_file": str(authority.certificate), **tls})


def client_files(cluster: KafkaCluster) -> dict[str, str]:
    assert cluster.authority is not None
    client = cluster.authority.client("keywatch")
    return {"cert_file": str(client.certificate), "key_file": str(client.key)}


def reasons(exporter: ExporterProcess) -> set[str]:
    found = exporter.scrape().all("keywatch_broker_down_reason")
    return {dict(labels)["reason"] for labels, value in found.items() if value}


def test_tls_with_a_client_certificate_works_and_its_end_is_known(cluster: KafkaCluster) -> None:
    assert cluster.authority is not None
    with ExporterProcess(config(cluster, cluster.authority, **client_files(cluster))) as exporter:
        seen = exporter.until(lambda s: s.value("keywatch_broker_up", broker="1") == 1, 120, "the broker is up")
        ends = seen.value("keywatch_tls_certificate_not_after_timestamp_seconds", broker="1")
        now = seen.value("keywatch_config_loaded_timestamp_seconds")
        assert ends is not None
        assert now is not None
        assert 0 < ends - now < 40 * 86400


def test_a_canary_without_rights_says_which_it_needs(cluster: KafkaCluster) -> None:
    assert cluster.authority is not None
    with ExporterProcess(config(cluster, cluster.authority, **client_files(cluster))) as exporter:
        exporter.until(
            lambda s: s.total("keywatch_probe_failures_total", probe="canary", reason="authorization") > 0,
            20,
            "the canary lacks rights",
        )
        log = exporter.log.read_text(encoding="utf-8")
        assert f"{CREATE_CANARY.of('keywatch-canary')} is missing" in log
        assert "canary.enabled: false" in log
        assert exporter.scrape().value("keywatch_broker_up", broker="1") == 1


def test_a_broker_of_an_unknown_authority_is_untrusted(cluster: KafkaCluster, tmp_path: Path) -> None:
    stranger = CertificateAuthority(tmp_path)
    with ExporterProcess(config(cluster, stranger)) as exporter:
        exporter.until(lambda s: s.total("keywatch_broker_up") == 0 and s.all("keywatch_broker_up"), 15, "it is down")
        assert reasons(exporter) == {"tls_untrusted"}


def test_without_the_client_certificate_that_the_broker_wants_it_is_down_by_tls(cluster: KafkaCluster) -> None:
    assert cluster.authority is not None
    with ExporterProcess(config(cluster, cluster.authority)) as exporter:
        exporter.until(lambda s: s.total("keywatch_broker_up") == 0 and s.all("keywatch_broker_up"), 15, "it is down")
        assert reasons(exporter) == {"tls_client"}


def test_the_canary_can_be_switched_off(cluster: KafkaCluster) -> None:
    with ExporterProcess(scene.config(cluster.bootstrap, canary={"enabled": False})) as exporter:
        seen = exporter.until(lambda s: s.value("keywatch_broker_up", broker="1") == 1, 120, "the broker is up")
        assert not seen.all("keywatch_probe_success", probe="canary")
        assert not seen.all("keywatch_topic_partitions", topic="keywatch-canary")
