"""Quotas and limits that Kafka sets to keywatch are told as such, and are no fault of the cluster."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator

import pytest
from confluent_kafka.admin import (  # type: ignore[attr-defined] # imported there for users, but not by its typing
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)

from tests.kafka import admin, raw, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import PROBE_SECONDS, ExporterProcess, Recorder, Scrape
from tests.kafka.fixtures import kafka_required
from tests.kafka.waiting import wait_until

pytestmark = pytest.mark.kafka

WATCHED_FOR = 15.0


@pytest.fixture(scope="module")
def kafka() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(1) as cluster:
        admin.create_topic(cluster.bootstrap, scene.EVENTS, partitions=6, replicas=1)
        for number in range(20):
            admin.commit(cluster.bootstrap, f"group-{number}", {(scene.EVENTS, 0): 0})
        yield cluster


def limit_connections(address: str, most: str) -> None:
    """Set how many connections each address may have to the node."""
    client = AdminClient(admin.client_settings(address))
    resource = ConfigResource(
        ResourceType.BROKER,
        "1",
        incremental_configs=[ConfigEntry("max.connections.per.ip", most, incremental_operation=AlterConfigOpType.SET)],
    )
    for future in client.incremental_alter_configs([resource]).values():
        future.result(30)


def well(scrape: Scrape) -> bool:
    """Return whether all is read."""
    return scrape.total("keywatch_canary_up") == 1 and scrape.total("keywatch_group_up") == 20


def watch(recorder: Recorder) -> list[Scrape]:
    """Look on for some seconds."""
    enough = time.monotonic() + WATCHED_FOR
    recorder.first(lambda s: s.at > enough, enough, 20, "it was watched")
    return recorder.scrapes


def check_lives(scrapes: list[Scrape]) -> None:
    """Check that nothing of Kafka was called dead."""
    for name in ("keywatch_cluster_up", "keywatch_broker_up"):
        dead = [scrape.at for scrape in scrapes if scrape.total(name) != 1]
        assert dead == [], f"{name} {len(dead)} of {len(scrapes)}"
    assert all(scrape.total("keywatch_topic_partitions_offline") == 0 for scrape in scrapes)


@pytest.mark.parametrize("percent", [1.0, 0.1])
def test_a_quota_throttles_keywatch_and_kills_no_cluster(kafka: KafkaCluster, percent: float) -> None:
    with ExporterProcess(scene.config(kafka.bootstrap)) as exporter:
        exporter.until(well, 60, "all is read")
        try:
            with Recorder(exporter) as recorder:
                raw.set_quota(kafka.bootstrap, None, request_percentage=percent)
                if percent < 1.0:  # a quick machine can do with one
                    exporter.until(lambda s: s.total("keywatch_broker_rest_seconds") > 0, 30, "it is told")
                scrapes = watch(recorder)
        finally:
            raw.set_quota(kafka.bootstrap, None, request_percentage=None)
        check_lives(scrapes)
        told = scrapes[-1].total("keywatch_broker_throttle_seconds_total") > 0
        assert told or percent == 1.0
        assert ("Kafka throttles keywatch, " in log_of(exporter)) is told
        exporter.until(lambda s: well(s) and s.total("keywatch_broker_rest_seconds") == 0, 60, "it is over")


def test_byte_rates_throttle_keywatch_and_kill_no_cluster(kafka: KafkaCluster) -> None:
    with ExporterProcess(scene.config(kafka.bootstrap)) as exporter:
        exporter.until(well, 60, "all is read")
        try:
            with Recorder(exporter) as recorder:
                raw.set_quota(kafka.bootstrap, None, producer_byte_rate=50.0, consumer_byte_rate=50.0)
                exporter.until(lambda s: s.total("keywatch_broker_rest_seconds") > 0, 30, "it is told")
                scrapes = watch(recorder)
        finally:
            raw.set_quota(kafka.bootstrap, None, producer_byte_rate=None, consumer_byte_rate=None)
        check_lives(scrapes)
        for scrape in scrapes:
            told = scrape.all("keywatch_canary_down_reason")
            assert not [labels for labels, value in told.items() if value], "records are late, not refused"
        exporter.until(well, 90, "it is over")


def test_a_limit_of_connections_is_no_death(kafka: KafkaCluster) -> None:
    try:
        limit_connections(kafka.bootstrap, "6")
        with ExporterProcess(scene.config(kafka.bootstrap)) as exporter:
            exporter.until(lambda s: s.total("keywatch_broker_connection_limit") == 1, 60, "the limit is told")
            with Recorder(exporter) as recorder:
                scrapes = watch(recorder)
            check_lives(scrapes)
            assert "max.connections.per.ip" in log_of(exporter)
    finally:
        # Whoever wants to lift the limit must get in first.
        limit_connections(kafka.bootstrap, "2147483647")


def test_descriptors_that_are_used_up_are_keywatchs_own_lack(kafka: KafkaCluster) -> None:
    with ExporterProcess(scene.config(kafka.bootstrap)) as exporter:
        exporter.until(well, 60, "all is read")
        former = resource.prlimit(exporter.pid, resource.RLIMIT_NOFILE)
        # No new one from now on, also for a scrape: what was told meanwhile is in the log.
        resource.prlimit(exporter.pid, resource.RLIMIT_NOFILE, (3, former[1]))
        try:
            wait_until(lambda: "could not be asked, exhausted: " in log_of(exporter), 30, "its own lack is told")
            time.sleep(3 * PROBE_SECONDS)  # long enough for a verdict on a dead broker
        finally:
            resource.prlimit(exporter.pid, resource.RLIMIT_NOFILE, former)
        after = exporter.until(well, 60, "all is read again")
        assert after.total("keywatch_broker_failures_total", reason="exhausted") > 0
        assert " down, " not in log_of(exporter)


def log_of(exporter: ExporterProcess) -> str:
    """Return what it logged."""
    return exporter.log.read_text(encoding="utf-8")
