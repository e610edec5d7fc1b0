"""H18 on a real Kafka: a dead letter in a topic or a folder is seen in time; leaders and topics come and go."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from tests.kafka import admin, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Recorder, Scrape
from tests.kafka.fixtures import kafka_required

pytestmark = pytest.mark.kafka

# The promise; how fast it really is, is printed.
SEEN_WITHIN = 1.5
REPEATED = 5
HOUR_AGO = 3600
DATA, CIRCUIT = "org.apache.kafka.connect.errors.DataException", "CircuitBreakerOpenException"
Headers = Sequence[tuple[str, str | bytes | None]]


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    kafka_required()
    with scene.cluster() as made:
        yield made


def make_topic(cluster: KafkaCluster, name: str) -> dict[str, Any]:
    """Make a topic with a partition on each node, in each of them 5 dead letters a minute apart, the first an hour old.

    Returns the queue's configuration, by the name of the topic.
    """
    admin.create_topic(cluster.bootstrap, name, replica_assignment=[[1], [2], [3]])
    first = int((time.time() - HOUR_AGO) * 1000)
    for partition in range(3):
        admin.produce(
            cluster.bootstrap, name, 5, partition=partition, timestamps=[first + n * 60_000 for n in range(5)]
        )
    return {"name": name, "topics": [name]}


def write(folder: Path, number: int, error: str = CIRCUIT) -> None:
    """Write a dead letter in place, as the listener does."""
    content = {"id": "dlq-1-1", "eventType": "LOGIN", "eventData": "{}", "metadata": {"errorClass": error}}
    path = folder / f"dlq-{1_767_000_000_000 + number * 1000}-{number}.json"
    path.write_text(json.dumps(content, indent=2), encoding="utf-8")


def die(cluster: KafkaCluster, topic: str, partition: int = 0, error: str = DATA, value: bytes | None = b"x") -> None:
    """Write one dead letter as Kafka Connect does."""
    headers: list[tuple[str, str | bytes | None]] = [("__connect.errors.exception.class.name", error.encode())]
    put(cluster, topic, value, headers if error else [], partition)


def put(cluster: KafkaCluster, topic: str, value: bytes | None, headers: Headers, partition: int = 0) -> None:
    """Write one record and wait until it is there."""
    producer = Producer(admin.client_settings(cluster.bootstrap, {"linger.ms": 0, "message.max.bytes": 20_000_000}))
    producer.produce(topic, value, partition=partition, headers=list(headers))
    assert producer.flush(admin.SETUP_SECONDS) == 0


def exporter_of(cluster: KafkaCluster, *queues: dict[str, Any]) -> ExporterProcess:
    return ExporterProcess(scene.config(cluster.bootstrap, topics={"watch": []}, dlq=list(queues)))


def added(scrape: Scrape, dlq: str, reason: str) -> float | None:
    return scrape.value("keywatch_dlq_added_total", dlq=dlq, reason=reason)


def holds(dlq: str, records: int, *, unreadable: int = 0, up: int = 1) -> Callable[[Scrape], bool]:
    """Return the condition that the queue has so many records."""
    return lambda scrape: (
        scrape.value("keywatch_dlq_records", dlq=dlq) == records
        and scrape.value("keywatch_dlq_unreadable", dlq=dlq) == unreadable
        and scrape.value("keywatch_dlq_up", dlq=dlq) == up
    )


def test_a_dead_letter_is_seen_in_time_in_a_topic_and_in_a_folder(cluster: KafkaCluster, tmp_path: Path) -> None:
    queue = make_topic(cluster, "h18")
    write(tmp_path, 0)
    with exporter_of(cluster, queue, {"name": "files", "folder": str(tmp_path)}) as exporter:
        exporter.until(holds("files", 1), 120, "the folder is seen")
        exporter.until(
            lambda s: holds("h18", 15)(s) and s.all("keywatch_dlq_newest_timestamp_seconds", dlq="h18"),
            30,
            "what was there is seen",
        )
        start = exporter.scrape()
        oldest = start.value("keywatch_dlq_oldest_timestamp_seconds", dlq="h18")
        newest = start.value("keywatch_dlq_newest_timestamp_seconds", dlq="h18")
        assert oldest is not None
        assert newest is not None
        assert HOUR_AGO - 1 < time.time() - oldest < HOUR_AGO + 120
        assert abs(newest - oldest - 240) < 10
        assert len(start.all("keywatch_dlq_added_total", dlq="h18")) > 10
        assert start.total("keywatch_dlq_added_total") == 0, "what was there at the start is not new"
        seconds: dict[str, list[float]] = {"topic": [], "folder": []}
        with Recorder(exporter, 0.05, "?collect[]=health") as recorder:
            for number in range(1, REPEATED + 1):

                def counted(scrape: Scrape, dlq: str, reason: str, count: int = number) -> bool:
                    return added(scrape, dlq, reason) == count

                moment = time.monotonic()
                die(cluster, "h18", partition=number % 3)
                took = recorder.first(
                    lambda s: counted(s, "h18", "serialization"), moment, SEEN_WITHIN, "the record is counted"
                )
                seconds["topic"].append(took)
                moment = time.monotonic()
                write(tmp_path, number)
                took = recorder.first(
                    lambda s: counted(s, "files", "circuit_open"), moment, SEEN_WITHIN, "the file is counted"
                )
                seconds["folder"].append(took)
        end = exporter.scrape()
    print("\nseen after:", {where: [f"{one:.2f} s" for one in some] for where, some in seconds.items()})
    assert holds("h18", 15 + REPEATED)(end)
    assert holds("files", 1 + REPEATED)(end)
    assert end.total("keywatch_dlq_added_total") == 2 * REPEATED


def test_a_dead_leader_takes_nothing_from_the_depth_and_stops_nothing_else(cluster: KafkaCluster) -> None:
    queue = make_topic(cluster, "leaders")
    with exporter_of(cluster, queue) as exporter:
        exporter.until(holds("leaders", 15), 120, "what was there is seen")
        victim = cluster.node(2)
        try:
            with Recorder(exporter) as recorder:
                moment = victim.kill()
                recorder.first(holds("leaders", 15, unreadable=1), moment, 5, "the dead partition is unreadable")
                moment = time.monotonic()
                die(cluster, "leaders", partition=0)
                took = recorder.first(
                    lambda s: added(s, "leaders", "serialization") == 1, moment, 10, "others are seen all the same"
                )
                print(f"\nseen beside a dead broker after: {took:.2f} s")
            assert min(s.value("keywatch_dlq_records", dlq="leaders") or 0 for s in recorder.scrapes) == 15
        finally:
            victim.spawn()
            victim.wait_port()
        exporter.until(holds("leaders", 16), 120, "all is read again")
        die(cluster, "leaders", partition=1)
        exporter.until(holds("leaders", 17), 30, "what comes to the partition is seen")
        exporter.until(lambda s: added(s, "leaders", "serialization") == 2, 10, "and counted")
        assert exporter.scrape().total("keywatch_dlq_added_total", dlq="leaders") == 2


def test_a_topic_deleted_and_made_again_does_not_make_the_counter_jump(cluster: KafkaCluster) -> None:
    queue = make_topic(cluster, "again")
    with exporter_of(cluster, queue) as exporter:
        exporter.until(holds("again", 15), 120, "what was there is seen")
        admin.delete_topic(cluster.bootstrap, "again")
        exporter.until(holds("again", 0, up=0), 30, "it is gone")
        assert "missing: topic again does not exist" in exporter.log.read_text(encoding="utf-8")
        make_topic(cluster, "again")
        exporter.until(holds("again", 15), 30, "it is there again")
        exporter.until(lambda s: added(s, "again", "none") == 15, 10, "all in it is new")
        # At once, so that metadata may never be without it.
        admin.delete_topic(cluster.bootstrap, "again")
        admin.create_topic(cluster.bootstrap, "again", replica_assignment=[[1], [2], [3]])
        die(cluster, "again")
        exporter.until(holds("again", 1), 30, "it is another one")
        exporter.until(lambda s: added(s, "again", "serialization") == 1, 10, "the new one is counted")
        assert exporter.scrape().total("keywatch_dlq_added_total", dlq="again") == 16


def test_topics_of_a_pattern_that_appear_later_count_from_their_beginning(cluster: KafkaCluster) -> None:
    make_topic(cluster, "orders-dlt")
    with exporter_of(cluster, {"name": "spring", "topics": [".*-dlt"]}) as exporter:
        exporter.until(holds("spring", 15), 120, "what was there is seen")
        admin.create_topic(cluster.bootstrap, "payments-dlt")
        put(cluster, "payments-dlt", b"x", [("kafka_dlt-exception-cause-fqcn", b"java.lang.NullPointerException")])
        exporter.until(holds("spring", 16), 30, "the new topic's is there")
        exporter.until(lambda s: added(s, "spring", "defect") == 1, 10, "and counted")
        assert exporter.scrape().total("keywatch_dlq_added_total", dlq="spring") == 1


def test_whatever_lies_in_a_dead_letter_topic_is_counted(cluster: KafkaCluster) -> None:
    admin.create_topic(cluster.bootstrap, "odd", configs={"max.message.bytes": "20000000"})
    envelope = {"failureReason": "Circuit breaker is OPEN for kafka-event-sender", "metadata": {}}
    records: list[tuple[bytes | None, Headers]] = [
        (b"", []),
        (None, []),
        (b"\xff\xfe\x00", [("__connect.errors.exception.class.name", b"\xff\xfe")]),
        (b"{" * 500_000, []),
        (b"x" * 10_000_000, [("kafka_dlt-exception-fqcn", b"org.apache.kafka.common.errors.RecordTooLargeException")]),
        (b"x", [("kafka_dlt-exception-fqcn", None), ("", b"x" * 100_000)]),
        (json.dumps(envelope).encode(), []),
    ]
    with exporter_of(cluster, {"name": "odd", "topics": ["odd"]}) as exporter:
        exporter.until(holds("odd", 0), 120, "the topic is seen")
        for value, headers in records:
            put(cluster, "odd", value, headers)
        exporter.until(lambda s: s.total("keywatch_dlq_added_total", dlq="odd") == len(records), 30, "all are counted")
        end = exporter.scrape()
        counts = {reason: added(end, "odd", reason) for reason in ("none", "other", "too_large", "circuit_open")}
        assert counts == {"none": 4, "other": 1, "too_large": 1, "circuit_open": 1}
        assert end.value("keywatch_probe_success", probe="dlq") == 1
        assert end.value("keywatch_probe_failures_total", probe="dlq", reason="internal") == 0
