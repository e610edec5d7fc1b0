"""Writes events as a listener does, so that a test knows what must arrive."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Any, NamedTuple, Self

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from tests.kafka import admin

REALM = "5b1e2a34-6a7f-4b0e-8c55-8a7f3b7d9e10"


class Sent(NamedTuple):
    """A record to be written; without a `partition` its key decides."""

    topic: str
    value: bytes | None
    key: bytes | None = None
    partition: int = -1


def snuk87(number: int, type_: str = "LOGIN", topic: str = "keycloak-events", **changed: Any) -> Sent:
    """Make a user event of the listener snuk87 that happens now; the number makes its id."""
    body = {
        "id": f"e-{number}", "time": int(time.time() * 1000), "type": type_, "realmId": REALM, "realmName": "shop",
        "clientId": "web-app", "userId": "u", "ipAddress": "10.1.2.3", "error": None, "details": {"username": "alice"},
    }  # fmt: skip
    return Sent(topic, json.dumps(body | changed).encode())


def scriptonbasestar(number: int, type_: str = "LOGIN", topic: str = "keycloak.events") -> Sent:
    """Make a user event of the listener scriptonbasestar that happens now; the number makes its id."""
    body = {
        "id": f"s-{number}", "time": int(time.time() * 1000), "type": type_, "realmId": REALM, "clientId": "web-app",
        "userId": "u", "sessionId": None, "ipAddress": "10.1.2.3", "details": {"username": "alice"},
    }  # fmt: skip
    return Sent(topic, json.dumps(body).encode(), f"{REALM}:{type_}:u".encode())


class EventSource:
    """A producer that never writes a record twice and keeps count of what Kafka acknowledged; a context manager."""

    def __init__(self, bootstrap: str, **settings: Any) -> None:
        own = {"enable.idempotence": True, "linger.ms": 5, "message.timeout.ms": 120_000} | settings
        self._producer = Producer(admin.client_settings(bootstrap, own))
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.sent = 0
        self.acknowledged = 0
        self.errors: list[KafkaError] = []

    def send(self, records: Iterable[Sent]) -> None:
        """Write records and wait until Kafka has them all; raises `KafkaException` for the first that it refused."""
        self.write(records)
        self.flush()

    def write(self, records: Iterable[Sent]) -> None:
        """Write records without waiting."""
        for record in records:
            self._produce(record)

    def flush(self, deadline: float = admin.SETUP_SECONDS) -> None:
        """Wait until Kafka has what was written; raises `KafkaException` for the first record that it refused."""
        self._producer.flush(deadline)
        if self.errors:
            raise KafkaException(self.errors[0])
        assert self.acknowledged == self.sent

    def run(self, rate: float) -> None:
        """Write `rate` logins a second on a thread, until the end."""

        def work() -> None:
            while not self._ended.wait(1 / rate):
                self._produce(snuk87(self.sent))

        self._thread = threading.Thread(target=work, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """End the thread and wait until Kafka has what was written."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()

    def _produce(self, record: Sent) -> None:
        self.sent += 1
        self._producer.produce(
            record.topic, value=record.value, key=record.key, partition=record.partition, on_delivery=self._delivered
        )
        self._producer.poll(0)

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self.errors.append(error)
        else:
            self.acknowledged += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
