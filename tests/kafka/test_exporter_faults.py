"""Each hard fault of a broker on three real nodes: found in time, named rightly, forgiven, and nobody else blamed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kafka import scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Recorder, Scrape
from tests.kafka.fixtures import kafka_required
from tests.kafka.node import KafkaNode

pytestmark = pytest.mark.kafka

# The promise to users. How fast it really is, `make bench` measures; a busy machine must not turn a test red.
SEEN_WITHIN = 5.0
# Kafka's metadata tells of a dead broker after 7.5 s at the earliest: what is found before is keywatch's own finding.
BEFORE_METADATA = 7.0
HEALED_WITHIN = 120.0


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with scene.cluster() as made:
        yield made


@pytest.fixture(scope="module")
def groups(cluster: KafkaCluster) -> list[str]:
    return scene.build(cluster)


@pytest.fixture(scope="module")
def exporter(cluster: KafkaCluster, groups: list[str]) -> Iterator[ExporterProcess]:
    with ExporterProcess(scene.config(cluster.bootstrap)) as process:
        process.until(lambda scrape: scene.well(scrape, groups), HEALED_WITHIN, "all is well at the start")
        yield process


@pytest.fixture
def healed(cluster: KafkaCluster, exporter: ExporterProcess, groups: list[str]) -> Iterator[None]:
    """Afterwards heal the cluster and wait until keywatch says so."""
    yield
    heal(cluster)
    exporter.until(lambda scrape: scene.well(scrape, groups), HEALED_WITHIN, "all is well again")


@pytest.fixture
def victim(cluster: KafkaCluster, healed: None) -> KafkaNode:  # noqa: ARG001 - what it does comes afterwards
    """Return the second node."""
    return cluster.node(2)


def heal(cluster: KafkaCluster) -> None:
    for node in cluster.nodes:
        if not node.running:
            node.spawn()
        elif node.frozen:
            node.thaw()
    for node in cluster.nodes:
        node.wait_port()


def down(scrape: Scrape, node: KafkaNode) -> bool:
    return scrape.value("keywatch_broker_up", broker=str(node.id)) == 0


def reason(scrape: Scrape, node: KafkaNode) -> set[str]:
    found = scrape.all("keywatch_broker_down_reason", broker=str(node.id))
    return {dict(labels)["reason"] for labels, value in found.items() if value}


def check_partitions_after_death(recorder: Recorder, moment: float, victim: KafkaNode) -> None:
    """H10 and H11: the effective state tells at once what Kafka's metadata tells much later."""

    def offline(scrape: Scrape) -> bool:
        return scrape.value("keywatch_topic_partitions_offline", topic=scene.SINGLE) == 1

    def below(scrape: Scrape) -> bool:
        return scrape.value("keywatch_topic_partitions_below_min_isr", topic=scene.STRICT) == 3

    def electing(scrape: Scrape) -> bool:
        found = scrape.value("keywatch_topic_partitions_electing", topic=scene.EVENTS)
        return bool(found) and scrape.value("keywatch_topic_partitions_offline", topic=scene.EVENTS) == 0

    recorder.first(offline, moment, BEFORE_METADATA, f"{scene.SINGLE} offline")
    recorder.first(below, moment, BEFORE_METADATA, f"{scene.STRICT} below min ISR")
    recorder.first(electing, moment, BEFORE_METADATA, f"{scene.EVENTS} electing")
    early = next(scrape for scrape in recorder.scrapes if down(scrape, victim))
    assert early.value("keywatch_topic_metadata_partitions_leaderless", topic=scene.SINGLE) == 0
    assert early.value("keywatch_topic_metadata_partitions_below_min_isr", topic=scene.STRICT) == 0


def check_nobody_else_is_blamed(recorder: Recorder, victim: KafkaNode, groups: list[str]) -> None:
    for scrape in recorder.scrapes:
        for labels, value in scrape.all("keywatch_broker_up").items():
            assert value == 1 or dict(labels)["broker"] == str(victim.id)
        for labels, value in scrape.all("keywatch_canary_down_reason").items():
            if value and dict(labels)["broker"] != str(victim.id):
                assert dict(labels)["reason"] == "replica_down"
        assert scrape.value("keywatch_cluster_up") == 1
        assert scrape.total("keywatch_canary_records_lost_total") == 0
        assert scene.understated(scrape, groups) == []
    assert recorder.errors == []


def test_a_killed_broker_is_named_with_its_partitions_and_nothing_else(
    exporter: ExporterProcess, victim: KafkaNode, groups: list[str]
) -> None:
    with Recorder(exporter) as recorder:
        moment = victim.kill()
        recorder.first(lambda scrape: down(scrape, victim), moment, SEEN_WITHIN, "the killed broker is down")
        check_partitions_after_death(recorder, moment, victim)
        # The number of brokers alive is counted by another probe, so perhaps a cycle later.
        seen = exporter.until(lambda s: s.value("keywatch_brokers") == 2, SEEN_WITHIN, "two are alive")
        assert reason(seen, victim) == {"refused"}
        assert seen.value("keywatch_brokers_expected") == 3
        # Past Kafka's own detection, when the broker is gone from its metadata.
        exporter.until(
            lambda scrape: scrape.value("keywatch_topic_partitions_electing", topic=scene.EVENTS) == 0,
            30,
            "new leaders are elected",
        )
        assert down(exporter.scrape(), victim), "a broker that vanished from metadata must not vanish from keywatch"
    check_nobody_else_is_blamed(recorder, victim, groups)


def test_a_frozen_broker_is_told_from_a_dead_one(
    exporter: ExporterProcess, victim: KafkaNode, groups: list[str]
) -> None:
    with Recorder(exporter) as recorder:
        moment = victim.freeze()
        recorder.first(lambda scrape: down(scrape, victim), moment, SEEN_WITHIN, "the frozen broker is down")
        check_partitions_after_death(recorder, moment, victim)
        assert reason(exporter.scrape(), victim) == {"timeout_response"}
        thawed = victim.thaw()
        recorder.first(lambda scrape: not down(scrape, victim), thawed, SEEN_WITHIN, "the thawed broker is up")
    check_nobody_else_is_blamed(recorder, victim, groups)


def test_groups_of_a_dead_coordinator_stay_named_and_their_lag_stands(
    exporter: ExporterProcess, victim: KafkaNode, groups: list[str]
) -> None:
    before = exporter.scrape()
    orphans = [dict(labels)["group"] for labels in before.all("keywatch_group_info", coordinator=str(victim.id))]
    assert orphans, "the scene has groups on every coordinator"
    with Recorder(exporter) as recorder:
        moment = victim.freeze()
        recorder.first(
            lambda scrape: all(scrape.value("keywatch_group_up", group=group) == 0 for group in orphans),
            moment,
            BEFORE_METADATA,
            "the groups say that they cannot be read",
        )
        blind = exporter.scrape()
        for group in orphans:
            assert blind.value("keywatch_group_lag_records", group=group, topic=scene.EVENTS) == scene.LAG_EVENTS
            unknown = blind.value("keywatch_group_partitions_unknown", group=group, topic=scene.EVENTS)
            assert unknown == scene.EVENT_PARTITIONS
        exporter.until(lambda scrape: scrape.total("keywatch_group_up") == len(groups), 40, "a new coordinator answers")
    for scrape in recorder.scrapes:
        assert len(scrape.all("keywatch_group_up")) == len(groups)
        assert scene.understated(scrape, groups) == []


@pytest.mark.usefixtures("healed")
def test_all_brokers_dead_is_one_fault_of_the_cluster_and_the_exporter_goes_on(
    cluster: KafkaCluster, exporter: ExporterProcess, groups: list[str]
) -> None:
    with Recorder(exporter) as recorder:
        moment = min(node.kill() for node in cluster.nodes)
        recorder.first(
            lambda scrape: scrape.value("keywatch_cluster_up") == 0, moment, SEEN_WITHIN, "the cluster is down"
        )
        seen = exporter.until(lambda scrape: scrape.value("keywatch_brokers") == 0, 5, "no broker is alive")
        assert seen.value("keywatch_brokers_expected") == 3
        assert exporter.get("/-/healthy")[0] == 200, "restarting keywatch mends no Kafka"
        heal(cluster)
        exporter.until(lambda scrape: scene.well(scrape, groups), HEALED_WITHIN, "all is well again")
    assert recorder.errors == []
    assert [found for scrape in recorder.scrapes for found in scene.understated(scrape, groups)] == []
