"""The canary's producer and consumer on one thread: hands records over and reports acknowledgements and arrivals."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from keywatch.engine.probe import Reason
from keywatch.kafka.client import Clients
from keywatch.kafka.errors import kafka_error

_POLL_SECONDS = 0.05

Acknowledged = Callable[[int, int, int], None]
Failed = Callable[[int, int, Reason, str], None]
Read = Callable[[int, int | None, int, float], None]


class CanaryLink:
    """Reports arrive on the event loop; the thread is a daemon, so that a dead cluster cannot hold up the end.

    `acknowledged(partition, sequence, offset)`, `failed(partition, sequence, reason, detail)`,
    `read(partition, sequence, offset, monotonic seconds)` with the sequence None for another instance's record.
    """

    def __init__(
        self,
        clients: Clients,
        topic: str,
        instance: str,
        timeout: float,
        *,
        acknowledged: Acknowledged,
        failed: Failed,
        read: Read,
    ) -> None:
        self._topic = topic
        self._mark = f"keywatch {instance} "
        self._loop = asyncio.get_running_loop()
        self._acknowledged = acknowledged
        self._failed = failed
        self._read = read
        self._ended = threading.Event()
        self._assign: Mapping[int, int] | None = None
        self.read_trouble: tuple[Reason, str] | None = None
        """What the consumer last said was wrong; None once something was read."""
        self._producer: Producer = clients.producer(timeout, self._delivered)
        self._consumer: Consumer = clients.tail()
        self._thread = threading.Thread(target=self._work, name=f"canary-{topic}", daemon=True)
        self._thread.start()

    def assign(self, positions: Mapping[int, int]) -> None:
        """Read these partitions from these offsets on."""
        self._assign = dict(positions)

    def send(self, partition: int, sequence: int) -> None:
        """Produce one record; what becomes of it is reported, also when the client refuses it at once."""
        value = f"{self._mark}{partition} {sequence}".encode()
        try:
            self._producer.produce(self._topic, value=value, partition=partition, key=str(sequence).encode())
        except (BufferError, KafkaException) as error:
            words = kafka_error(error) if isinstance(error, KafkaException) else (Reason.INTERNAL, "its queue is full")
            self._failed(partition, sequence, *words)

    def end(self) -> None:
        """Tell the thread to end; does not wait for it."""
        self._ended.set()

    def _work(self) -> None:
        while not self._ended.is_set():
            positions, self._assign = self._assign, None
            if positions is not None:
                self._consumer.assign([TopicPartition(self._topic, p, offset) for p, offset in positions.items()])
            self._producer.poll(0)
            message = self._consumer.poll(_POLL_SECONDS)
            now = time.monotonic()
            if message is None:
                continue
            error = message.error()
            self.read_trouble = kafka_error(error) if error is not None else None
            if error is None:
                partition, offset = int(message.partition() or 0), int(message.offset() or 0)
                self._report(self._read, partition, self._sequence(message.value()), offset, now)
        self._producer.purge()

    def _delivered(self, error: KafkaError | None, message: Any) -> None:
        partition, sequence = int(message.partition()), int(message.key())
        if error is None:
            self._report(self._acknowledged, partition, sequence, int(message.offset()))
        else:
            self._report(self._failed, partition, sequence, *kafka_error(error))

    def _sequence(self, value: bytes | None) -> int | None:
        text = (value or b"").decode(errors="replace")
        tail = text.removeprefix(self._mark)
        number = tail.rpartition(" ")[2]
        return int(number) if tail != text and number.isdigit() else None

    def _report(self, call: Callable[..., None], *arguments: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know any more
            self._loop.call_soon_threadsafe(call, *arguments)
