"""No secret towards Kafka is ever shown: planted ones are looked for in all that keywatch says, right or refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import psutil
import pytest
import yaml

from keywatch.cli.exit_codes import BAD_CONFIGURATION, OK
from tests.exporter.commands import keywatch
from tests.kafka import admin, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess
from tests.kafka.fixtures import kafka_required
from tests.kafka.token_server import TokenServer
from tests.kafka.waiting import wait_until

pytestmark = pytest.mark.kafka

RIGHT, WRONG, CLIENT_SECRET = "planted-right", "planted-wrong", "planted-client-secret"
PATHS = ("/metrics", "/metrics?collect[]=health", "/-/config", "/-/ready", "/-/healthy", "/")


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(1, listeners=["OUT:SASL_PLAINTEXT"], users={"watcher": RIGHT}) as made:
        admin.create_topic(made.bootstrap, scene.EVENTS, partitions=1, replicas=1)
        yield made


def said(cluster: KafkaCluster, sasl: Mapping[str, str], up: float, folder: Path) -> list[str]:
    """Have an exporter and `keywatch check` live through it, and give every word they said."""
    config = scene.config(cluster.bootstrap_for("OUT"), sasl=dict(sasl))
    with ExporterProcess(config) as exporter:
        exporter.until(lambda s: set(s.all("keywatch_broker_up").values()) == {up}, 20, f"the broker is {up:g}")
        process = psutil.Process(exporter.pid)
        shown = [exporter.get(path)[1].decode() for path in PATHS]
        shown += [*process.cmdline(), *process.environ().values()]
        shown.append(exporter.log.read_text(encoding="utf-8"))
    file = folder / "keywatch.yml"
    file.write_text(yaml.safe_dump(config), encoding="utf-8")
    for arguments in (["check"], ["check", "--json"]):

        def checked(arguments: list[str] = arguments) -> bool:
            done = keywatch(*arguments, "--config.file", str(file), "--log.level", "debug")
            shown.extend((done.stdout, done.stderr))
            return (done.returncode == OK) == bool(up)

        # It asks once, and on a slow machine an answer may come too late; whatever it says, it says no secret.
        wait_until(checked, 60, f"the broker is {up:g} for keywatch {' '.join(arguments)}")
    file.write_text(yaml.safe_dump({"clusters": [{**config["clusters"][0], "sasl": {**sasl, "mechanism": 7}}]}))
    done = keywatch("config", "check", str(file))
    assert done.returncode == BAD_CONFIGURATION
    assert "sasl.mechanism" in done.stderr
    return [*shown, done.stdout, done.stderr]


@pytest.mark.parametrize(("secret", "up"), [(RIGHT, 1.0), (WRONG, 0.0)], ids=["taken", "refused"])
def test_a_password_is_nowhere(cluster: KafkaCluster, tmp_path: Path, secret: str, up: float) -> None:
    sasl = {"mechanism": "PLAIN", "username": "watcher", "password": secret}
    shown = said(cluster, sasl, up, tmp_path)
    assert any("watcher" in text for text in shown), "what is no secret is shown, so the right things were looked at"
    assert [text for text in shown if secret in text] == []


@pytest.mark.parametrize(("known", "up"), [(CLIENT_SECRET, 1.0), ("another", 0.0)], ids=["taken", "refused"])
def test_a_client_secret_and_its_token_are_nowhere(
    cluster: KafkaCluster, tmp_path: Path, known: str, up: float
) -> None:
    with TokenServer("keywatch-client", known) as tokens:
        sasl = {
            "mechanism": "OAUTHBEARER",
            "token_url": tokens.url,
            "client_id": "keywatch-client",
            "client_secret": CLIENT_SECRET,
        }
        shown = said(cluster, sasl, up, tmp_path)
        assert any("keywatch-client" in text for text in shown)
        secrets = [CLIENT_SECRET, *tokens.issued]
    assert [text for text in shown for secret in secrets if secret in text] == []
