"""While nobody leads a partition of `__consumer_offsets`, its groups are known and not read, as long as that lasts."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.kafka import admin, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Recorder, Scrape
from tests.kafka.fixtures import kafka_required
from tests.kafka.readiness import coordinating_partition
from tests.kafka.waiting import wait_until

pytestmark = pytest.mark.kafka

PARTITIONS = 4
# Longer than the time after which a group that nobody lists counts as deleted.
LASTS = 8.0
# A folder that cannot be written is noticed when Kafka notes down how far it has written.
EAGER = {"log.flush.offset.checkpoint.interval.ms": "300"}


@pytest.fixture
def cluster() -> Iterator[KafkaCluster]:
    """Give one node with two log directories."""
    kafka_required()
    made = KafkaCluster(1, offsets_partitions=PARTITIONS, extra=EAGER)
    node = made.node(1)
    node.overrides = {"log.dirs": f"{node.folder / 'data'},{node.folder / 'second'}"}
    with made:
        yield made


def groups() -> dict[int, str]:
    """Name a group for each partition of `__consumer_offsets`."""
    found: dict[int, str] = {}
    for number in range(100):
        found.setdefault(coordinating_partition(f"held-{number}", PARTITIONS), f"held-{number}")
    assert len(found) == PARTITIONS
    return found


def up(scrape: Scrape) -> dict[str, float]:
    return {dict(labels)["group"]: value for labels, value in scrape.all("keywatch_group_up").items()}


def test_groups_of_a_partition_without_a_leader_stay_with_the_reason(cluster: KafkaCluster) -> None:
    node, topic, held = cluster.node(1), "read", groups()
    admin.create_topic(cluster.bootstrap, topic)
    admin.produce(cluster.bootstrap, topic, 5)
    for group in held.values():
        admin.commit(cluster.bootstrap, group, {(topic, 0): 2})
    second = node.folder / "second"
    lost = {index for index in held if (second / f"__consumer_offsets-{index}").is_dir()}
    # The topic that is read may lie there as well, so that its end is not read either.
    assert 0 < len(lost) < PARTITIONS
    all_up = dict.fromkeys(held.values(), 1.0)
    with ExporterProcess(scene.config(cluster.bootstrap, canary={"enabled": False}, topics={"watch": []})) as exporter:
        exporter.until(lambda s: up(s) == all_up, 30, "all groups are read")
        with Recorder(exporter) as recorder:
            second.rename(node.folder / "away")
            expected = {group: float(index not in lost) for index, group in held.items()}
            exporter.until(lambda s: up(s) == expected, 60, "those in the lost directory are not read")
            began = time.monotonic()
            wait_until(lambda: time.monotonic() - began > LASTS, 2 * LASTS, "it has lasted")
            seen = exporter.scrape()
            page = exporter.get("/")[1].decode()
        assert up(seen) == expected
        assert all(up(scrape).keys() == all_up.keys() for scrape in recorder.scrapes)
        for index in lost:
            assert f"partition {index} of __consumer_offsets, which holds it, has no leader" in page
        node.kill()
        (node.folder / "away").rename(second)
        node.start()
        exporter.until(lambda s: up(s) == all_up, 60, "they are read again")
