"""A log directory that fails on a real broker is named, with what lies on the others and how full they are."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kafka import admin, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Scrape
from tests.kafka.fixtures import kafka_required
from tests.kafka.node import KafkaNode

pytestmark = pytest.mark.kafka

TOPIC, PARTITIONS, BYTES = "kept", 4, 10_000
# What Kafka writes into each directory, every five seconds by default: there it notices that one is gone.
WRITES_OFTEN = {"replica.high.watermark.checkpoint.interval.ms": "500"}
SEEN_WITHIN = 5.0


@pytest.fixture
def node() -> Iterator[KafkaNode]:
    kafka_required()
    with KafkaCluster(1, extra=WRITES_OFTEN, log_dirs=("data", "second")) as cluster:
        (node,) = cluster.nodes
        admin.create_topic(cluster.bootstrap, TOPIC, partitions=PARTITIONS)
        for partition in range(PARTITIONS):
            admin.produce(cluster.bootstrap, TOPIC, 1, partition=partition, value=b"x" * BYTES)
        yield node


def second(node: KafkaNode) -> Path:
    return node.folder / "second"


def up(scrape: Scrape, folder: Path) -> float | None:
    return scrape.value("keywatch_log_dir_up", broker="1", log_dir=str(folder))


def test_a_directory_that_fails_is_named_until_the_broker_takes_it_back(node: KafkaNode) -> None:
    first, failing = node.folder / "data", second(node)
    with ExporterProcess(scene.config(node.address, log_dirs={"sizes_every": 1.0})) as exporter:
        well = exporter.until(
            lambda s: (
                up(s, failing) == 1 and (s.value("keywatch_topic_log_bytes", topic=TOPIC) or 0) > PARTITIONS * BYTES
            ),
            60,
            "both directories and what lies there are told",
        )
        assert up(well, first) == 1
        assert (well.value("keywatch_topic_log_bytes", topic=TOPIC) or 0) < 2 * PARTITIONS * BYTES
        size = well.value("keywatch_log_dir_size_bytes", log_dir=str(failing))
        assert size == pytest.approx(shutil.disk_usage(failing).total)
        assert 0 < (well.value("keywatch_log_dir_free_bytes", log_dir=str(failing)) or 0) < (size or 0)
        failing.rename(node.folder / "unplugged")
        exporter.until(lambda s: up(s, failing) == 0, SEEN_WITHIN + 5, "the directory is told to have failed")
        after = exporter.scrape()
        assert up(after, first) == 1
        assert after.value("keywatch_broker_up", broker="1") == 1
        assert after.value("keywatch_log_dir_free_bytes", log_dir=str(failing)) is None
        assert after.value("keywatch_log_dir_free_bytes", log_dir=str(first)) is not None
        (node.folder / "unplugged").rename(failing)
        node.restart()
        exporter.until(lambda s: up(s, failing) == 1, 60, "the directory is in use again")
