"""Where a letter belongs: what was asked for, what the letter says, or what is configured; and whether that exists."""

from __future__ import annotations

import re
import time
from collections.abc import Collection
from typing import Final, Literal, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException

from keywatch.kafka.client import Clients
from keywatch.redrive.errors import RedriveError, inner, words_of
from keywatch.redrive.letter import Letter
from keywatch.redrive.refusal import Refusal
from keywatch.redrive.session import Rejections

_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
# Letters of a hostile writer may name topics without end, and each is asked for.
_MOST_TOPICS: Final = 1000
_AGAIN_SECONDS = 10.0
_INTERNAL: Final = "__"
"""What Kafka's own topics begin with."""
By = Literal["original", "key"]


class Destination(NamedTuple):
    """A topic, and the partition in it, -1 where the key decides."""

    topic: str
    partition: int


class Destinations:
    """Finds destinations; asks Kafka once for each topic, and for those that are missing again after a while."""

    def __init__(
        self, clients: Clients, to: str, configured: str, by: By, own: Collection[str], timeout: float
    ) -> None:
        """Take the topic that was asked `to`, the one `configured`, and those where no letter may go.

        These are the queue's `own` and those that redriving keeps its notes in: whoever may write a dead letter may
        name any topic in it, and would forge notes by the rights of whoever puts it back.
        """
        self._clients = clients
        self._to, self._configured = to, configured
        self._by = by
        self._own = frozenset(own)
        self._timeout = timeout
        self._consumer: Consumer | None = None
        self._known: dict[str, tuple[int | Refusal, float]] = {}
        self._too_large: dict[str, int] = {}
        self._keyless: set[str] = set()

    def of(self, letter: Letter) -> Destination | Refusal:
        """Return where a letter goes, or why it goes nowhere; raises `RedriveError` when Kafka does not answer."""
        topic = self._to or (letter.origin.topic if letter.origin else "") or self._configured
        if not topic:
            return Refusal.NO_DESTINATION
        if topic in self._own or topic.startswith(_INTERNAL):
            return Refusal.OWN_QUEUE
        partitions = self.partitions(topic)
        if isinstance(partitions, Refusal):
            return partitions
        if topic in self._too_large and letter.size >= self._too_large[topic]:
            return Refusal.TOO_LARGE
        if letter.key is None and topic in self._keyless:
            return Refusal.REJECTED
        origin = letter.origin
        if self._by == "original" and origin is not None and origin.topic == topic and origin.partition is not None:
            # Where the topic has fewer partitions than it had, the key decides, for all letters of that key alike.
            return Destination(topic, origin.partition if origin.partition < partitions else -1)
        return Destination(topic, -1)

    def partitions(self, topic: str) -> int | Refusal:
        """Return how many partitions a topic has, or why nothing goes there; raises `RedriveError`."""
        found, until = self._known.get(topic, (None, 0.0))
        if found is None or (isinstance(found, Refusal) and time.monotonic() > until):
            if found is None and len(self._known) >= _MOST_TOPICS:
                return Refusal.UNKNOWN_TOPIC
            found = self._ask(topic) if _NAME.fullmatch(topic) else Refusal.UNKNOWN_TOPIC
            self._known[topic] = (found, time.monotonic() + _AGAIN_SECONDS)
        return found

    def learn(self, rejections: Rejections) -> None:
        """Remember what brokers refused, so that the next ones of that kind are not tried."""
        for record, refusal in rejections.values():
            if refusal is Refusal.TOO_LARGE:
                size = len(record.key or b"") + len(record.value or b"") + 100
                size += sum(len(name) + len(said or b"") for name, said in record.headers)
                self._too_large[record.topic] = min(size, self._too_large.get(record.topic, size))
            elif refusal is Refusal.REJECTED:
                if record.key is None:
                    self._keyless.add(record.topic)
            else:
                self._known[record.topic] = (refusal, time.monotonic() + _AGAIN_SECONDS)

    def _ask(self, topic: str) -> int | Refusal:
        if self._consumer is None:
            self._consumer = self._clients.lookup()
        try:
            found = self._consumer.list_topics(topic, timeout=self._timeout).topics[topic]
        except KafkaException as error:
            raise RedriveError(f"Kafka does not tell of the topic {topic}: {words_of(inner(error))}") from error
        if found.error is not None:
            denied = found.error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
            return Refusal.AUTHORIZATION if denied else Refusal.UNKNOWN_TOPIC
        return len(found.partitions) or Refusal.UNKNOWN_TOPIC
