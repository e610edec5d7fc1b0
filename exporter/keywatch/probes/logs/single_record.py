"""Writes single records now and then, and tells where each of them lies."""

from __future__ import annotations

from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from keywatch.engine.probe import ProbeError, Reason
from keywatch.engine.worker import Worker
from keywatch.kafka.client import Clients
from keywatch.kafka.errors import kafka_error
from keywatch.kafka.records.search import Position
from keywatch.kafka.rights import WRITE_LOG_CANARY
from keywatch.kafka.wire.requests import TopicPartition

_POLL_SECONDS = 0.05


class SingleRecord:
    """A producer with acks=all on a thread of its own, made anew when certificates or secrets change."""

    def __init__(self, clients: Clients, topic: str, timeout: float) -> None:
        """Write to `topic`; a record has `timeout` seconds to be acknowledged."""
        self._clients = clients
        self._topic = topic
        self._timeout = timeout
        self._worker = Worker(f"record-{topic}")
        self._producer: Producer | None = None
        self._version: tuple[int, ...] = ()
        self._told: list[tuple[KafkaError | None, Any]] = []

    async def write(self, key: bytes, value: bytes) -> Position:
        """Write a record and give its place; raises `ProbeError` when it is refused or not acknowledged in time."""
        return await self._worker.call(lambda: self._write(key, value))

    def close(self) -> None:
        """Let the thread end."""
        self._worker.end(self._let_go)

    def _write(self, key: bytes, value: bytes) -> Position:
        version = self._clients.version()
        self._told.clear()
        try:
            if self._producer is None or version != self._version:
                self._producer, self._version = self._clients.producer(self._timeout, self._delivered), version
            self._producer.produce(self._topic, value=value, key=key)
            # The client itself gives up after `timeout` and says so.
            while not self._told:
                self._producer.poll(_POLL_SECONDS)
        except BufferError:
            raise ProbeError(Reason.INTERNAL, "the producer's queue is full") from None
        except KafkaException as error:
            raise self._refusal(error) from None
        refusal, message = self._told[0]
        if refusal is not None:
            raise self._refusal(refusal)
        return Position(TopicPartition(self._topic, int(message.partition())), int(message.offset()))

    def _refusal(self, error: KafkaError | KafkaException) -> ProbeError:
        reason, detail = kafka_error(error)
        if reason is Reason.AUTHORIZATION:
            detail = WRITE_LOG_CANARY.missing(self._topic)
        return ProbeError(reason, detail)

    def _delivered(self, error: KafkaError | None, message: Any) -> None:
        self._told.append((error, message))

    def _let_go(self) -> None:
        if self._producer is not None:
            self._producer.purge()
        self._producer = None
