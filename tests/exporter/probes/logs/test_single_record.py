"""A single record's place is told, and why there is none."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException

from keywatch.engine.probe import ProbeError, Reason
from keywatch.kafka.client import Clients
from keywatch.kafka.records.search import Position
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.probes.logs.single_record import SingleRecord


class FakeMessage:
    """What librdkafka reports of a record."""

    def partition(self) -> int:
        """Return its partition."""
        return 2

    def offset(self) -> int:
        """Return its offset."""
        return 40


class FakeClients:
    """Makes producers that report what they are told to; counts them."""

    def __init__(self) -> None:
        self.made = 0
        self.error: KafkaError | None = None
        self.refuses: Exception | None = None
        self.written: list[tuple[str, bytes, bytes]] = []
        self.identity = (1,)
        self._delivered: Callable[[Any, Any], None] = lambda _error, _message: None

    def version(self) -> tuple[int, ...]:
        """Return the version of certificates and secrets."""
        return self.identity

    def producer(self, timeout: float, delivered: Callable[[Any, Any], None]) -> FakeClients:
        """Make a producer, which is this."""
        assert timeout == 2.0
        self.made += 1
        self._delivered = delivered
        return self

    def produce(self, topic: str, *, value: bytes, key: bytes) -> None:
        """Take a record."""
        if self.refuses is not None:
            raise self.refuses
        self.written.append((topic, key, value))

    def poll(self, seconds: float) -> None:
        """Report what became of it."""
        assert seconds > 0
        self._delivered(self.error, FakeMessage())

    def purge(self) -> None:
        """Nothing is under way."""


def write(clients: FakeClients, times: int = 1) -> Position:
    record = SingleRecord(cast("Clients", clients), "t", 2.0)

    async def go() -> Position:
        for _ in range(times):
            place = await record.write(b"key", b"value")
        return place

    try:
        return asyncio.run(go())
    finally:
        record.close()


def test_a_record_that_is_acknowledged_has_a_place_and_the_producer_is_kept() -> None:
    clients = FakeClients()
    assert write(clients, 2) == Position(TopicPartition("t", 2), 40)
    assert clients.written == [("t", b"key", b"value")] * 2
    assert clients.made == 1


def test_a_producer_is_made_anew_when_secrets_change() -> None:
    clients = FakeClients()
    record = SingleRecord(cast("Clients", clients), "t", 2.0)

    async def go() -> None:
        await record.write(b"", b"1")
        clients.identity = (2,)
        await record.write(b"", b"2")

    asyncio.run(go())
    record.close()
    assert clients.made == 2


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, Reason.AUTHORIZATION, "Write on Topic:t is missing"),
        (KafkaError.NOT_ENOUGH_REPLICAS, Reason.NOT_ENOUGH_REPLICAS, "NOT_ENOUGH_REPLICAS"),
    ],
)
def test_a_refusal_has_a_name(code: int, reason: Reason, words: str) -> None:
    clients = FakeClients()
    clients.error = KafkaError(code)
    with pytest.raises(ProbeError, match=words) as failed:
        write(clients)
    assert failed.value.reason is reason


@pytest.mark.parametrize(
    ("refuses", "words"),
    [
        (BufferError("full"), "the producer's queue is full"),
        (KafkaException(KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)), "Write on Topic:t is missing"),
    ],
)
def test_what_the_client_refuses_at_once_has_a_name_too(refuses: Exception, words: str) -> None:
    clients = FakeClients()
    clients.refuses = refuses
    with pytest.raises(ProbeError, match=words):
        write(clients)
