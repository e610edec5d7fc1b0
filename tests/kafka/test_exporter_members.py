"""Which member of a real group is behind is told by client and host, in both protocols, where it is wanted."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from confluent_kafka import Consumer, TopicPartition

from tests.kafka import admin, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Scrape
from tests.kafka.fixtures import kafka_required

pytestmark = pytest.mark.kafka

TOPIC, HOST = "work", "127.0.0.1"
LAG, PARTITIONS = "keywatch_group_member_lag_records", "keywatch_group_member_partitions"
RECORDS = (10, 4)


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with KafkaCluster(1) as made:
        admin.create_topic(made.bootstrap, TOPIC, partitions=2, replicas=1)
        for partition, count in enumerate(RECORDS):
            admin.produce(made.bootstrap, TOPIC, count, partition=partition)
        yield made


def members(cluster: KafkaCluster, group: str, protocol: str) -> list[Consumer]:
    """Have two consumers of one group share the partitions of the topic."""
    made = []
    for client in ("left", "right"):
        settings: dict[str, str | bool] = {
            "bootstrap.servers": cluster.bootstrap,
            "group.id": group,
            "client.id": client,
        }
        settings |= {"group.protocol": protocol, "enable.auto.commit": False, "auto.offset.reset": "earliest"}
        made.append(Consumer(settings))
        made[-1].subscribe([TOPIC])
    until = time.monotonic() + 90
    while not all(len(one.assignment()) == 1 for one in made):
        assert time.monotonic() < until, [one.assignment() for one in made]
        for one in made:
            one.poll(0.1)
    return made


@pytest.mark.parametrize("protocol", ["classic", "consumer"])
def test_each_member_has_the_lag_of_its_partition(cluster: KafkaCluster, protocol: str) -> None:
    group = f"readers-{protocol}"
    consumers = members(cluster, group, protocol)
    truth: dict[str, float] = {}
    for client, one in zip(("left", "right"), consumers, strict=True):
        (owned,) = one.assignment()
        one.commit(offsets=[TopicPartition(TOPIC, owned.partition, 1)], asynchronous=False)
        truth[client] = RECORDS[owned.partition] - 1
    with ExporterProcess(scene.config(cluster.bootstrap, groups={"members": 10, "watch": [group]})) as exporter:

        def right(scrape: Scrape) -> bool:
            for one in consumers:
                one.poll(0)
            found = {client: scrape.value(LAG, group=group, client_id=client, client_host=HOST) for client in truth}
            return found == truth

        seen = exporter.until(right, 60, "both members are told")
        assert all(seen.value(PARTITIONS, group=group, client_id=client, client_host=HOST) == 1 for client in truth)
        assert seen.total("keywatch_probe_left_out", kind="member") == 0

        consumers[0].close()

        def alone(scrape: Scrape) -> bool:
            consumers[1].poll(0.1)
            return scrape.value(PARTITIONS, group=group, client_id="right", client_host=HOST) == 2

        seen = exporter.until(alone, 90, "who is left reads both")
        assert seen.value(LAG, group=group, client_id="right", client_host=HOST) == sum(RECORDS) - 2
        assert not seen.all(LAG, group=group, client_id="left")
    with ExporterProcess(scene.config(cluster.bootstrap, groups={"watch": [group]})) as exporter:
        seen = exporter.until(lambda s: s.value("keywatch_group_up", group=group) == 1, 60, "the group is read")
        assert not seen.all(LAG), "who does not want it has no series of members"
    consumers[1].close()
