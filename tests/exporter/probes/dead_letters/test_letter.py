"""What a dead letter says of its end becomes one of a few reasons, whatever it says; free text never comes through."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywatch.probes.dead_letters.letter import DeadLetterReason as Reason
from keywatch.probes.dead_letters.letter import Sources, _class_in, normalised

SOURCES = Sources()
# As the listener writes it (facts about its DeadLetterQueue); the event inside is a text.
ENVELOPE = {
    "id": "dlq-1767000000789-123456789012345",
    "timestamp": "2025-12-29T09:20:00.789123Z",
    "eventType": "ADMIN_UPDATE",
    "eventData": '{"id":"1","time":1767000000456}',
    "realm": "5b1e2a34",
    "destination": "keycloak.admin.events",
    "failureReason": "Circuit breaker is OPEN for kafka-event-sender",
    "attemptCount": 3,
    "metadata": {"key": "5b1e2a34:UPDATE:77aa", "errorClass": "CircuitBreakerOpenException"},
}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("org.apache.kafka.connect.errors.DataException", Reason.SERIALIZATION),
        ("org.apache.kafka.common.errors.SerializationException", Reason.SERIALIZATION),
        ("org.springframework.kafka.support.serializer.DeserializationException", Reason.SERIALIZATION),
        ("tools.jackson.core.exc.StreamReadException", Reason.SERIALIZATION),
        (
            "io.confluent.kafka.schemaregistry.client.rest.exceptions.RestClientException$SchemaError",
            Reason.SERIALIZATION,
        ),
        ("org.apache.kafka.common.errors.RecordTooLargeException", Reason.TOO_LARGE),
        ("org.apache.kafka.common.errors.TimeoutException", Reason.TIMEOUT),
        ("java.net.SocketTimeoutException", Reason.TIMEOUT),
        ("java.net.ConnectException", Reason.NETWORK),
        ("org.apache.kafka.connect.errors.ConnectException", Reason.OTHER),
        ("org.apache.kafka.common.errors.TopicAuthorizationException", Reason.AUTHORIZATION),
        ("org.apache.kafka.common.errors.SaslAuthenticationException", Reason.AUTHENTICATION),
        ("org.apache.kafka.common.errors.UnknownTopicOrPartitionException", Reason.UNKNOWN_TOPIC),
        ("io.github.resilience4j.circuitbreaker.CallNotPermittedException", Reason.CIRCUIT_OPEN),
        ("CircuitBreakerOpenException", Reason.CIRCUIT_OPEN),
        ("java.lang.NullPointerException", Reason.DEFECT),
        ("java.lang.IllegalArgumentException", Reason.VALIDATION),
        ("org.hibernate.exception.ConstraintViolationException", Reason.VALIDATION),
        ("java.sql.SQLException", Reason.DATABASE),
        ("com.example.Outer$InnerException", Reason.OTHER),
        ("Circuit breaker is OPEN for kafka-event-sender", Reason.CIRCUIT_OPEN),
        ("Expiring 3 record(s) for keycloak.events-0: 120000 ms has passed", Reason.TIMEOUT),
        ("java.lang.RuntimeException: no", Reason.OTHER),
        ("the user alice@example.com was not found", Reason.OTHER),
        ("authentication-events is away", Reason.OTHER),
        ("", Reason.OTHER),
    ],
)
def test_classes_and_words_are_known(said: str, reason: Reason) -> None:
    assert normalised(said) is reason
    assert normalised(said.encode()) is reason


@pytest.mark.parametrize(
    ("headers", "reason"),
    [
        ([], Reason.NONE),
        ([("other", b"TimeoutException")], Reason.NONE),
        (
            [("__connect.errors.exception.class.name", b"org.apache.kafka.connect.errors.DataException")],
            Reason.SERIALIZATION,
        ),
        ([("__streams.errors.exception", b"java.lang.ArithmeticException")], Reason.DEFECT),
        (
            [
                ("kafka_dlt-exception-fqcn", b"org.springframework.kafka.listener.ListenerExecutionFailedException"),
                ("kafka_dlt-exception-cause-fqcn", b"java.util.concurrent.TimeoutException"),
            ],
            Reason.TIMEOUT,
        ),
        (
            [("kafka_dlt-exception-fqcn", b"x.FirstException"), ("kafka_dlt-exception-fqcn", b"JsonException")],
            Reason.SERIALIZATION,
        ),
        ([("kafka_dlt-exception-fqcn", None)], Reason.NONE),
        ([("kafka_dlt-exception-fqcn", b"\xff\xfe\x00")], Reason.OTHER),
        ([("kafka_dlt-exception-fqcn", b"A" * 1_000_000)], Reason.OTHER),
    ],
    ids=range(9),
)
def test_headers_of_well_known_writers_are_read(headers: list[tuple[str, bytes | None]], reason: Reason) -> None:
    assert SOURCES.of_record(headers, b"a value") is reason


def test_the_listeners_envelope_is_read() -> None:
    assert SOURCES.of_record([], json.dumps(ENVELOPE).encode()) is Reason.CIRCUIT_OPEN
    from_batch = {**ENVELOPE, "metadata": {}, "failureReason": "Topic keycloak.events: request timed out"}
    assert SOURCES.of_record([], json.dumps(from_batch).encode()) is Reason.TIMEOUT
    assert SOURCES.of_record([], b'{"failureReason": 5, "metadata": []}') is Reason.NONE


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"{",
        b"\xff{}",
        b'{"a":' * 100_000,
        b"{" + b" " * (1 << 20) + b"}",
        b'{"a": ' + b"9" * 5000 + b"}",
        b'["failureReason"]',
        b'{"metadata": {"errorClass": null}}',
    ],
    ids=["tombstone", "empty", "cut", "not UTF-8", "nested", "large", "long number", "list", "null"],
)
def test_a_value_that_names_nothing_says_none(value: bytes | None) -> None:
    assert SOURCES.of_record([], value) is Reason.NONE


@given(st.lists(st.tuples(st.sampled_from(["why", "kafka_dlt-exception-fqcn"]), st.binary())), st.binary())
def test_whatever_is_in_a_record_gives_a_reason(headers: list[tuple[str, bytes]], value: bytes) -> None:
    assert isinstance(Sources("why", "a.b").of_record(headers, value), Reason)


@given(
    st.recursive(st.none() | st.booleans() | st.floats() | st.text(), lambda inner: st.dictionaries(st.text(), inner))
)
def test_whatever_an_envelope_is_gives_a_reason(envelope: object) -> None:
    assert isinstance(SOURCES.of_envelope(envelope), Reason)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("org.acme.FooException$BarException: not so", "org.acme.FooException$BarException"),
        ("a FooException.more and BarError", "FooException"),
        ("Exception alone", ""),
        ("aException1", ""),
        ("x" * 1000, ""),
        ("x." * 400 + "YError", "x." * 400 + "YError"),
        ("fooError FooException", "fooError"),
    ],
)
def test_the_first_class_that_is_named_counts(words: str, name: str) -> None:
    assert _class_in(words) == name


@given(st.text(alphabet="Exceptiontorx.$ _", max_size=60) | st.text(max_size=60))
def test_a_class_is_found_as_one_expression_finds_it_that_takes_long(words: str) -> None:
    found = re.search(r"[\w.$]*\w(?:Exception|Error)\b", words)
    assert _class_in(words) == (found.group() if found else "")
