"""Reads what arrived in Kafka's topics, record by record, from the beginning."""

from __future__ import annotations

import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from confluent_kafka import Consumer, Message, TopicPartition

from tests.kafka.admin import Settings, client_settings


class Tail:
    """A reader of topics that have one partition each; every record is given once, in the order of its partition."""

    def __init__(self, bootstrap: str, topics: Iterable[str]) -> None:
        settings: Settings = {
            "group.id": "keywatch-tests",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
        }
        self._consumer = Consumer(client_settings(bootstrap, settings))
        self._consumer.assign([TopicPartition(topic, 0, 0) for topic in topics])

    def take(self, count: int, deadline: float = 60.0) -> list[Message]:
        """Return the next `count` records. Raises `TimeoutError` when they are not there within `deadline` seconds."""
        end = time.monotonic() + deadline
        found: list[Message] = []
        while len(found) < count:
            message = self._consumer.poll(0.1)
            if message is not None and message.error() is None:
                found.append(message)
            elif time.monotonic() > end:
                raise TimeoutError(f"{len(found)} of {count} records within {deadline:g} s")
        return found

    def close(self) -> None:
        """Leave Kafka."""
        self._consumer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()
