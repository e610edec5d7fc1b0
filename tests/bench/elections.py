"""How many records that Kafka acknowledged planned elections take, by what the producer asks for (`acks`)."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition

from tests.bench.figures import Figure
from tests.kafka import admin, raw
from tests.kafka.cluster import KafkaCluster

_TOPIC, _PARTITIONS, _NODES = "events", 3, (1, 2, 3)
_PAUSE, _EVERY = 3.0, 0.005
# The replica that is to lead leads within a second.
_BALANCE = {"leader.imbalance.check.interval.seconds": "1", "leader.imbalance.per.broker.percentage": "0"}
_ACKS: Mapping[str, Mapping[str, str | int | float]] = {
    "acks=1": {"acks": "1", "enable.idempotence": False},
    "acks=all and idempotence": {"acks": "all", "enable.idempotence": True},
}


def measure(elections: int, say: Callable[[str], None]) -> list[Figure]:
    """Write all the time while leaders change so many times, and read what is left."""
    figures = []
    for words, settings in _ACKS.items():
        acknowledged, left = _written(elections, settings)
        lost = len(acknowledged - left)
        say(f"{words}: {lost} of {len(acknowledged)} acknowledged records lost")
        figures.append(
            Figure(
                f"acknowledged records lost in {elections} planned elections of {_PARTITIONS} leaders, {words}",
                "none" if settings["acks"] == "all" else "",
                f"{lost} of {len(acknowledged):,}",
                lost == 0 or settings["acks"] == "1",
            )
        )
    return figures


def _written(elections: int, settings: Mapping[str, str | int | float]) -> tuple[set[bytes], set[bytes]]:
    """Return the records that were acknowledged, and those that can be read afterwards."""
    kafka = KafkaCluster(len(_NODES), extra=_BALANCE)
    chance = random.Random(1)  # noqa: S311 - chooses leaders, keeps no secret
    acknowledged: set[bytes] = set()

    def took(error: KafkaError | None, record: Message) -> None:
        if error is None:
            acknowledged.add(record.value() or b"")

    try:
        kafka.start()
        kafka.wait_ready()
        admin.create_topic(
            kafka.bootstrap, _TOPIC, partitions=_PARTITIONS, replicas=3, configs={"min.insync.replicas": "2"}
        )
        producer = Producer(admin.client_settings(kafka.bootstrap, {**settings, "linger.ms": 5, "retries": 3}))
        number = 0
        for _ in range(elections):
            raw.reassign(kafka.nodes[0].address, _TOPIC, [chance.sample(_NODES, 3) for _ in range(_PARTITIONS)])
            end = time.monotonic() + _PAUSE
            while time.monotonic() < end:
                producer.produce(_TOPIC, str(number).encode(), on_delivery=took)
                producer.poll(_EVERY)
                number += 1
        producer.flush(60)
        return acknowledged, _read(kafka.bootstrap)
    finally:
        kafka.stop()


def _read(bootstrap: str) -> set[bytes]:
    """Read all that the topic holds, to the ends that it has now."""
    consumer = Consumer(admin.client_settings(bootstrap, {"group.id": "none", "enable.auto.commit": False}))
    found: set[bytes] = set()
    deadline = time.monotonic() + 60
    for partition in range(_PARTITIONS):
        place = TopicPartition(_TOPIC, partition, 0)
        end = consumer.get_watermark_offsets(place, timeout=10)[1]
        consumer.assign([place])
        read = 0
        while read < end:
            assert time.monotonic() < deadline, f"{_TOPIC}/{partition} is read up to {read} of {end}"
            record = consumer.poll(1)
            if record is not None and record.error() is None:
                found.add(record.value() or b"")
                read = (record.offset() or 0) + 1
    consumer.close()
    return found
