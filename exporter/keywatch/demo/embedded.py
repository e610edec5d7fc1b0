"""Runs a Kafka cluster with faults on demand inside this process: the mock cluster that librdkafka carries."""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Final, Self

from confluent_kafka import KafkaError

from keywatch.demo.librdkafka import EmbeddedError, EmbeddedUnavailableError, load_library, new_owner

_NO_ERROR: Final = 0  # RD_KAFKA_RESP_ERR_NO_ERROR of rd_kafka_resp_err_t
_LEADERLESS: Final = -1  # what set_leader takes for "no broker"
_INT16_MAX: Final = 2**15 - 1
_INT32_MAX: Final = 2**31 - 1
# Highest versions that the brokers offer. From Produce 10 and Fetch 12 on an answer names the new leader (KIP-951), and
# the mock of librdkafka 2.16 reads through a null pointer there, which ends the process, when set_leader left none.
_HIGHEST_VERSIONS: Final = {0: 9, 1: 11}  # ApiKey: version
# The mock's thread serves a call and then empties the pipe that woke it. A call that arrives between the two is served
# when the thread next looks around, up to a second later: so each call leaves it the time to go back to sleep.
_SETTLE_SECONDS: Final = 0.001


class EmbeddedClosedError(EmbeddedError):
    """The cluster was used after it was closed."""


class EmbeddedCallError(EmbeddedError):
    """The mock cluster refused a call: the `code` of Kafka's error and its `name`, such as TOPIC_ALREADY_EXISTS."""

    def __init__(self, call: str, code: int) -> None:
        error = KafkaError(code)
        self.code: Final = code
        self.name: Final = error.name()
        super().__init__(f"{call}: {self.name} ({code}): {error.str()}")


class EmbeddedCluster:
    """Serves the Kafka protocol on loopback ports of this process, from construction until close().

    Brokers have the ids 1 to `brokers`. A topic that a client asks for comes into being with four partitions.
    Calls take effect before they return: as a rule within two milliseconds, at worst after about a second. They may
    come from any thread; only close() must not overlap with another call.
    """

    def __init__(self, brokers: int = 3) -> None:
        """Start the cluster with so many brokers, at least one.

        Raises `EmbeddedUnavailableError` where this installation has no librdkafka with a mock cluster, or it did not
        start; `ValueError` where there would be no broker.
        """
        _check("brokers", brokers, 1, _INT16_MAX)
        self._library: Final = load_library()
        owner = new_owner(self._library)
        cluster: int | None = self._library.rd_kafka_mock_cluster_new(owner, brokers)
        if cluster is None:
            self._library.rd_kafka_destroy(owner)
            raise EmbeddedUnavailableError(f"librdkafka could not start a mock cluster of {brokers} brokers")
        self._handles: tuple[int, int] | None = (owner, cluster)
        addresses: bytes = self._library.rd_kafka_mock_cluster_bootstraps(cluster)
        for api_key, highest in _HIGHEST_VERSIONS.items():
            self._call("rd_kafka_mock_set_apiversion", api_key, 0, highest)
        # The mock lists its brokers in the order of their ids, which start at 1.
        self._addresses: Final = dict(enumerate(addresses.decode().split(","), start=1))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def bootstrap(self) -> str:
        """Name all brokers, down or not, as a client's bootstrap.servers."""
        return ",".join(self._addresses.values())

    @property
    def broker_ids(self) -> tuple[int, ...]:
        """Name the id of every broker, down or not."""
        return tuple(self._addresses)

    def address(self, broker: int) -> str:
        """Name where a broker listens, as host:port; it stays the same while the broker is stopped.

        Raises `ValueError` where there is no such broker.
        """
        self._check_broker(broker)
        return self._addresses[broker]

    def create_topic(self, name: str, partitions: int, replication: int) -> None:
        """Create a topic whose partitions are led by its brokers in turn.

        Raises `EmbeddedCallError` where the topic exists already (TOPIC_ALREADY_EXISTS); `EmbeddedClosedError`;
        `ValueError` where the name is empty or holds a NUL, or a number is below one or above the number of brokers.
        """
        _check("partitions", partitions, 1, _INT16_MAX)
        _check("replication", replication, 1, len(self._addresses))
        self._call("rd_kafka_mock_topic_create", _text("topic", name), partitions, replication)
        # The mock draws each leader by lot, which can leave a broker without any: a fault of it would show nothing.
        led = dict.fromkeys(self._addresses, 0)
        for partition in range(partitions):
            leader = min(self._replicas(partition, replication), key=led.__getitem__)
            led[leader] += 1
            self.set_leader(name, partition, leader)

    def stop_broker(self, broker: int) -> None:
        """Close a broker's connections and refuse new ones; its partitions keep it as their leader.

        Raises `EmbeddedClosedError`; `ValueError` where there is no such broker.
        """
        self._check_broker(broker)
        self._call("rd_kafka_mock_broker_set_down", broker)

    def start_broker(self, broker: int) -> None:
        """Accept connections again; do nothing when the broker runs.

        Raises `EmbeddedClosedError`; `ValueError` where there is no such broker.
        """
        self._check_broker(broker)
        self._call("rd_kafka_mock_broker_set_up", broker)

    def slow_broker(self, broker: int, milliseconds: int) -> None:
        """Send every answer of a broker this many milliseconds late, those already waiting included; 0 is normal.

        Raises `EmbeddedClosedError`; `ValueError` where there is no such broker, or the delay is negative.
        """
        self._check_broker(broker)
        _check("milliseconds", milliseconds, 0, _INT32_MAX)
        self._call("rd_kafka_mock_broker_set_rtt", broker, milliseconds)

    def set_leader(self, topic: str, partition: int, broker: int | None) -> None:
        """Make a broker, or none, the leader of a partition; a topic that does not exist is created.

        Raises `EmbeddedCallError` where the topic has no such partition (UNKNOWN_TOPIC_OR_PART);
        `EmbeddedClosedError`; `ValueError` where there is no such broker, the topic's name is empty, or the partition
        is negative.
        """
        if broker is not None:
            self._check_broker(broker)
        # The mock reads memory in front of its partitions when it is given a negative one.
        _check("partition", partition, 0, _INT16_MAX)
        leader = _LEADERLESS if broker is None else broker
        self._call("rd_kafka_mock_partition_set_leader", _text("topic", topic), partition, leader)

    def set_coordinator(self, group: str, broker: int) -> None:
        """Make a broker the coordinator of a consumer group.

        Raises `EmbeddedClosedError`; `ValueError` where there is no such broker, or the group's name is empty.
        """
        # With an unknown coordinator the mock would abort the whole process at the next FindCoordinator.
        self._check_broker(broker)
        self._call("rd_kafka_mock_coordinator_set", b"group", _text("group", group), broker)

    def request_errors(self, api_key: int, codes: Sequence[int]) -> None:
        """Answer the next requests of one kind, to whichever broker, with these errors, one each, in this order.

        KafkaError._TRANSPORT (-195) closes the connection in place of an answer; 0 lets one request pass.

        `api_key` is the kind of request, by its number in the Kafka protocol (0 = Produce, 1 = Fetch, ...). `codes` are
        numbers of errors, as in KafkaError; they queue up behind those not used yet.

        Raises `EmbeddedClosedError`; `ValueError` where the api_key is not one.
        """
        _check("api_key", api_key, 0, _INT16_MAX)
        errors = (ctypes.c_int * len(codes))(*codes)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster(), api_key, len(codes), errors)

    def close(self) -> None:
        """Stop all brokers, free their ports and forget all records; do nothing when that was done before."""
        if self._handles is None:
            return
        owner, cluster = self._handles
        self._handles = None
        # In this order: the cluster uses its owner until its last thread has ended.
        self._library.rd_kafka_mock_cluster_destroy(cluster)
        self._library.rd_kafka_destroy(owner)

    def _cluster(self) -> int:
        if self._handles is None:
            raise EmbeddedClosedError("the embedded Kafka cluster is closed")
        return self._handles[1]

    def _call(self, function: str, *arguments: int | bytes) -> None:
        code: int = getattr(self._library, function)(self._cluster(), *arguments)
        time.sleep(_SETTLE_SECONDS)
        if code != _NO_ERROR:
            raise EmbeddedCallError(function, code)

    def _replicas(self, partition: int, replication: int) -> list[int]:
        # As rd_kafka_mock_partition_assign_replicas in rdkafka_mock.c places them.
        first = partition * replication
        return [self.broker_ids[(first + follower) % len(self._addresses)] for follower in range(replication)]

    def _check_broker(self, broker: int) -> None:
        # The mock would take -1 for all brokers.
        if broker not in self._addresses:
            raise ValueError(
                f"no broker {broker}: the embedded Kafka cluster has {', '.join(map(str, self._addresses))}"
            )


def _check(what: str, value: int, least: int, most: int) -> None:
    # ctypes cuts a number down to the width of its C type in silence.
    if not least <= value <= most:
        raise ValueError(f"{what} must be {least} to {most}, not {value}")


def _text(what: str, value: str) -> bytes:
    # C would read the name up to the NUL.
    if not value or "\0" in value:
        raise ValueError(f"{what} must be a name without NUL, not {value!r}")
    return value.encode()
