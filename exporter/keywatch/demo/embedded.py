"""Runs a Kafka cluster with faults on demand inside this process: the mock cluster that librdkafka carries."""

from __future__ import annotations

import ctypes
import ctypes.util
import functools
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import confluent_kafka
from confluent_kafka import KafkaError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

_PRODUCER: Final = 0  # RD_KAFKA_PRODUCER of rd_kafka_type_t; the owner never produces, a consumer would start more
_CONF_OK: Final = 0  # RD_KAFKA_CONF_OK of rd_kafka_conf_res_t
_NO_ERROR: Final = 0  # RD_KAFKA_RESP_ERR_NO_ERROR of rd_kafka_resp_err_t
_LEADERLESS: Final = -1  # what set_leader takes for "no broker"
_REASON_BYTES: Final = 512  # the buffer that librdkafka writes the reason of a failure into
_INT16_MAX: Final = 2**15 - 1
_INT32_MAX: Final = 2**31 - 1

# librdkafka logs to stderr, among others every request that its mock does not know; 0 lets only emergencies pass.
# There is no bootstrap.servers on purpose: the owner of the mock cluster is not a client of anything.
_OWNER_CONFIG: Final = {"client.id": "keywatch-embedded", "log_level": "0"}

# Highest versions that the brokers offer. From Produce 10 and Fetch 12 on an answer names the new leader (KIP-951), and
# the mock of librdkafka 2.16 reads through a null pointer there, which ends the process, when set_leader left none.
_HIGHEST_VERSIONS: Final = {0: 9, 1: 11}  # ApiKey: version

# The mock's thread serves a call and then empties the pipe that woke it. A call that arrives between the two is served
# when the thread next looks around, up to a second later: so each call leaves it the time to go back to sleep.
_SETTLE_SECONDS: Final = 0.001

_Prototype = tuple[Any, tuple[Any, ...]]  # restype, argtypes

# rdkafka.h and rdkafka_mock.h. Without restype and argtypes ctypes would cut the 64-bit pointers down to a C int.
_PROTOTYPES: Final[Mapping[str, _Prototype]] = {
    "rd_kafka_conf_new": (ctypes.c_void_p, ()),
    "rd_kafka_conf_set": (
        ctypes.c_int,
        (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t),
    ),
    "rd_kafka_conf_destroy": (None, (ctypes.c_void_p,)),
    "rd_kafka_new": (ctypes.c_void_p, (ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t)),
    "rd_kafka_destroy": (None, (ctypes.c_void_p,)),
    "rd_kafka_mock_cluster_new": (ctypes.c_void_p, (ctypes.c_void_p, ctypes.c_int)),
    "rd_kafka_mock_cluster_destroy": (None, (ctypes.c_void_p,)),
    "rd_kafka_mock_cluster_bootstraps": (ctypes.c_char_p, (ctypes.c_void_p,)),
    "rd_kafka_mock_set_apiversion": (
        ctypes.c_int,
        (ctypes.c_void_p, ctypes.c_int16, ctypes.c_int16, ctypes.c_int16),
    ),
    "rd_kafka_mock_topic_create": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_int)),
    "rd_kafka_mock_broker_set_down": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_int32)),
    "rd_kafka_mock_broker_set_up": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_int32)),
    "rd_kafka_mock_broker_set_rtt": (ctypes.c_int, (ctypes.c_void_p, ctypes.c_int32, ctypes.c_int)),
    "rd_kafka_mock_partition_set_leader": (
        ctypes.c_int,
        (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32, ctypes.c_int32),
    ),
    "rd_kafka_mock_coordinator_set": (
        ctypes.c_int,
        (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int32),
    ),
    "rd_kafka_mock_push_request_errors_array": (
        None,
        (ctypes.c_void_p, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(ctypes.c_int)),
    ),
}


class EmbeddedError(Exception):
    """Is the base of every error that an embedded cluster raises, wrong arguments (ValueError) aside."""


class EmbeddedUnavailable(EmbeddedError):  # noqa: N818 -- a state of the machine, and it reads so where it is caught
    """Says that no librdkafka with a mock cluster was found, or that it could not start one."""


class EmbeddedClosedError(EmbeddedError):
    """Says that the cluster was used after close()."""


class EmbeddedCallError(EmbeddedError):
    """Says that the mock cluster refused a call.

    Attributes:
        code: the number of the error, as in KafkaError.code().
        name: its name, such as TOPIC_ALREADY_EXISTS.
    """

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
        """Start the cluster.

        Args:
            brokers: how many brokers, at least one.

        Raises:
            EmbeddedUnavailable: this installation has no librdkafka with a mock cluster, or it did not start.
            ValueError: there would be no broker.
        """
        _check("brokers", brokers, 1, _INT16_MAX)
        self._library: Final = _library()
        owner = _new_owner(self._library)
        cluster: int | None = self._library.rd_kafka_mock_cluster_new(owner, brokers)
        if cluster is None:
            self._library.rd_kafka_destroy(owner)
            raise EmbeddedUnavailable(f"librdkafka could not start a mock cluster of {brokers} brokers")
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

        Raises:
            ValueError: there is no such broker.
        """
        self._check_broker(broker)
        return self._addresses[broker]

    def create_topic(self, name: str, partitions: int, replication: int) -> None:
        """Create a topic whose partitions are led by its brokers in turn.

        Raises:
            EmbeddedCallError: the topic exists already (TOPIC_ALREADY_EXISTS).
            EmbeddedClosedError: the cluster is closed.
            ValueError: the name is empty or holds a NUL, or a number is below one or above the number of brokers.
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

        Raises:
            EmbeddedClosedError: the cluster is closed.
            ValueError: there is no such broker.
        """
        self._check_broker(broker)
        self._call("rd_kafka_mock_broker_set_down", broker)

    def start_broker(self, broker: int) -> None:
        """Accept connections again; do nothing when the broker runs.

        Raises:
            EmbeddedClosedError: the cluster is closed.
            ValueError: there is no such broker.
        """
        self._check_broker(broker)
        self._call("rd_kafka_mock_broker_set_up", broker)

    def slow_broker(self, broker: int, milliseconds: int) -> None:
        """Send every answer of a broker this many milliseconds late, those already waiting included; 0 is normal.

        Raises:
            EmbeddedClosedError: the cluster is closed.
            ValueError: there is no such broker, or the delay is negative.
        """
        self._check_broker(broker)
        _check("milliseconds", milliseconds, 0, _INT32_MAX)
        self._call("rd_kafka_mock_broker_set_rtt", broker, milliseconds)

    def set_leader(self, topic: str, partition: int, broker: int | None) -> None:
        """Make a broker, or none, the leader of a partition; a topic that does not exist is created.

        Raises:
            EmbeddedCallError: the topic has no such partition (UNKNOWN_TOPIC_OR_PART).
            EmbeddedClosedError: the cluster is closed.
            ValueError: there is no such broker, the topic's name is empty, or the partition is negative.
        """
        if broker is not None:
            self._check_broker(broker)
        # The mock reads memory in front of its partitions when it is given a negative one.
        _check("partition", partition, 0, _INT16_MAX)
        leader = _LEADERLESS if broker is None else broker
        self._call("rd_kafka_mock_partition_set_leader", _text("topic", topic), partition, leader)

    def set_coordinator(self, group: str, broker: int) -> None:
        """Make a broker the coordinator of a consumer group.

        Raises:
            EmbeddedClosedError: the cluster is closed.
            ValueError: there is no such broker, or the group's name is empty.
        """
        # With an unknown coordinator the mock would abort the whole process at the next FindCoordinator.
        self._check_broker(broker)
        self._call("rd_kafka_mock_coordinator_set", b"group", _text("group", group), broker)

    def request_errors(self, api_key: int, codes: Sequence[int]) -> None:
        """Answer the next requests of one kind, to whichever broker, with these errors, one each, in this order.

        KafkaError._TRANSPORT (-195) closes the connection in place of an answer; 0 lets one request pass.

        Args:
            api_key: the kind of request, by its number in the Kafka protocol (0 = Produce, 1 = Fetch, ...).
            codes: numbers of errors, as in KafkaError; they queue up behind those not used yet.

        Raises:
            EmbeddedClosedError: the cluster is closed.
            ValueError: the api_key is not one.
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


@functools.cache
def _library() -> ctypes.CDLL:
    """Load librdkafka and declare what is used of it; raise EmbeddedUnavailable when none has all of it."""
    tried = []
    for path in _library_paths():
        try:
            library = ctypes.CDLL(path)
            for name, (restype, argtypes) in _PROTOTYPES.items():
                function = getattr(library, name)
                function.restype = restype
                function.argtypes = argtypes
        except (OSError, AttributeError) as error:  # not loadable, or built without the mock cluster
            tried.append(str(error))
        else:
            return library
    raise EmbeddedUnavailable("no librdkafka with a mock cluster: " + ("; ".join(tried) or "no shared library found"))


def _library_paths() -> Iterator[str]:
    """Name the shared libraries that may be librdkafka, the one that confluent-kafka itself uses first."""
    package = Path(confluent_kafka.__file__).parent
    # auditwheel puts the shared libraries of a Linux wheel beside the package.
    yield from map(str, sorted(package.with_name("confluent_kafka.libs").glob("librdkafka-*.so*")))
    # A build against the system's library has loaded it into this process by now, from wherever the linker found it.
    with suppress(OSError):  # no /proc: not Linux
        mapped = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines()}
        yield from sorted(path for path in mapped if Path(path).name.startswith("librdkafka"))
    system = ctypes.util.find_library("rdkafka")
    if system is not None:
        yield system


def _new_owner(library: ctypes.CDLL) -> int:
    """Create the client handle that a mock cluster needs for its threads and timers."""
    reason = ctypes.create_string_buffer(_REASON_BYTES)
    config: int = library.rd_kafka_conf_new()
    for key, value in _OWNER_CONFIG.items():
        if library.rd_kafka_conf_set(config, key.encode(), value.encode(), reason, len(reason)) != _CONF_OK:
            library.rd_kafka_conf_destroy(config)
            raise EmbeddedUnavailable(f"librdkafka refused {key}={value}: {reason.value.decode()}")
    owner: int | None = library.rd_kafka_new(_PRODUCER, config, reason, len(reason))
    if owner is None:
        library.rd_kafka_conf_destroy(config)  # rd_kafka_new takes it over only when it succeeds
        raise EmbeddedUnavailable(f"librdkafka did not start: {reason.value.decode()}")
    return owner


def _check(what: str, value: int, least: int, most: int) -> None:
    # ctypes cuts a number down to the width of its C type in silence.
    if not least <= value <= most:
        raise ValueError(f"{what} must be {least} to {most}, not {value}")


def _text(what: str, value: str) -> bytes:
    # C would read the name up to the NUL.
    if not value or "\0" in value:
        raise ValueError(f"{what} must be a name without NUL, not {value!r}")
    return value.encode()
