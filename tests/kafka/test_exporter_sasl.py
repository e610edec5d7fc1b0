"""SASL on a real Kafka: every mechanism works, refusals are named and calm, secrets rotate without a failed probe."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.kafka import admin, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Recorder, Scrape, unexplained_failures
from tests.kafka.fixtures import kafka_required
from tests.kafka.token_server import TokenServer, unsigned

pytestmark = pytest.mark.kafka

PASSWORD = "correct-horse"  # noqa: S105 - of users who live for a minute
FAILURES = ("keywatch_probe_failures_total", "keywatch_broker_failures_total", "keywatch_canary_failures_total")


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(1, listeners=["SASL_SSL", "OUT:SASL_PLAINTEXT"], users={"watcher": PASSWORD}) as made:
        admin.create_topic(made.bootstrap, scene.EVENTS, partitions=2, replicas=1)
        admin.produce(made.bootstrap, scene.EVENTS, 10)
        admin.commit(made.bootstrap, "siem", {(scene.EVENTS, 0): 1})
        yield made


def config(cluster: KafkaCluster, listener: str = "SASL_SSL", **sasl: Any) -> dict[str, Any]:
    tls = {"tls": {"ca_file": str(cluster.authority.certificate)}} if cluster.authority and "SSL" in listener else {}
    return scene.config(cluster.bootstrap_for(listener), sasl=sasl, groups={"watch": ["siem"]}, **tls)


def well(scrape: Scrape) -> bool:
    return (
        scrape.value("keywatch_broker_up", broker="1") == 1
        and scrape.value("keywatch_cluster_up") == 1
        and scrape.value("keywatch_canary_up", broker="1") == 1
        and scrape.value("keywatch_group_up", group="siem") == 1
        and (scrape.value("keywatch_group_lag_seconds", group="siem", topic=scene.EVENTS) or 0) > 0
        and scrape.value("keywatch_group_lag_seconds_estimated", group="siem") == 0
        and scrape.total("keywatch_topic_min_insync_replicas", topic=scene.EVENTS) == 1
        and scrape.total("keywatch_probe_success") == len(scrape.all("keywatch_probe_success")) == 10
    )


def down(scrape: Scrape) -> bool:
    return bool(scrape.all("keywatch_broker_up")) and scrape.total("keywatch_broker_up") == 0


def reasons(scrape: Scrape) -> set[str]:
    found = scrape.all("keywatch_broker_down_reason")
    return {dict(labels)["reason"] for labels, value in found.items() if value}


@pytest.mark.parametrize("listener", ["SASL_SSL", "OUT"])
@pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_users_with_a_password_see_everything(cluster: KafkaCluster, mechanism: str, listener: str) -> None:
    if mechanism != "PLAIN":
        admin.set_scram_password(cluster.bootstrap, "watcher", PASSWORD, mechanism=mechanism)
    settings = config(cluster, listener, mechanism=mechanism, username="watcher", password=PASSWORD)
    with ExporterProcess(settings) as exporter:
        exporter.until(well, 120, "everything is well")
        log = exporter.log.read_text(encoding="utf-8")
        assert PASSWORD not in log
        assert ("sends the secret readable" in log) == (mechanism == "PLAIN" and listener == "OUT")


def test_a_client_with_tokens_sees_everything_and_a_refused_one_is_named(cluster: KafkaCluster) -> None:
    with TokenServer("keywatch", "hush") as tokens:
        sasl = {"mechanism": "OAUTHBEARER", "token_url": tokens.url, "client_id": "keywatch", "client_secret": "hush"}
        with ExporterProcess(config(cluster, **sasl)) as exporter:
            exporter.until(well, 120, "everything is well")
            assert len(tokens.issued) < 10, "one token serves many connections"
        with ExporterProcess(config(cluster, **{**sasl, "client_secret": "wrong"})) as exporter:
            seen = exporter.until(
                lambda s: s.total("keywatch_broker_up") == 0 and s.all("keywatch_broker_up"), 15, "down"
            )
            assert reasons(seen) == {"authentication"}
            assert "status 401" in exporter.log.read_text(encoding="utf-8")


def test_a_token_in_a_file_is_taken_as_it_is_renewed_and_one_that_ended_is_named(
    cluster: KafkaCluster, tmp_path: Path
) -> None:
    file = tmp_path / "token"

    def renew(life: float) -> None:
        new = file.with_suffix(".new")
        new.write_text(unsigned("keywatch", life), encoding="utf-8")
        new.replace(file)

    renew(3600.0)
    extensions = {"logicalCluster": "lkc-1", "identityPoolId": "pool-1"}
    with ExporterProcess(
        config(cluster, mechanism="OAUTHBEARER", token_file=str(file), extensions=extensions)
    ) as exporter:
        exporter.until(well, 120, "everything is well")
        renew(-60.0)
        seen = exporter.until(down, 15, "it is down")
        assert reasons(seen) == {"authentication"}
        renew(3600.0)
        exporter.until(well, 120, "everything is well again")
        log = exporter.log.read_text(encoding="utf-8")
        assert file.read_text(encoding="utf-8").split(".")[1] not in log


def test_a_program_that_prints_tokens_is_run_as_they_end(cluster: KafkaCluster, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(unsigned("keywatch", 3600.0), encoding="utf-8")
    with ExporterProcess(config(cluster, mechanism="OAUTHBEARER", token_command=["cat", str(file)])) as exporter:
        exporter.until(well, 120, "everything is well")
    file.write_text("no token", encoding="utf-8")
    with ExporterProcess(config(cluster, mechanism="OAUTHBEARER", token_command=["cat", str(file)])) as exporter:
        seen = exporter.until(down, 15, "it is down")
        assert reasons(seen) == {"authentication"}
        assert "cat did not print a token" in exporter.log.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("sasl", "listener", "words"),
    [
        (
            {"mechanism": "PLAIN", "username": "watcher", "password": "wrong"},
            "SASL_SSL",
            "the credentials were refused",
        ),
        ({"mechanism": "SCRAM-SHA-512", "username": "nobody", "password": "x"}, "OUT", "the credentials were refused"),
        ({"mechanism": "PLAIN", "username": "watcher", "password": "x"}, "PLAINTEXT", "does not ask for SASL"),
    ],
)
def test_a_refusal_is_an_authentication_failure_with_its_cause(
    cluster: KafkaCluster, sasl: dict[str, str], listener: str, words: str
) -> None:
    with ExporterProcess(config(cluster, listener, **sasl)) as exporter:
        seen = exporter.until(down, 15, "it is down")
        assert reasons(seen) == {"authentication"}
        assert words in exporter.log.read_text(encoding="utf-8")


def test_revoked_credentials_are_seen_within_five_seconds_although_old_connections_live(cluster: KafkaCluster) -> None:
    admin.set_scram_password(cluster.bootstrap, "leaver", PASSWORD, mechanism="SCRAM-SHA-512")
    settings = config(cluster, mechanism="SCRAM-SHA-512", username="leaver", password=PASSWORD)
    with ExporterProcess(settings) as exporter:
        exporter.until(well, 120, "everything is well")
        with Recorder(exporter) as recorder:
            revoked = time.monotonic()
            admin.revoke_scram_password(cluster.bootstrap, "leaver", mechanism="SCRAM-SHA-512")
            recorder.first(
                lambda s: "authentication" in reasons(s) and s.value("keywatch_broker_up", broker="1") == 0,
                revoked,
                5,
                "the revocation is seen",
            )
        # The broker lives: nothing of it is called offline.
        assert exporter.scrape().total("keywatch_topic_partitions_offline") == 0


def test_a_rotated_password_costs_no_probe(cluster: KafkaCluster, tmp_path: Path) -> None:
    for name in ("blue", "green"):
        admin.set_scram_password(cluster.bootstrap, name, f"{PASSWORD}-{name}")
    user, password = tmp_path / "user", tmp_path / "password"
    user.write_text("blue\n", encoding="utf-8")
    password.write_text(f"{PASSWORD}-blue\n", encoding="utf-8")
    sasl = {"mechanism": "SCRAM-SHA-256", "username_file": str(user), "password_file": str(password)}
    with ExporterProcess(config(cluster, **sasl)) as exporter:
        before = exporter.until(well, 120, "everything is well")
        with Recorder(exporter) as recorder:
            for file, text in ((user, "green\n"), (password, f"{PASSWORD}-green\n")):
                file.with_suffix(".new").write_text(text, encoding="utf-8")
            for file in (user, password):
                file.with_suffix(".new").replace(file)
            sent = before.total("keywatch_canary_records_received_total")
            exporter.until(lambda s: s.total("keywatch_canary_records_received_total") > sent + 8, 30, "it goes on")
            admin.revoke_scram_password(cluster.bootstrap, "blue")
            exporter.until(lambda s: s.total("keywatch_canary_records_received_total") > sent + 16, 30, "it goes on")
        after = exporter.scrape()
        assert not unexplained_failures(before, after, FAILURES, recorder.held_up_since(before.at))
        assert all(s.total("keywatch_broker_up") == 1 for s in recorder.scrapes)
