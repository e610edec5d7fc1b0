"""Kafka's error codes and the ways a request to a broker fails, each turned into a `Reason`."""

from __future__ import annotations

from confluent_kafka import KafkaError, KafkaException

from keywatch.engine.probe import Reason
from keywatch.kafka.wire.codec import WireError
from keywatch.net.failures import connection_error

# Codes of https://kafka.apache.org/protocol#protocol_error_codes that the probes tell apart by name.
OFFSET_OUT_OF_RANGE = 1
UNKNOWN_TOPIC_OR_PARTITION = 3
LEADER_NOT_AVAILABLE = 5
NOT_LEADER_OR_FOLLOWER = 6
COORDINATOR_LOAD_IN_PROGRESS = 14
COORDINATOR_NOT_AVAILABLE = 15
NOT_COORDINATOR = 16
TOPIC_AUTHORIZATION_FAILED = 29
GROUP_AUTHORIZATION_FAILED = 30
CLUSTER_AUTHORIZATION_FAILED = 31
UNSUPPORTED_SASL_MECHANISM = 33
ILLEGAL_SASL_STATE = 34
UNSUPPORTED_VERSION = 35
TOPIC_ALREADY_EXISTS = 36
NOT_CONTROLLER = 41
INVALID_REQUEST = 42
SASL_AUTHENTICATION_FAILED = 58
ELECTION_NOT_NEEDED = 84
REBOOTSTRAP_REQUIRED = 129
_REASONS: dict[int, Reason] = {
    UNKNOWN_TOPIC_OR_PARTITION: Reason.UNKNOWN_TOPIC,
    LEADER_NOT_AVAILABLE: Reason.NO_LEADER,
    NOT_LEADER_OR_FOLLOWER: Reason.NO_LEADER,
    74: Reason.NO_LEADER,  # FENCED_LEADER_EPOCH, once after a recovery
    7: Reason.TIMEOUT_RESPONSE,  # REQUEST_TIMED_OUT
    COORDINATOR_LOAD_IN_PROGRESS: Reason.COORDINATOR,
    COORDINATOR_NOT_AVAILABLE: Reason.COORDINATOR,
    NOT_COORDINATOR: Reason.COORDINATOR,
    19: Reason.NOT_ENOUGH_REPLICAS,
    20: Reason.NOT_ENOUGH_REPLICAS,  # …_AFTER_APPEND
    TOPIC_AUTHORIZATION_FAILED: Reason.AUTHORIZATION,
    GROUP_AUTHORIZATION_FAILED: Reason.AUTHORIZATION,
    CLUSTER_AUTHORIZATION_FAILED: Reason.AUTHORIZATION,
    53: Reason.AUTHORIZATION,  # TRANSACTIONAL_ID_AUTHORIZATION_FAILED
    UNSUPPORTED_SASL_MECHANISM: Reason.AUTHENTICATION,
    ILLEGAL_SASL_STATE: Reason.AUTHENTICATION,
    SASL_AUTHENTICATION_FAILED: Reason.AUTHENTICATION,
    10: Reason.REJECTED,  # MESSAGE_TOO_LARGE
    44: Reason.REJECTED,  # POLICY_VIOLATION
    87: Reason.REJECTED,  # INVALID_RECORD
    56: Reason.STORAGE,  # KAFKA_STORAGE_ERROR
    UNSUPPORTED_VERSION: Reason.UNSUPPORTED,
    KafkaError._TRANSPORT: Reason.RESET,  # noqa: SLF001 - librdkafka's own codes are named with an underscore
    KafkaError._ALL_BROKERS_DOWN: Reason.REFUSED,  # noqa: SLF001
    KafkaError._RESOLVE: Reason.DNS,  # noqa: SLF001
    KafkaError._AUTHENTICATION: Reason.AUTHENTICATION,  # noqa: SLF001
    KafkaError._SSL: Reason.TLS,  # noqa: SLF001
    KafkaError._MSG_TIMED_OUT: Reason.TIMEOUT_RESPONSE,  # noqa: SLF001
    KafkaError._TIMED_OUT: Reason.TIMEOUT_RESPONSE,  # noqa: SLF001
    KafkaError._TIMED_OUT_QUEUE: Reason.TIMEOUT_RESPONSE,  # noqa: SLF001
    KafkaError._UNKNOWN_TOPIC: Reason.UNKNOWN_TOPIC,  # noqa: SLF001
    KafkaError._UNKNOWN_PARTITION: Reason.UNKNOWN_TOPIC,  # noqa: SLF001
}


def request_error(error: BaseException) -> tuple[Reason, str]:
    """Return the reason why a request got no reply that can be read, and its words."""
    if isinstance(error, WireError):
        return Reason.PROTOCOL, str(error)
    return connection_error(error)


def reason_of(code: int) -> Reason:
    """Return the reason for an error code of Kafka or of librdkafka (negative codes)."""
    return _REASONS.get(code, Reason.PROTOCOL if code > 0 else Reason.INTERNAL)


def name_of(code: int) -> str:
    """Return Kafka's own name of an error code."""
    return str(KafkaError(code).name())


def kafka_error(error: KafkaError | KafkaException) -> tuple[Reason, str]:
    """Return the reason for an error of librdkafka, and its words."""
    inner = error.args[0] if isinstance(error, KafkaException) else error
    if not isinstance(inner, KafkaError):
        return Reason.INTERNAL, str(inner)
    return reason_of(inner.code()), f"{inner.name()}: {inner.str()}"
