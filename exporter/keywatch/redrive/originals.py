"""Fetches the records that letters only point at: a share group's letter has no key and value unless so configured."""

from __future__ import annotations

import time

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as Assignment

from keywatch.kafka.client import REDRIVE_PREFIX, Clients
from keywatch.redrive.letter import Letter
from keywatch.redrive.topic_letters import raw_of

_POLL_SECONDS = 0.1


class Originals:
    """Reads single records at their offsets; one that retention took is not replaced by another one."""

    def __init__(self, clients: Clients, timeout: float) -> None:
        self._clients = clients
        self._timeout = timeout
        self._consumer: Consumer | None = None

    def fill(self, letter: Letter) -> bool:
        """Give the letter its original's key, value and headers; returns False when that is not there (any more)."""
        origin = letter.origin
        if origin is None or origin.partition is None or origin.offset is None:
            return False
        if self._consumer is None:
            self._consumer = self._clients.letters(f"{REDRIVE_PREFIX}originals")
        consumer, end = self._consumer, time.monotonic() + self._timeout
        consumer.assign([Assignment(origin.topic, origin.partition, origin.offset)])
        try:
            while time.monotonic() < end:
                message = consumer.poll(_POLL_SECONDS)
                if message is None:
                    continue
                error = message.error()
                if error is not None:
                    if error.code() in {KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN}:  # noqa: SLF001
                        continue
                    return False
                if (message.topic(), message.partition(), message.offset()) != tuple(origin):
                    return False
                letter.key, letter.value, letter.headers, _ = raw_of(message)
                letter.hollow = False
                return True
        except KafkaException:
            return False
        finally:
            consumer.unassign()
        return False
