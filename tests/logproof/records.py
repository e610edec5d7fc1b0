"""Puts samples, and events without end, into Kafka."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence

from confluent_kafka import Producer

from tests.kafka import admin
from tests.logstash import ours

BULK_TOPIC = "keycloak.events"
# Samples are of a day that Kafka would soon throw away.
_FOR_EVER = {"retention.ms": "-1"}
_FLUSH_SECONDS = 60.0


def create_topics(bootstrap: str, names: Iterable[str]) -> None:
    """Create the topics that these samples lie in, before anybody looks for topics by a pattern."""
    for topic in sorted({sample["topic"] for name in names for sample in ours.samples(name)} | {BULK_TOPIC}):
        admin.create_topic(bootstrap, topic, partitions=3, configs=_FOR_EVER)


def write_samples(bootstrap: str, names: Iterable[str]) -> None:
    """Write the records of these samples, each with the key, headers and time that it had."""
    producer = Producer(admin.client_settings(bootstrap))
    for name in names:
        for sample in ours.samples(name):
            producer.produce(
                sample["topic"],
                sample["text"].encode(),
                None if sample["key"] is None else sample["key"].encode(),
                timestamp=sample["timestamp"],
                headers={key: str(value).encode() for key, value in sample.get("headers", {}).items()},
            )
    assert producer.flush(_FLUSH_SECONDS) == 0, "Kafka did not take all samples"


def write_events(bootstrap: str, count: int) -> Sequence[str]:
    """Write so many logins, each with an id of its own; returns the ids."""
    like = json.loads(ours.samples("user-events")[0]["text"])
    producer = Producer(admin.client_settings(bootstrap))
    ids = [str(uuid.uuid4()) for _ in range(count)]
    for number in ids:
        producer.produce(BULK_TOPIC, json.dumps({**like, "id": number}).encode())
        producer.poll(0)
    assert producer.flush(_FLUSH_SECONDS) == 0, "Kafka did not take all events"
    return ids
