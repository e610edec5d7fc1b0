"""Makes topics that redriving needs and that are not there, and empties dead-letter topics of what is settled."""

from __future__ import annotations

import time
from collections.abc import Mapping

from confluent_kafka import KafkaException
from confluent_kafka import TopicPartition as Assignment
from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined] # imported there for users, not by its typing

from keywatch.kafka.client import Clients
from keywatch.kafka.errors import TOPIC_ALREADY_EXISTS, TOPIC_AUTHORIZATION_FAILED
from keywatch.kafka.rights import CREATE_LEDGER, DELETE_LETTERS
from keywatch.redrive.errors import RedriveError, inner, words_of


def exists(clients: Clients, topic: str, timeout: float) -> bool:
    """Return whether there is such a topic that may be seen; raises `RedriveError`."""
    consumer = clients.stretch()
    try:
        found = consumer.list_topics(topic, timeout=timeout).topics.get(topic)
    except KafkaException as error:
        raise RedriveError(f"Kafka does not answer: {words_of(error)}") from error
    finally:
        consumer.close()
    return found is not None and found.error is None and bool(found.partitions)


def ensure(clients: Clients, topic: str, partitions: int, configs: Mapping[str, str], timeout: float) -> bool:
    """Make a topic where there is none, -1 partitions for the brokers' own number; returns whether it had to.

    Raises `RedriveError`.
    """
    if exists(clients, topic, timeout):
        return False
    admin = clients.admin()
    made = admin.create_topics([NewTopic(topic, partitions, -1, config=dict(configs))], request_timeout=timeout)
    try:
        made[topic].result()
    except KafkaException as error:
        code = inner(error).code()
        if code == TOPIC_AUTHORIZATION_FAILED:
            words = f"the topic {topic} is missing and cannot be made: {CREATE_LEDGER.missing(topic)}"
            raise RedriveError(words) from error
        if code != TOPIC_ALREADY_EXISTS:
            raise RedriveError(f"the topic {topic} cannot be made: {words_of(error)}") from error
    end = time.monotonic() + timeout
    while not exists(clients, topic, timeout):
        if time.monotonic() > end:
            raise RedriveError(f"the topic {topic} was made and is not seen")
        time.sleep(0.1)
    return True


def delete_before(clients: Clients, topic: str, upto: Mapping[int, int], timeout: float) -> None:
    """Delete the records before an offset of each partition; raises `RedriveError`."""
    admin = clients.admin()
    wanted = [Assignment(topic, partition, offset) for partition, offset in upto.items() if offset > 0]
    if not wanted:
        return
    for future in admin.delete_records(wanted, request_timeout=timeout, operation_timeout=timeout).values():
        try:
            future.result()
        except KafkaException as error:
            if inner(error).code() == TOPIC_AUTHORIZATION_FAILED:
                raise RedriveError(DELETE_LETTERS.missing(topic)) from error
            raise RedriveError(f"{topic}: cannot be emptied: {words_of(error)}") from error
