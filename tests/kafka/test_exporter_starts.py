"""keywatch started in the middle of trouble: Kafka absent, a broker dead, itself restarted, brokers rolling."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from tests.kafka import admin, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import PROBE_SECONDS, ExporterProcess, Recorder
from tests.kafka.fixtures import kafka_required
from tests.kafka.test_exporter_faults import HEALED_WITHIN, down, heal, reason

pytestmark = pytest.mark.kafka

ENDS_WITHIN = 5.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with scene.cluster() as made:
        yield made


@pytest.fixture(scope="module")
def groups(cluster: KafkaCluster) -> list[str]:
    return scene.build(cluster)


def test_started_while_a_broker_is_dead_it_knows_which_one_and_where(cluster: KafkaCluster, groups: list[str]) -> None:
    victim = cluster.node(3)
    victim.kill()
    cluster.wait_ready()  # past Kafka's session timeout: the broker is gone from metadata
    try:
        # The dead broker is not among the addresses to start from, so only the cluster itself can name it.
        with ExporterProcess(scene.config(cluster.node(1).address)) as exporter:
            seen = exporter.until(lambda scrape: down(scrape, victim), 10, "the dead broker is named")
            assert reason(seen, victim) == {"refused"}
            assert seen.value("keywatch_brokers_expected") == 3
            info = seen.all("keywatch_broker_info", broker=str(victim.id), host=victim.host, port=str(victim.port))
            assert len(info) == 1
            settled = exporter.until(
                lambda scrape: (
                    scrape.total("keywatch_group_up") == len(groups)
                    and scrape.value("keywatch_topic_partitions_offline", topic=scene.SINGLE) == 1
                ),
                30,
                "topics and groups are read",
            )
            assert scene.understated(settled, groups) == []
            for group in groups:
                assert settled.value("keywatch_group_partitions_unknown", group=group, topic=scene.SINGLE) == 1
    finally:
        heal(cluster)
        cluster.wait_ready()


def test_started_while_kafka_is_absent_it_serves_and_finds_kafka_when_it_comes(
    cluster: KafkaCluster, groups: list[str]
) -> None:
    for node in cluster.nodes:
        node.kill()
    try:
        with ExporterProcess(scene.config(cluster.bootstrap)) as exporter:
            exporter.until(lambda scrape: scrape.value("keywatch_cluster_up") == 0, 10, "the cluster is down")
            # Until an id is known, the addresses to start from stand for the brokers.
            seen = exporter.until(lambda scrape: len(scrape.all("keywatch_broker_up")) == 3, 10, "all are judged")
            assert seen.total("keywatch_broker_up") == 0
            heal(cluster)
            found = exporter.until(lambda scrape: scene.well(scrape, groups), HEALED_WITHIN, "Kafka is found")
            brokers = {dict(labels)["broker"] for labels in found.all("keywatch_broker_up")}
            assert brokers == {"1", "2", "3"}, "the addresses gave way to ids"
    finally:
        heal(cluster)
        cluster.wait_ready()


def test_restarted_in_the_middle_of_a_fault_it_says_the_same(cluster: KafkaCluster, groups: list[str]) -> None:
    victim = cluster.node(2)
    try:
        with ExporterProcess(scene.config(cluster.bootstrap)) as exporter:
            exporter.until(lambda scrape: scene.well(scrape, groups), HEALED_WITHIN, "all is well")
            victim.freeze()
            exporter.until(lambda scrape: down(scrape, victim), 10, "the frozen broker is down")
            assert exporter.stop(signal.SIGTERM, deadline=ENDS_WITHIN) == 0
            exporter.start()
            with Recorder(exporter) as recorder:
                exporter.until(lambda scrape: down(scrape, victim), 10, "the frozen broker is down")
                again = exporter.until(
                    lambda scrape: scrape.total("keywatch_group_up") == len(groups), 40, "all groups are read"
                )
            assert again.value("keywatch_topic_partitions_offline", topic=scene.SINGLE) == 1
            assert [found for scrape in recorder.scrapes for found in scene.understated(scrape, groups)] == []
    finally:
        heal(cluster)
        cluster.wait_ready()


def test_it_ends_at_once_although_all_brokers_are_frozen(cluster: KafkaCluster, groups: list[str]) -> None:
    try:
        with ExporterProcess(scene.config(cluster.bootstrap)) as exporter:
            exporter.until(lambda scrape: scene.well(scrape, groups), HEALED_WITHIN, "all is well")
            for node in cluster.nodes:
                node.freeze()
            exporter.until(lambda scrape: scrape.value("keywatch_cluster_up") == 0, 10, "the cluster is down")
            assert exporter.stop(signal.SIGTERM, deadline=ENDS_WITHIN) == 0
    finally:
        heal(cluster)
        cluster.wait_ready()


def test_a_rolling_restart_blames_only_the_broker_that_is_down(cluster: KafkaCluster, groups: list[str]) -> None:
    with ExporterProcess(scene.config(cluster.bootstrap)) as exporter:
        exporter.until(lambda scrape: scene.well(scrape, groups), HEALED_WITHIN, "all is well")
        with Recorder(exporter) as recorder:
            for node in cluster.nodes:
                node.stop()
                stopped = time.monotonic()
                recorder.first(lambda scrape, node=node: down(scrape, node), stopped, 10, "the broker is down")  # type: ignore[misc]
                node.start()
                exporter.until(lambda scrape: scene.well(scrape, groups), HEALED_WITHIN, "all is well again")
    assert recorder.errors == []
    for scrape in recorder.scrapes:
        assert scrape.total("keywatch_broker_up") >= 2
        assert scrape.value("keywatch_cluster_up") == 1
        assert scrape.value("keywatch_topic_partitions_offline", topic=scene.EVENTS) == 0
        assert scrape.total("keywatch_canary_records_lost_total") == 0
        assert scene.understated(scrape, groups) == []
    # Both point at another broker's absence, and the rules leave them to its own alert.
    others = {
        (dict(labels)["broker"], dict(labels)["reason"])
        for scrape in recorder.scrapes
        for labels, value in scrape.all("keywatch_canary_down_reason").items()
        if value and dict(labels)["reason"] not in {"replica_down", "no_leader"}
    }
    # A record that is late by a whole deadline of the probe may be the machine's doing.
    assert {reason for _, reason in others} <= {"timeout_response"}
    watch = recorder.held_up_since(recorder.scrapes[0].at)
    assert watch.excuse_failures("canaries' records are late", len(others), PROBE_SECONDS), others


def test_a_deleted_watched_topic_is_missing_and_its_series_vanish(cluster: KafkaCluster) -> None:
    admin.create_topic(cluster.bootstrap, "watched", partitions=2, replicas=3)
    with ExporterProcess(scene.config(cluster.bootstrap, topics={"watch": ["watched"]})) as exporter:
        exporter.until(lambda s: s.value("keywatch_topic_up", topic="watched") == 1, 120, "the topic is there")
        admin.delete_topic(cluster.bootstrap, "watched")
        gone = exporter.until(lambda s: s.value("keywatch_topic_exists", topic="watched") == 0, 5, "it is missing")
        assert gone.value("keywatch_topic_up", topic="watched") == 0
        vanished = exporter.until(
            lambda s: not s.all("keywatch_partition_end_offset", topic="watched"), 5, "its offsets vanish"
        )
        assert not vanished.all("keywatch_topic_partitions", topic="watched")
