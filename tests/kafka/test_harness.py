"""Proves the harness itself: nodes come up, suffer each fault for real, and leave nothing behind."""

from __future__ import annotations

import signal
import socket
import struct
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.kafka import admin, guard, settings
from tests.kafka.cluster import KafkaCluster
from tests.kafka.coordinator import Coordinators
from tests.kafka.fixtures import kafka_required
from tests.kafka.node import KafkaNode, KafkaStartError
from tests.kafka.readiness import coordinating_partition, covering_groups
from tests.kafka.waiting import wait_until
from tests.slowness import Stopwatch

pytestmark = pytest.mark.kafka

# The facts allow 25 s on two busy cores; a machine that is busier still should not turn this red.
START_SECONDS = 60.0
# A healthy broker answers within milliseconds.
ANSWER_SECONDS = 2.0
PATIENT_SECONDS = 30.0


@pytest.fixture(autouse=True)
def _kafka() -> None:
    kafka_required()


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    """Give three nodes, of which one that was killed may return soon."""
    kafka_required()
    with KafkaCluster(extra=settings.QUICK_SESSIONS) as cluster:
        yield cluster


@pytest.fixture
def victim(cluster: KafkaCluster) -> Iterator[KafkaNode]:
    """Return the second node, and repair the cluster afterwards."""
    node = cluster.node(2)
    yield node
    if not node.running:
        node.start()
    if node.frozen:
        node.thaw()
    cluster.wait_ready()


def answers(node: KafkaNode, timeout: float) -> bool:
    """Return whether the node answers an ApiVersions request within `timeout` seconds; connecting must succeed."""
    with socket.create_connection((node.host, node.port), timeout) as connection:
        # API key 18, version 0, correlation 7, no client id.
        connection.sendall(struct.pack(">ihhih", 10, 18, 0, 7, -1))
        try:
            return connection.recv(4) != b""
        except TimeoutError:
            return False


def test_three_nodes_are_ready_in_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    watch = Stopwatch()
    with KafkaCluster() as cluster:
        seconds = time.monotonic() - watch.began
        with capsys.disabled():
            sys.stdout.write(f"\nthree nodes ready after {seconds:.1f} s\n")
        assert watch.excuse("three nodes are ready", START_SECONDS, seconds)
        admin.create_topic(cluster.bootstrap, "replicated", replica_assignment=[[3, 1, 2]])
        assert admin.produce(cluster.bootstrap, "replicated", 3, timestamps=[1_000, 2_000, 3_000]) == [0, 1, 2]


def test_listens_on_loopback_only(cluster: KafkaCluster) -> None:
    for node in cluster.nodes:
        listening = [one for one in psutil.Process(node.pid).net_connections("inet") if one.status == "LISTEN"]
        assert sorted(one.laddr.port for one in listening) == sorted(node.ports.values())
        assert {one.laddr.ip.removeprefix("::ffff:") for one in listening} == {node.host}


def test_ready_leaves_neither_topic_nor_group(cluster: KafkaCluster) -> None:
    client = AdminClient(admin.client_settings(cluster.bootstrap))
    assert set(client.list_topics(timeout=60).topics) == {"__consumer_offsets"}
    assert client.list_consumer_groups().result().valid == []


def test_killed_node_is_gone_and_refuses(victim: KafkaNode, cluster: KafkaCluster) -> None:
    pid = victim.pid
    before = time.monotonic()
    moment = victim.kill()
    assert before <= moment <= time.monotonic()
    assert not psutil.pid_exists(pid)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((victim.host, victim.port), 1)
    cluster.wait_ready()
    assert not victim.running


def test_frozen_node_accepts_but_does_not_answer(victim: KafkaNode) -> None:
    assert answers(victim, PATIENT_SECONDS)
    victim.freeze()
    assert victim.frozen
    assert victim.running
    assert not answers(victim, ANSWER_SECONDS)
    victim.thaw()
    assert not victim.frozen
    assert answers(victim, PATIENT_SECONDS)


def test_restarted_node_returns_with_its_overrides_and_data(victim: KafkaNode, cluster: KafkaCluster) -> None:
    admin.create_topic(cluster.bootstrap, "kept", replica_assignment=[[victim.id]])
    admin.produce(cluster.bootstrap, "kept", 2)
    old = victim.pid
    victim.restart({"message.max.bytes": "1000"})
    cluster.wait_ready()
    assert victim.pid != old
    assert admin.produce(cluster.bootstrap, "kept", 1) == [2]
    with pytest.raises(KafkaException, match="MSG_SIZE_TOO_LARGE"):
        admin.produce(cluster.bootstrap, "kept", 1, value=b"x" * 2_000)
    victim.restart({})
    admin.produce(cluster.bootstrap, "kept", 1, value=b"x" * 2_000)
    admin.delete_topic(cluster.bootstrap, "kept")


def test_stop_ends_a_frozen_node_too(victim: KafkaNode) -> None:
    victim.freeze()
    victim.stop()
    assert not victim.running


def test_commits_at_once_on_a_young_cluster(cluster: KafkaCluster) -> None:
    admin.create_topic(cluster.bootstrap, "committed", partitions=2, replicas=3)
    admin.commit(cluster.bootstrap, "readers", {("committed", 0): 5, ("committed", 1): 7})
    reader = Consumer(admin.client_settings(cluster.bootstrap, {"group.id": "readers"}))
    found = reader.committed([TopicPartition("committed", 0), TopicPartition("committed", 1)], timeout=60)
    reader.close()
    assert [one.offset for one in found] == [5, 7]
    admin.delete_topic(cluster.bootstrap, "committed")


def test_what_a_coordinator_refuses_is_told_and_nothing_is_left_of_a_group(cluster: KafkaCluster) -> None:
    with pytest.raises(TimeoutError, match=r"'gone': 'UNKNOWN_TOPIC_OR_PART'"):
        admin.commit(cluster.bootstrap, "gone", {("nowhere", 0): 5}, deadline=0)
    with Coordinators("127.0.0.1:1") as nobody:
        assert "refused" in nobody.delete("gone")
    admin.delete_groups(cluster.bootstrap, ["gone", "readers"])
    client = AdminClient(admin.client_settings(cluster.bootstrap))
    assert client.list_consumer_groups().result().valid == []


def test_start_error_carries_the_log() -> None:
    cluster = KafkaCluster(1)
    cluster.node(1).overrides = {"num.network.threads": "none"}
    with pytest.raises(KafkaStartError, match=r"num\.network\.threads"):
        cluster.start()
    assert not cluster.folder.exists()


def test_stop_leaves_nothing_behind() -> None:
    cluster = KafkaCluster(1)
    with cluster:
        pid = cluster.node(1).pid
        assert guard.nodes_of(cluster.folder) == [pid]
        cluster.node(1).freeze()
    assert not psutil.pid_exists(pid)
    assert not cluster.folder.exists()
    cluster.stop()


def test_nothing_survives_a_killed_test_process() -> None:
    script = """
        import sys
        from tests.kafka.cluster import KafkaCluster
        cluster = KafkaCluster(1)
        cluster.start()
        print(cluster.node(1).pid, cluster.folder, flush=True)
        sys.stdin.read()
    """
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        pid, folder = child.stdout.readline().split()
        assert psutil.pid_exists(int(pid))
        child.send_signal(signal.SIGKILL)
    wait_until(lambda: not psutil.pid_exists(int(pid)), 15, "the node is gone")
    wait_until(lambda: not Path(folder).exists(), 15, "the folder is gone")


def test_probe_groups_cover_every_coordinator() -> None:
    # Java: "test".hashCode() == 3556498, "keywatch-consumers".hashCode() is negative.
    assert coordinating_partition("test", 50) == 3556498 % 50
    groups = covering_groups(50)
    assert [coordinating_partition(group, 50) for group in groups] == list(range(50))
