"""Lag against the truth on a real Kafka: known records, known commits, both group protocols, after restarts too."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from confluent_kafka import Consumer

from tests.kafka import admin, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Scrape
from tests.kafka.fixtures import kafka_required

pytestmark = pytest.mark.kafka

HOURS = 5
RIGHT_TO = 1.0
GROUP = "keycloak-audit"


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(1) as made:
        yield made


@pytest.fixture(scope="module")
def behind(cluster: KafkaCluster) -> dict[int, tuple[int, float]]:
    """Make a group that is hours behind: partition → lag in records, and when its first uncommitted record is from."""
    admin.create_topic(cluster.bootstrap, "audit", partitions=3)
    now = time.time()
    truth: dict[int, tuple[int, float]] = {}
    commits: dict[tuple[str, int], int] = {}
    for partition, (records, committed) in enumerate([(100, 10), (100, 99), (50, 50)]):
        step = HOURS * 3600 / records
        stamps = [int((now - (records - index) * step) * 1000) for index in range(records)]
        admin.produce(cluster.bootstrap, "audit", records, partition=partition, timestamps=stamps)
        commits["audit", partition] = committed
        first = stamps[committed] / 1000 if committed < records else 0.0
        truth[partition] = (records - committed, first)
    admin.commit(cluster.bootstrap, GROUP, commits)
    return truth


@contextmanager
def consuming(cluster: KafkaCluster, group: str, topic: str, **settings: Any) -> Iterator[None]:
    """Keep a member in the group that reads and commits all it gets."""
    consumer = Consumer(
        {
            "bootstrap.servers": cluster.bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "auto.commit.interval.ms": 200,
            "log_level": 0,
            **settings,
        }
    )
    consumer.subscribe([topic])
    ended = threading.Event()

    def read() -> None:
        while not ended.is_set():
            consumer.poll(0.1)

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(10)
        consumer.close()


def lag_is_true(scrape: Scrape, truth: dict[int, tuple[int, float]]) -> bool:
    records = scrape.value("keywatch_group_lag_records", group=GROUP, topic="audit")
    seconds = scrape.value("keywatch_group_lag_seconds", group=GROUP, topic="audit")
    estimated = scrape.value("keywatch_group_lag_seconds_estimated", group=GROUP)
    oldest = min(first for count, first in truth.values() if count)
    found = scrape.value("keywatch_probe_frame_timestamp_seconds", probe="groups")
    if records is None or seconds is None or found is None or estimated:
        return False
    return records == sum(count for count, _ in truth.values()) and abs(seconds - (found - oldest)) <= RIGHT_TO


def test_lag_is_true_at_once_also_after_a_restart_with_a_group_hours_behind(
    cluster: KafkaCluster, behind: dict[int, tuple[int, float]]
) -> None:
    with ExporterProcess(scene.config(cluster.bootstrap)) as exporter:
        seen = exporter.until(lambda scrape: lag_is_true(scrape, behind), 15, "the lag is the truth")
        for partition, (count, _) in behind.items():
            lag = seen.value("keywatch_group_partition_lag_records", group=GROUP, partition=str(partition))
            assert lag == count
        exporter.stop()
        exporter.start()
        exporter.until(lambda scrape: lag_is_true(scrape, behind), 15, "the lag is the truth after a restart")


def test_lag_is_zero_in_both_units_when_all_is_committed(cluster: KafkaCluster) -> None:
    admin.create_topic(cluster.bootstrap, "done")
    admin.produce(cluster.bootstrap, "done", 10)
    admin.commit(cluster.bootstrap, "finished", {("done", 0): 10})
    with ExporterProcess(scene.config(cluster.bootstrap)) as exporter:
        seen = exporter.until(lambda s: s.value("keywatch_group_up", group="finished") == 1, 120, "the group is read")
        assert seen.value("keywatch_group_lag_records", group="finished", topic="done") == 0
        assert seen.value("keywatch_group_lag_seconds", group="finished", topic="done") == 0
        admin.produce(cluster.bootstrap, "done", 3, timestamps=[int((time.time() - 600) * 1000)] * 3)
        labels = {"group": "finished", "topic": "done"}
        late = exporter.until(
            lambda s: (
                s.value("keywatch_group_lag_records", **labels) == 3
                and s.value("keywatch_group_lag_seconds_estimated", group="finished") == 0
            ),
            5,
            "a lag of three, whose record was read",
        )
        seconds = late.value("keywatch_group_lag_seconds", **labels)
        assert seconds is not None
        assert 599 <= seconds <= 610, "the age is the record's own, not when it was seen"


def test_offsets_that_are_reset_are_told_with_how_far(cluster: KafkaCluster) -> None:
    admin.create_topic(cluster.bootstrap, "again")
    admin.produce(cluster.bootstrap, "again", 30)
    admin.commit(cluster.bootstrap, "rewound", {("again", 0): 30})
    labels = {"group": "rewound", "topic": "again"}
    with ExporterProcess(scene.config(cluster.bootstrap)) as exporter:
        seen = exporter.until(lambda s: s.value("keywatch_group_lag_records", **labels) == 0, 60, "all is read")
        assert seen.value("keywatch_group_rewound_offsets", **labels) is None
        begun = time.time()
        admin.commit(cluster.bootstrap, "rewound", {("again", 0): 10})
        told = exporter.until(lambda s: s.value("keywatch_group_rewound_offsets", **labels) == 20, 30, "it went back")
        assert begun <= (told.value("keywatch_group_rewound_timestamp_seconds", **labels) or 0) <= time.time()
        assert told.value("keywatch_group_lag_records", **labels) == 20


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_members_and_states_of_both_group_protocols(cluster: KafkaCluster, protocol: str) -> None:
    topic, group = f"members-{protocol}", f"team-{protocol}"
    admin.create_topic(cluster.bootstrap, topic, partitions=4)
    admin.produce(cluster.bootstrap, topic, 5)
    limits = [{"groups": "team-.*", "records": 100, "seconds": 30}]
    with ExporterProcess(scene.config(cluster.bootstrap, groups={"limits": limits})) as exporter:
        with (
            consuming(cluster, group, topic, **{"group.protocol": protocol}),
            consuming(cluster, group, topic, **{"group.protocol": protocol}),
        ):
            seen = exporter.until(
                lambda s: (
                    s.value("keywatch_group_members", group=group) == 2
                    and s.value("keywatch_group_state", group=group, state="Stable") == 1
                    and s.value("keywatch_group_lag_records", group=group, topic=topic) == 0
                ),
                30,
                "two members have read all",
            )
            assert len(seen.all("keywatch_group_info", group=group, protocol=protocol)) == 1
            states = {dict(labels)["state"]: v for labels, v in seen.all("keywatch_group_state", group=group).items()}
            assert states["Stable"] == 1
            assert sum(states.values()) == 1
            assert seen.value("keywatch_group_lag_records_limit", group=group) == 100
            assert seen.value("keywatch_group_lag_seconds_limit", group=group) == 30
        exporter.until(
            lambda s: (
                s.value("keywatch_group_members", group=group) == 0
                and s.value("keywatch_group_state", group=group, state="Empty") == 1
            ),
            15,
            "the group is empty",
        )


def test_own_clients_are_no_groups_and_patterns_choose(cluster: KafkaCluster) -> None:
    admin.create_topic(cluster.bootstrap, "chosen")
    for group in ("wanted-1", "unwanted-1"):
        admin.commit(cluster.bootstrap, group, {("chosen", 0): 0})
    config = scene.config(cluster.bootstrap, groups={"include": ["wanted-.*"]}, topics={"include": ["chosen"]})
    with ExporterProcess(config) as exporter:
        seen = exporter.until(
            lambda s: (
                s.value("keywatch_canary_up", broker="1") == 1
                and s.all("keywatch_group_up")
                and s.all("keywatch_topic_partitions")
            ),
            120,
            "all is read",
        )
    assert {dict(labels)["group"] for labels in seen.all("keywatch_group_up")} == {"wanted-1"}
    assert {dict(labels)["topic"] for labels in seen.all("keywatch_topic_partitions")} == {"chosen"}
