"""How far the consumers of the destinations are behind, so that a replay waits for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as Assignment

from keywatch.kafka.client import Clients
from keywatch.redrive.errors import RedriveError, words_of

_EVERY = 1.0


class DestinationLag:
    """Says whether a group is too far behind; asks at most once a second."""

    def __init__(
        self, clients: Clients, group: str, most: int, topics: Callable[[], Collection[str]], timeout: float
    ) -> None:
        """Take the group, the most records that it may be behind, and the topics that letters went to so far."""
        self._clients = clients
        self._group = group
        self._most = most
        self._topics = topics
        self._timeout = timeout
        self._consumer: Consumer | None = None
        self._held = False
        self._asked = float("-inf")

    def __call__(self) -> bool:
        """Return whether it is too far behind; raises `RedriveError` when nobody can tell."""
        if time.monotonic() - self._asked >= _EVERY:
            self._held = self.lag() > self._most
            self._asked = time.monotonic()
        return self._held

    def lag(self) -> int:
        """Return how many records it is behind on these topics, of partitions that it committed on."""
        if self._consumer is None:
            self._consumer = self._clients.letters(self._group)
        behind = 0
        try:
            for topic in self._topics():
                found = self._consumer.list_topics(topic, timeout=self._timeout).topics[topic]
                partitions = [Assignment(topic, number) for number in found.partitions]
                for one in self._consumer.committed(partitions, timeout=self._timeout):
                    if one.offset >= 0:
                        there = Assignment(topic, one.partition)
                        behind += (
                            self._consumer.get_watermark_offsets(there, self._timeout, cached=False)[1] - one.offset
                        )
        except KafkaException as error:
            raise RedriveError(f"the lag of {self._group} is not told: {words_of(error)}") from error
        return behind
