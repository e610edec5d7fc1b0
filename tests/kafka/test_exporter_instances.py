"""Two exporters watch one cluster: they agree, neither sees the other as a user's, and one's end disturbs no other."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator

import pytest

from tests.kafka import admin, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Recorder, Scrape
from tests.kafka.fixtures import kafka_required

pytestmark = pytest.mark.kafka

GROUP, TOPIC = "keycloak-siem", "audit"
TROUBLES = ("lost", "duplicated", "reordered")


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(1) as made:
        admin.create_topic(made.bootstrap, TOPIC, partitions=2)
        admin.produce(made.bootstrap, TOPIC, 10, partition=0)
        admin.commit(made.bootstrap, GROUP, {(TOPIC, 0): 4})
        yield made


def well(scrape: Scrape) -> bool:
    return (
        scrape.value("keywatch_canary_up", broker="1") == 1
        and scrape.value("keywatch_group_lag_records", group=GROUP, topic=TOPIC) == 6
        and scrape.value("keywatch_group_up", group=GROUP) == 1
    )


def names(scrape: Scrape, metric: str, label: str) -> set[str]:
    return {dict(labels)[label] for labels in scrape.all(metric)}


def canaries(scrape: Scrape) -> dict[str, float]:
    return {what: scrape.total(f"keywatch_canary_records_{what}_total") for what in ("sent", "received", *TROUBLES)}


def test_two_exporters_agree_and_do_not_see_each_other(cluster: KafkaCluster) -> None:
    config = scene.config(cluster.bootstrap, topics={"watch": [TOPIC]})
    with ExporterProcess(config) as first, ExporterProcess(config) as second:
        seen = [exporter.until(well, 30, "all is well") for exporter in (first, second)]
        began = [canaries(scrape) for scrape in seen]
        with Recorder(second, 0.1) as recorder:
            for exporter, before in zip((first, second), began, strict=True):
                exporter.until(
                    lambda s, b=before: canaries(s)["received"] >= b["received"] + 6,  # type: ignore[misc]
                    20,
                    "six canaries more",
                )
            ends = [exporter.scrape() for exporter in (first, second)]
            first.stop(signal.SIGKILL)
            killed = time.monotonic()
            second.until(lambda s: s.at > killed + 4, 10, "some seconds have passed")
        assert not recorder.errors
        assert {scrape.value("keywatch_canary_up", broker="1") for scrape in recorder.scrapes} == {1.0}
        last = second.scrape()
        for scrape in (*ends, last):
            assert names(scrape, "keywatch_group_up", "group") == {GROUP}
            assert names(scrape, "keywatch_topic_partitions", "topic") == {TOPIC, "__consumer_offsets"}
            assert [canaries(scrape)[what] for what in TROUBLES] == [0, 0, 0]
            assert well(scrape)
            assert scrape.value("keywatch_brokers") == 1
