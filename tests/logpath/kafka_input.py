"""Reads Kafka as the kafka inputs of our own pipeline files say, and commits what lies in the queue."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from confluent_kafka import Consumer, KafkaException, Message

from keywatch.logstash.language import parse
from keywatch.logstash.tree import Plugin, Text
from keywatch.logstash.variables import substituted
from tests.kafka import admin
from tests.logpath.event_queue import EventQueue
from tests.logstash import ours

_BATCH = 100
_POLL_SECONDS = 0.1
# Topics that come and go are noticed within a second; Logstash takes minutes.
_QUICK = {"topic.metadata.refresh.interval.ms": 1000, "session.timeout.ms": 10_000}
_SETTINGS = {
    "group_id": "group.id",
    "client_id": "client.id",
    "auto_offset_reset": "auto.offset.reset",
    "enable_auto_commit": "enable.auto.commit",
    "isolation_level": "isolation.level",
    "auto_create_topics": "allow.auto.create.topics",
}
"""Name of an option of Logstash's input → that of librdkafka."""


class KafkaInput:
    """One input. It reads from `start` to `stop`, in the group and the topics of the pipeline file."""

    def __init__(self, plugin: Plugin, bootstrap: str, queue: EventQueue, environment: Mapping[str, str]) -> None:
        settings = {
            setting.name: _text(setting.value, environment) for setting in plugin.settings if setting.name != "codec"
        }
        self.id = settings["id"]
        self.group = settings["group_id"]
        self._pattern = f"^{settings['topics_pattern']}$"
        known = {theirs: settings[ours_] for ours_, theirs in _SETTINGS.items()}
        self._settings = admin.client_settings(bootstrap, {**known, **_QUICK})
        self._queue = queue
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.events = 0
        """How many it put into the queue."""

    def start(self) -> None:
        """Join the group and begin to read."""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read, args=(self._ended,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Leave the group; what is in the queue is committed."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(30)
            self._thread = None

    def _read(self, ended: threading.Event) -> None:
        consumer = Consumer(self._settings)
        consumer.subscribe([self._pattern])
        try:
            while not ended.is_set():
                messages = [one for one in consumer.consume(_BATCH, _POLL_SECONDS) if one.error() is None]
                taken = [one for one in messages if self._queue.put(event(one, self.group), ended)]
                self.events += len(taken)
                _commit(consumer, taken)
        finally:
            consumer.close()


def inputs_of(name: str) -> Iterator[Plugin]:
    """Return the kafka inputs in one of our pipeline files."""
    file = next(file for file in ours.FILES if file.stem == name)
    for _, plugin in parse(file.read_text(encoding="utf-8")).plugins("input"):
        if plugin.name == "kafka":
            yield plugin


def event(message: Message, group: str) -> dict[str, Any]:
    """Make the event that Logstash's input makes of a record."""
    text, key = (_decoded(part) for part in (message.value(), message.key()))
    place = {"topic": message.topic(), "partition": message.partition(), "offset": message.offset()}
    sample = {**place, "timestamp": message.timestamp()[1], "key": key, "text": text or ""}
    made = ours.event(sample)
    made["@timestamp"] = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"[:-3] + "Z"
    made["@metadata"]["kafka"]["consumer_group"] = group
    return made


def _commit(consumer: Consumer, messages: list[Message]) -> None:
    if messages:
        try:
            for message in {(one.topic(), one.partition()): one for one in messages}.values():
                consumer.commit(message=message, asynchronous=False)
        except KafkaException:  # a partition went to another member, or its topic is gone: it is read again
            return


def _decoded(part: str | bytes | None) -> str | None:
    return part.decode(errors="replace") if isinstance(part, bytes) else part


def _text(value: object, environment: Mapping[str, str]) -> str:
    return substituted(value.raw, environment) if isinstance(value, Text) else str(getattr(value, "raw", value))
