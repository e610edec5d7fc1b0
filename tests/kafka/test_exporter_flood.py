"""A thousand groups that are late at once cost the brokers a bounded number of requests and bytes a second."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from confluent_kafka import Producer

from tests.kafka import admin, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.counting import FETCH, CountingProxy
from tests.kafka.exporter_process import ExporterProcess, Scrape
from tests.kafka.fixtures import kafka_required
from tests.kafka.ports import PortReservation

pytestmark = pytest.mark.kafka

OUTSIDE = "OUTSIDE"
GROUPS, PARTITIONS, RECORDS = 1000, 20, 200
RECORD_BYTES = 2_000
# How many records a batch has, and what compresses it: most of the packed ones have to be unpacked, by librdkafka.
TOPICS = {"packed": (31, "lz4"), "plain": (31, "none"), "single": (1, "none")}
FETCHES, RATE = 40, 400_000.0
WATCHED = 6.0


@pytest.fixture(scope="module")
def proxy() -> Iterator[CountingProxy]:
    """Return a node whose clients come through the proxy, with a thousand late groups on each of two topics."""
    kafka_required()
    with ExitStack() as stack:
        ports = stack.enter_context(PortReservation())
        cluster = KafkaCluster(1, listeners=[f"{OUTSIDE}:PLAINTEXT"])
        stack.callback(cluster.stop)
        node = cluster.node(1)
        host, _, port = node.address_of(OUTSIDE).rpartition(":")
        made = stack.enter_context(CountingProxy("127.0.0.1", ports.take("127.0.0.1"), (host, int(port))))
        node.advertised[OUTSIDE] = f"127.0.0.1:{made.port}"
        cluster.start()
        cluster.wait_ready()
        for topic, (batch, codec) in TOPICS.items():
            admin.create_topic(cluster.bootstrap, topic, partitions=PARTITIONS)
            fill(cluster.bootstrap, topic, batch, codec)
            commit(cluster.bootstrap, topic)
        yield made


def fill(bootstrap: str, topic: str, batch: int, codec: str) -> None:
    """Write records that codecs make half as large, in batches of so many."""
    settings: admin.Settings = {"linger.ms": 100, "batch.num.messages": batch, "compression.type": codec}
    producer = Producer(admin.client_settings(bootstrap, settings))
    began = int((time.time() - 2 * RECORDS) * 1000)
    for index in range(RECORDS):
        for partition in range(PARTITIONS):
            value = random.randbytes(RECORD_BYTES // 2) + bytes(RECORD_BYTES // 2)  # noqa: S311 - no secret
            producer.produce(topic, value, partition=partition, timestamp=began + index * 1000)
    assert producer.flush(admin.SETUP_SECONDS) == 0


def place(topic: str, index: int) -> tuple[str, dict[tuple[str, int], int]]:
    """Return the name of a group and where it stands."""
    offset = index // PARTITIONS * (RECORDS // (GROUPS // PARTITIONS))
    return f"{topic}-{index}", {(topic, index % PARTITIONS): offset}


def commit(bootstrap: str, topic: str) -> None:
    """Commit a place of its own for each group."""
    admin.commit_groups(bootstrap, dict(place(topic, index) for index in range(GROUPS)))


def exact(scrape: Scrape, topic: str) -> bool:
    lags = {dict(labels)["group"]: lag for labels, lag in scrape.all("keywatch_group_lag_records").items()}
    places = dict(place(topic, index) for index in range(GROUPS))
    return lags == {group: RECORDS - sum(where.values()) for group, where in places.items()}


@pytest.mark.parametrize("topic", TOPICS)
def test_a_thousand_late_groups_do_not_flood_a_broker_with_fetches(proxy: CountingProxy, topic: str) -> None:
    groups = {"fetches": FETCHES, "fetch_rate": RATE, "include": [f"{topic}-.*"]}
    config = scene.config(f"127.0.0.1:{proxy.port}", canary={"enabled": False}, groups=groups)
    proxy.requests.clear()
    proxy.answers.clear()
    with ExporterProcess(config) as exporter:
        began = time.monotonic()
        early = exporter.until(lambda s: exact(s, topic), 10, "all lags in records are exact, whatever was read so far")
        many = early.total("keywatch_group_lag_seconds_estimated")
        # Where the lags were late themselves, little was read since.
        seen = exporter.until(
            lambda s: s.at - began > WATCHED and s.total("keywatch_group_lag_seconds_estimated") < many,
            2 * WATCHED,
            "it was watched, and went on",
        )
        fetches = [one for one in proxy.requests if one.api == FETCH]
        received = sum(one.size for one in proxy.answers if one.api == FETCH)
        seconds = time.monotonic() - proxy.requests[0].at
    reads = seen.total("keywatch_group_record_reads_total")
    counted = seen.total("keywatch_group_record_read_bytes_total")
    left = seen.total("keywatch_group_lag_seconds_estimated")
    told = f"{counted / seconds / 1000:.0f} kB/s counted, {left:.0f} left"
    print(f"{topic}: {len(fetches) / seconds:.0f} fetches/s, {received / seconds / 1000:.0f} kB/s, {told}")
    # Each record is looked for once, and some batches are read a second time, to be unpacked.
    assert len(fetches) <= 2 * FETCHES * (seconds + 1)
    # Two seconds' worth may be spent at once, and an answer that was asked for while anything was left comes whole.
    assert received <= RATE * (seconds + 2) + 200_000
    # It goes on, it is not done, and what it says of itself is what the broker saw.
    assert 0 < left < many
    # What is packed counts twice, and the client that unpacks asks for several partitions at once.
    assert reads <= 2 * len(fetches)
    assert len(fetches) <= 1.5 * reads + 2 * FETCHES
    assert counted <= received <= 1.5 * counted + 200_000
