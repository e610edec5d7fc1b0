"""Dedicated controllers of a real Kafka: a majority that is lost is seen at once, an election is no loss."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.kafka import scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Recorder, Scrape
from tests.kafka.fixtures import kafka_required
from tests.kafka.node import KafkaNode

pytestmark = pytest.mark.kafka

SEEN_WITHIN = 4.0
"""What is left of five seconds goes to Prometheus and Alertmanager."""
UP, LEADS, CONTROLLER = "keywatch_quorum_up", "keywatch_controller_leads", "keywatch_controller_up"
LEVEL = "keywatch_cluster_feature_level"
QUIET = {"groups": {"enabled": False}, "topics": {"watch": []}}
BROKERS_ALONE = 7.0
"""Where only brokers can be asked, an election has to be waited for."""


def config(cluster: KafkaCluster, *, named: bool = True) -> dict[str, Any]:
    """Return the exporter's configuration, in which the controllers are named or not."""
    addresses = [node.address for node in cluster.controllers] if named else []
    return scene.config(cluster.bootstrap, **QUIET, quorum={"controllers": addresses})


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(3, controllers=3) as made:
        yield made


def well(scrape: Scrape) -> bool:
    return (
        scrape.value(UP) == 1
        and list(scrape.all(CONTROLLER).values()) == [1.0] * 3
        and scrape.value("keywatch_canary_up", broker="3") == 1
    )


def leader(cluster: KafkaCluster, scrape: Scrape) -> KafkaNode:
    (labels,) = [dict(labels) for labels, leads in scrape.all(LEADS).items() if leads]
    return next(node for node in cluster.controllers if str(node.id) == labels["controller"])


@pytest.mark.parametrize("named", [True, False], ids=["controllers named", "brokers alone"])
@pytest.mark.parametrize("which", ["leader and follower", "both followers"])
def test_a_majority_that_is_lost_is_seen_while_everything_else_looks_well(
    cluster: KafkaCluster, which: str, *, named: bool
) -> None:
    within = SEEN_WITHIN if named or which == "both followers" else BROKERS_ALONE
    with ExporterProcess(config(cluster, named=named)) as exporter:
        head = leader(cluster, exporter.until(well, 120, "all controllers follow"))
        exporter.until(lambda s: (s.value(LEVEL, feature="metadata.version") or 0) > 20, 20, "it speaks as Kafka 4")
        follower, other = [node for node in cluster.controllers if node is not head]
        second = head if which == "leader and follower" else other
        with Recorder(exporter) as recorder:
            lost = max(follower.kill(), second.kill())
            recorder.first(lambda s: s.value(UP) == 0, lost, within, "the loss is seen")
            exporter.until(lambda s: s.at > lost + 8, 20, "a while has passed")
        for seen in recorder.scrapes:
            assert seen.value("keywatch_cluster_up") == 1
            assert list(seen.all("keywatch_broker_up").values()) == [1.0] * 3
            if seen.at > lost + within:
                assert seen.value(UP) == 0, "it does not flap"
        follower.start()
        exporter.until(lambda s: s.value(UP) == 1, 60, "two of three are a majority again")
        second.start()
        exporter.until(well, 60, "all follow again")


@pytest.mark.parametrize("attempt", range(3))
@pytest.mark.parametrize("named", [True, False], ids=["controllers named", "brokers alone"])
def test_an_election_is_no_loss_and_the_dead_controller_is_named(
    cluster: KafkaCluster,
    attempt: int,  # noqa: ARG001 - elections take now shorter, now longer
    *,
    named: bool,
) -> None:
    with ExporterProcess(config(cluster, named=named)) as exporter:
        head = leader(cluster, exporter.until(well, 120, "all controllers follow"))
        before = exporter.scrape().value("keywatch_quorum_epoch")
        with Recorder(exporter) as recorder:
            killed = head.kill()
            dead = exporter.until(lambda s: s.value(CONTROLLER, controller=str(head.id)) == 0, 15, "it is named")
            exporter.until(lambda s: s.at > killed + 10, 20, "a while has passed")
        assert all(seen.value(UP) == 1 for seen in recorder.scrapes)
        assert (dead.value("keywatch_quorum_epoch") or 0) > (before or 0)
        assert dead.value("keywatch_quorum_elections_total") is not None
        alive = {str(node.id) for node in cluster.controllers if node is not head}
        assert all(dead.value(CONTROLLER, controller=name) == 1 for name in alive)
        head.start()
        exporter.until(well, 60, "all follow again")


def test_a_follower_that_is_frozen_is_named_and_nothing_else(cluster: KafkaCluster) -> None:
    with ExporterProcess(config(cluster)) as exporter:
        head = leader(cluster, exporter.until(well, 120, "all controllers follow"))
        follower = next(node for node in cluster.controllers if node is not head)
        with Recorder(exporter) as recorder:
            frozen = follower.freeze()
            recorder.first(lambda s: s.value(CONTROLLER, controller=str(follower.id)) == 0, frozen, 6, "it is named")
            exporter.until(lambda s: s.at > frozen + 8, 20, "a while has passed")
            follower.thaw()
        assert all(seen.value(UP) == 1 for seen in recorder.scrapes)
        exporter.until(well, 60, "all follow again")
