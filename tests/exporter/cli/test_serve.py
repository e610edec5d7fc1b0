"""The whole exporter as a process, on clusters inside the test: several at once, faults, exit codes, logs."""

from __future__ import annotations

import json
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from keywatch.demo.embedded import EmbeddedCluster
from tests.exporter.commands import keywatch, running
from tests.kafka.exporter_process import ExporterProcess
from tests.slowness import Stopwatch

EVENTS, GROUP = "keycloak-events", "siem"


@pytest.fixture
def cluster() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster() as made:
        made.create_topic(EVENTS, 3, 3)
        made.create_topic("keywatch-canary", 3, 3)
        yield made


def fill(cluster: EmbeddedCluster, records: int, committed: int) -> None:
    """Write records to the first partition and commit as a group that read some of them."""
    producer = Producer({"bootstrap.servers": cluster.bootstrap})
    for number in range(records):
        producer.produce(EVENTS, str(number).encode(), partition=0)
    assert producer.flush(10) == 0
    consumer = Consumer({"bootstrap.servers": cluster.bootstrap, "group.id": GROUP})
    consumer.commit(offsets=[TopicPartition(EVENTS, 0, committed)], asynchronous=False)
    consumer.close()


def section(cluster: EmbeddedCluster, name: str = "kafka") -> dict[str, object]:
    return {
        "name": name,
        "bootstrap": cluster.bootstrap.split(","),
        "topics": {"watch": [EVENTS]},
        "groups": {"watch": [GROUP]},
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def test_brokers_lag_and_canary_are_told_and_a_stopped_broker_is_named(cluster: EmbeddedCluster) -> None:
    fill(cluster, 10, 4)
    with ExporterProcess({"clusters": [section(cluster)]}) as exporter:
        well = exporter.until(
            lambda s: (
                s.total("keywatch_broker_up") == 3
                and s.total("keywatch_canary_up") == 3
                and s.value("keywatch_group_lag_records", group=GROUP, topic=EVENTS) == 6
            ),
            20,
            "all is well",
        )
        assert well.value("keywatch_partition_end_offset", topic=EVENTS, partition="0") == 10
        cluster.stop_broker(2)
        seen = exporter.until(lambda s: s.value("keywatch_broker_up", broker="2") == 0, 5, "the dead broker is seen")
        assert seen.value("keywatch_broker_down_reason", broker="2", reason="refused") == 1
        assert seen.value("keywatch_broker_up", broker="1") == 1
        cluster.start_broker(2)
        exporter.until(lambda s: s.value("keywatch_broker_up", broker="2") == 1, 5, "it is back")


def test_events_are_counted_and_a_dead_leader_of_theirs_is_told(cluster: EmbeddedCluster) -> None:
    events = [{"listener": "snuk87", "realms": {"r-1": "shop"}}]
    with ExporterProcess({"clusters": [{**section(cluster), "events": events}]}) as exporter:
        exporter.until(lambda s: s.value("keywatch_events_up", listener="snuk87") == 1, 20, "events are read")
        producer = Producer({"bootstrap.servers": cluster.bootstrap})
        event = {"id": "e-1", "time": int(time.time() * 1000), "type": "LOGIN_ERROR", "realmId": "r-1"}
        for value in (event, event, {**event, "id": "e-2"}, {**event, "time": "now"}):
            producer.produce(EVENTS, json.dumps(value).encode())
        assert producer.flush(10) == 0
        login = {"realm": "shop", "event": "login", "outcome": "error"}
        seen = exporter.until(
            lambda s: (
                s.value("keywatch_events_received_total", **login) == 2
                and s.value("keywatch_events_malformed_total", reason="field_type") == 1
            ),
            10,
            "the events are counted",
        )
        assert seen.value("keywatch_events_duplicated_total") == 1
        cluster.stop_broker(2)
        exporter.until(lambda s: s.value("keywatch_events_partitions_unread") == 1, 10, "the dead leader is told")
        assert "cannot be read: keycloak-events/" in exporter.log.read_text(encoding="utf-8")


def test_one_dead_cluster_does_not_disturb_another(cluster: EmbeddedCluster) -> None:
    with EmbeddedCluster(1) as other:
        other.create_topic(EVENTS, 1, 1)
        fill(cluster, 10, 4)
        fill(other, 5, 5)
        with ExporterProcess({"clusters": [section(cluster, "one"), section(other, "two")]}) as exporter:
            exporter.until(
                lambda s: (
                    s.value("keywatch_group_lag_records", cluster="one", group=GROUP) == 6
                    and s.value("keywatch_group_lag_records", cluster="two", group=GROUP) == 0
                    and len(s.all("keywatch_broker_up", cluster="one")) == 3
                    and len(s.all("keywatch_broker_up", cluster="two")) == 1
                ),
                20,
                "both are seen apart",
            )
            other.stop_broker(1)
            seen = exporter.until(lambda s: s.value("keywatch_cluster_up", cluster="two") == 0, 10, "two is down")
            assert seen.value("keywatch_cluster_up", cluster="one") == 1
            assert seen.total("keywatch_broker_up", cluster="one") == 3
            assert seen.value("keywatch_group_lag_records", cluster="one", group=GROUP) == 6


def test_it_ends_when_told_although_every_broker_is_dead(cluster: EmbeddedCluster) -> None:
    with ExporterProcess({"clusters": [section(cluster)]}) as exporter:
        exporter.until(lambda s: s.total("keywatch_canary_up") == 3, 20, "all is well")
        for broker in cluster.broker_ids:
            cluster.slow_broker(broker, 60_000)
        exporter.until(lambda s: s.value("keywatch_cluster_up") == 0, 10, "the cluster is down")
        watch = Stopwatch()
        assert exporter.stop(signal.SIGTERM, deadline=60) == 0
        assert watch.excuse("the exporter ends", 5)


def test_check_tells_by_its_exit_code(cluster: EmbeddedCluster, tmp_path: Path) -> None:
    path = tmp_path / "k.yml"
    quiet = {"canary": {"enabled": False}}
    path.write_text(json.dumps({"clusters": [{**section(cluster), "groups": {}, **quiet}]}), encoding="utf-8")
    well = keywatch("check", "--config.file", str(path))
    assert (well.returncode, "Nothing is wrong." in well.stdout, well.stderr) == (0, True, "")
    cluster.stop_broker(3)
    ill = keywatch("check", "--config.file", str(path), "--json")
    assert ill.returncode == 1
    found = json.loads(ill.stdout)
    assert found["healthy"] is False
    assert found["clusters"]["kafka"]["brokers"]["3"]["up"] is False
    assert found["clusters"]["kafka"]["brokers"]["1"]["up"] is True
    assert any(problem["labels"].get("broker") == "3" for problem in found["problems"])
    absent = keywatch("check", "--kafka", f"127.0.0.1:{free_port()}")
    assert absent.returncode == 1
    assert "DOWN" in absent.stdout
    assert keywatch("check", "--kafka", "nonsense").returncode == 2


def test_logs_are_ecs_json_and_a_lasting_fault_is_one_line(cluster: EmbeddedCluster) -> None:
    port = free_port()
    arguments = ("serve", "--kafka", cluster.bootstrap, "--web.listen-address", f"127.0.0.1:{port}")
    with running(*arguments) as process:
        assert process.stderr is not None
        lines = [process.stderr.readline()]
        cluster.stop_broker(1)
        while not lines[-1].startswith("{") or "broker=1" not in json.loads(lines[-1])["message"]:
            assert lines[-1], f"it ended: {lines}"
            lines.append(process.stderr.readline())
        cluster.start_broker(1)
        while "over after" not in lines[-1]:
            assert lines[-1], f"it ended: {lines}"
            lines.append(process.stderr.readline())
        process.send_signal(signal.SIGTERM)
        lines += process.stderr.readlines()
        assert process.wait(10) == 0
    entries = [json.loads(line) for line in lines]
    assert all({"@timestamp", "log.level", "message", "ecs.version"} <= entry.keys() for entry in entries)
    fault = [e for e in entries if e["message"].startswith("cluster=kafka broker=1: down")]
    assert len(fault) == 1
    assert fault[0]["keywatch"]["labels"] == {"cluster": "kafka", "broker": "1"}
