"""The embedded Kafka cluster serves real clients, shows each fault on demand, and leaves nothing behind."""

from __future__ import annotations

import socket
import struct
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import confluent_kafka
import psutil
import pytest
from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from keywatch.demo import librdkafka
from keywatch.demo.embedded import (
    EmbeddedCallError,
    EmbeddedClosedError,
    EmbeddedCluster,
)
from keywatch.demo.librdkafka import EmbeddedUnavailableError
from tests import slowness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

DEADLINE: Final = 10.0  # seconds that anything in here may take, far above what it does take
PRODUCE, FETCH, FIND_COORDINATOR, LIST_GROUPS, API_VERSIONS = 0, 1, 10, 16, 18


@pytest.fixture
def cluster() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster() as it:
        yield it


def connect(address: str) -> socket.socket:
    host, port = address.split(":")
    return socket.create_connection((host, int(port)), DEADLINE)


def ask(connection: socket.socket, api_key: int, version: int, body: bytes = b"") -> bytes:
    """Send one request with correlation id 7 and no client id; return the answer's body, or nothing after a close."""
    request = struct.pack(">hhih", api_key, version, 7, -1) + body
    connection.sendall(struct.pack(">i", len(request)) + request)
    with connection.makefile("rb") as stream:
        size = stream.read(4)
        return stream.read(*struct.unpack(">i", size))[4:] if size else b""


def api_versions(address: str) -> dict[int, tuple[int, int]]:
    with connect(address) as connection:
        answer = ask(connection, API_VERSIONS, 0)
    assert struct.unpack_from(">h", answer) == (0,)
    return {key: (low, high) for key, low, high in struct.iter_unpack(">hhh", answer[6:])}


def client(cluster: EmbeddedCluster, **more: str | int) -> dict[str, Any]:
    """Configure a client that keeps quiet about the faults it meets."""
    quiet = {"log_level": 0, "error_cb": lambda _: None}
    return {"bootstrap.servers": cluster.bootstrap, **quiet, **{key.replace("_", "."): v for key, v in more.items()}}


def metadata(cluster: EmbeddedCluster) -> Any:
    return AdminClient(client(cluster)).list_topics(timeout=DEADLINE)


def produce(
    producer: Producer, topic: str, partition: int, value: bytes = b"x", timestamp: int = 0
) -> KafkaError | None:
    """Produce one record and wait for its outcome."""
    outcomes: list[KafkaError | None] = []

    def delivered(error: KafkaError | None, _: Message) -> None:
        outcomes.append(error)

    producer.produce(topic, value, partition=partition, timestamp=timestamp, on_delivery=delivered)
    producer.flush(DEADLINE)
    (outcome,) = outcomes
    return outcome


def listening_ports() -> set[int]:
    connections = psutil.Process().net_connections("tcp")
    return {connection.laddr.port for connection in connections if connection.status == psutil.CONN_LISTEN}


def test_it_serves_metadata_for_three_brokers(cluster: EmbeddedCluster) -> None:
    brokers = metadata(cluster).brokers
    assert {id_: f"{broker.host}:{broker.port}" for id_, broker in brokers.items()} == {
        id_: cluster.address(id_) for id_ in cluster.broker_ids
    }
    assert cluster.broker_ids == (1, 2, 3)
    assert cluster.bootstrap == ",".join(map(cluster.address, cluster.broker_ids))


def test_a_stopped_broker_refuses_and_a_started_one_accepts_at_the_same_address(cluster: EmbeddedCluster) -> None:
    with connect(cluster.address(2)) as before:
        assert ask(before, API_VERSIONS, 0)
        cluster.stop_broker(2)
        assert before.recv(1) == b""
    with pytest.raises(ConnectionRefusedError):
        connect(cluster.address(2))
    assert set(metadata(cluster).brokers) == {1, 3}

    cluster.start_broker(2)
    assert api_versions(cluster.address(2))
    assert set(metadata(cluster).brokers) == {1, 2, 3}


def test_a_slow_broker_answers_late_and_the_others_do_not(cluster: EmbeddedCluster) -> None:
    def seconds(broker: int) -> float:
        started = time.monotonic()
        api_versions(cluster.address(broker))
        return time.monotonic() - started

    cluster.slow_broker(3, 400)
    assert 0.4 <= seconds(3) < DEADLINE
    with slowness.within(0.4, "another broker answers"):
        seconds(1)
    cluster.slow_broker(3, 0)
    with slowness.within(0.4, "the broker answers"):
        seconds(3)


@pytest.mark.parametrize("replication", [1, 2, 3, 4])
@pytest.mark.parametrize("partitions", [4, 8, 12])
def test_a_topics_leaders_are_spread_over_the_brokers(partitions: int, replication: int) -> None:
    with EmbeddedCluster(4) as cluster:
        cluster.create_topic("events", partitions, replication)
        rows = metadata(cluster).topics["events"].partitions.values()
    assert len(rows) == partitions
    assert all(row.leader in row.replicas and len(set(row.replicas)) == replication for row in rows)
    assert set(Counter(row.leader for row in rows).values()) == {partitions // 4}


def test_records_and_their_timestamps_cross_every_partition(cluster: EmbeddedCluster) -> None:
    cluster.create_topic("events", 3, 3)
    producer = Producer(client(cluster))
    sent = {(partition, 1_700_000_000_000 + partition) for partition in range(3)}
    for partition, timestamp in sent:
        assert produce(producer, "events", partition, timestamp=timestamp) is None

    received: set[tuple[int | None, int]] = set()
    with closing(Consumer(client(cluster, group_id="readers"))) as consumer:
        consumer.assign([TopicPartition("events", partition, 0) for partition in range(3)])
        deadline = time.monotonic() + DEADLINE
        while received != sent:
            assert time.monotonic() < deadline, received
            message = consumer.poll(0.1)
            if message is not None:
                assert message.error() is None
                received.add((message.partition(), message.timestamp()[1]))


def test_a_partition_without_leader_costs_a_record_not_the_process(cluster: EmbeddedCluster) -> None:
    cluster.create_topic("events", 3, 3)
    producer = Producer(client(cluster, retries=0, message_timeout_ms=500))
    assert produce(producer, "events", 0) is None  # so that it goes on asking the broker that led
    with closing(Consumer(client(cluster, group_id="readers", fetch_wait_max_ms=10))) as consumer:
        consumer.assign([TopicPartition("events", 0, 0)])
        assert consumer.poll(DEADLINE) is not None

        cluster.set_leader("events", 0, None)
        assert metadata(cluster).topics["events"].partitions[0].leader == -1
        error = produce(producer, "events", 0)
        assert error is not None
        assert error.code() == KafkaError._MSG_TIMED_OUT

        cluster.set_leader("events", 0, 2)
        assert metadata(cluster).topics["events"].partitions[0].leader == 2
        assert produce(Producer(client(cluster)), "events", 0) is None


def test_it_offers_no_version_whose_answer_names_a_leader_that_may_not_exist(cluster: EmbeddedCluster) -> None:
    versions = api_versions(cluster.address(1))
    assert versions[PRODUCE] == (0, 9)
    assert versions[FETCH] == (0, 11)


def test_a_group_is_coordinated_by_the_broker_that_was_set(cluster: EmbeddedCluster) -> None:
    for broker in cluster.broker_ids:
        cluster.set_coordinator("readers", broker)
        with connect(cluster.address(1)) as connection:
            answer = ask(connection, FIND_COORDINATOR, 2, struct.pack(">h7sb", 7, b"readers", 0))
        # throttle time, error code, no error message, node id
        assert struct.unpack_from(">ihhi", answer) == (0, 0, -1, broker)


def test_pushed_errors_answer_one_request_each(cluster: EmbeddedCluster) -> None:
    cluster.create_topic("events", 1, 1)
    producer = Producer(client(cluster, retries=0))
    cluster.request_errors(PRODUCE, [KafkaError.REQUEST_TIMED_OUT, 0, KafkaError.NOT_ENOUGH_REPLICAS])
    outcomes = [produce(producer, "events", 0) for _ in range(4)]
    assert [None if error is None else error.code() for error in outcomes] == [
        KafkaError.REQUEST_TIMED_OUT,
        None,
        KafkaError.NOT_ENOUGH_REPLICAS,
        None,
    ]


def test_close_leaves_no_listening_socket_and_may_be_repeated() -> None:
    before = listening_ports()
    cluster = EmbeddedCluster()
    ports = {int(cluster.address(broker).split(":")[1]) for broker in cluster.broker_ids}
    assert listening_ports() == before | ports
    cluster.stop_broker(1)
    with connect(cluster.address(2)) as connection:
        assert ask(connection, API_VERSIONS, 0)
        cluster.close()
        assert connection.recv(1) == b""
    assert listening_ports() == before
    for broker in cluster.broker_ids:
        with pytest.raises(ConnectionRefusedError):
            connect(cluster.address(broker))
    cluster.close()


def test_leaving_the_block_by_an_error_closes_it() -> None:
    before = listening_ports()
    with pytest.raises(LookupError), EmbeddedCluster(1):
        raise LookupError
    assert listening_ports() == before


def test_a_request_that_the_mock_does_not_know_closes_the_connection_in_silence(
    cluster: EmbeddedCluster, capfd: pytest.CaptureFixture[str]
) -> None:
    with connect(cluster.address(1)) as connection:
        assert ask(connection, LIST_GROUPS, 0) == b""
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    "use",
    [
        lambda it: it.create_topic("events", 1, 1),
        lambda it: it.stop_broker(1),
        lambda it: it.start_broker(1),
        lambda it: it.slow_broker(1, 0),
        lambda it: it.set_leader("events", 0, 1),
        lambda it: it.set_coordinator("readers", 1),
        lambda it: it.request_errors(PRODUCE, [0]),
    ],
)
def test_use_after_close_is_an_error(use: Callable[[EmbeddedCluster], None]) -> None:
    cluster = EmbeddedCluster(1)
    cluster.close()
    with pytest.raises(EmbeddedClosedError):
        use(cluster)


def test_a_refused_call_names_its_error(cluster: EmbeddedCluster) -> None:
    cluster.create_topic("events", 1, 1)
    with pytest.raises(EmbeddedCallError, match="TOPIC_ALREADY_EXISTS") as exists:
        cluster.create_topic("events", 1, 1)
    assert exists.value.code == KafkaError.TOPIC_ALREADY_EXISTS
    with pytest.raises(EmbeddedCallError) as unknown:
        cluster.set_leader("events", 1, 1)
    assert unknown.value.name == "UNKNOWN_TOPIC_OR_PART"


@pytest.mark.parametrize(
    "use",
    [
        lambda it: it.create_topic("", 1, 1),
        lambda it: it.create_topic("a\0b", 1, 1),
        lambda it: it.create_topic("events", 0, 1),
        lambda it: it.create_topic("events", 1, 4),
        lambda it: it.address(4),
        lambda it: it.stop_broker(-1),
        lambda it: it.start_broker(0),
        lambda it: it.slow_broker(1, -1),
        lambda it: it.slow_broker(9, 1),
        lambda it: it.set_leader("events", -1, 1),
        lambda it: it.set_leader("events", 0, -1),
        lambda it: it.set_coordinator("readers", 4),
        lambda it: it.request_errors(-1, [0]),
        lambda _: EmbeddedCluster(0),
    ],
)
def test_an_argument_that_would_harm_the_process_is_refused(
    cluster: EmbeddedCluster, use: Callable[[EmbeddedCluster], None]
) -> None:
    with pytest.raises(ValueError, match=r"must be|no broker"):
        use(cluster)


def test_a_librdkafka_outside_the_wheel_is_found_where_the_process_loaded_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(confluent_kafka, "__file__", str(tmp_path / "confluent_kafka" / "__init__.py"))
    assert Path(librdkafka.load_library.__wrapped__()._name).name.startswith("librdkafka")


@pytest.mark.parametrize(
    ("paths", "reason"),
    [([], "no shared library found"), (["/nowhere.so"], r"/nowhere\.so"), (["libc.so.6"], "rd_kafka_conf_new")],
)
def test_no_librdkafka_with_a_mock_cluster_is_one_named_error(
    monkeypatch: pytest.MonkeyPatch, paths: list[str], reason: str
) -> None:
    monkeypatch.setattr(librdkafka, "_library_paths", lambda: iter(paths))
    with pytest.raises(EmbeddedUnavailableError, match=reason):
        librdkafka.load_library.__wrapped__()
