"""Reads the letters of one dead-letter topic in order, up to where it ended when reading began, in bounded memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as Assignment

from keywatch.kafka.client import REDRIVE_PREFIX, Clients
from keywatch.kafka.errors import TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_OR_PARTITION
from keywatch.kafka.rights import READ_LETTERS, READ_REDRIVE_GROUP
from keywatch.redrive.dialects import letter_of
from keywatch.redrive.errors import BadInputError, RedriveError, inner, words_of
from keywatch.redrive.letter import Letter, Place, Raw

_POLL_SECONDS = 0.1
_GROUP_AUTHORIZATION = 30
_AGAIN_SECONDS = 0.5
_FORBIDDEN = frozenset({TOPIC_AUTHORIZATION_FAILED, _GROUP_AUTHORIZATION})
_UNKNOWN = frozenset({UNKNOWN_TOPIC_OR_PARTITION, KafkaError._UNKNOWN_TOPIC, 17})  # noqa: SLF001 - 17: no valid name
_T = TypeVar("_T")
# What a record takes in memory beside its bytes, about.
_OVERHEAD = 1000
_NO_ID = "-"


class Bounds(NamedTuple):
    """Where a partition begins and ends: the first offset, and the one after the last committed record."""

    start: int
    end: int


class Batch(NamedTuple):
    """Letters in the order of their offsets in each partition, and how far each partition that is done was read."""

    letters: Sequence[Letter]
    finished: Mapping[int, int]


class TopicLetters:
    """Reads with one consumer, for the group of this topic's redrive, which it does not join."""

    def __init__(self, clients: Clients, topic: str, timeout: float, patience: float = 0.0) -> None:
        """Take the seconds of one answer, and those that brokers which are away are waited for."""
        self.topic = topic
        self.group = f"{REDRIVE_PREFIX}{topic}"
        self._clients = clients
        self._timeout = timeout
        self._patience = patience
        self._consumer = clients.letters(self.group)
        self._ends: dict[int, int] = {}
        self._finished: dict[int, int] = {}
        self._silent = 0.0
        """Seconds that were read for in vain."""

    def bounds(self) -> dict[int, Bounds]:
        """Return where each partition begins and ends now; raises `RedriveError`."""
        return self._patiently(self._bounds)

    def _bounds(self) -> dict[int, Bounds]:
        found = self._consumer.list_topics(self.topic, timeout=self._timeout).topics[self.topic]
        if found.error is not None:
            if found.error.code() == TOPIC_AUTHORIZATION_FAILED:
                raise RedriveError(READ_LETTERS.missing(self.topic))
            if found.error.code() in _UNKNOWN:
                raise BadInputError(f"there is no topic {self.topic}")
            raise KafkaException(found.error)
        bounds = {}
        for partition in sorted(found.partitions):
            low, high = self._watermarks(partition)
            bounds[partition] = Bounds(low, max(low, high))
        return bounds

    def topic_id(self) -> str:
        """Return the topic's id, which tells it from an earlier one of its name; `-` where brokers do not tell."""
        from confluent_kafka import TopicCollection  # noqa: PLC0415 - not where only offsets are read

        def ask() -> str:
            admin = self._clients.admin()  # in a variable: one that nobody holds cancels its requests
            asked = admin.describe_topics(TopicCollection([self.topic]), request_timeout=self._timeout)
            return str(asked[self.topic].result(self._timeout + 1).topic_id)

        found = self._patiently(ask)
        return _NO_ID if not found.strip("A=") else found

    def committed(self, partitions: Sequence[int]) -> dict[int, int]:
        """Return the group's offsets, of those partitions that have one; raises `RedriveError`."""

        def ask() -> list[Assignment]:
            wanted = [Assignment(self.topic, p) for p in partitions]
            try:
                answer = self._consumer.committed(wanted, timeout=self._timeout)
            except KafkaException as error:
                # Who may not use the group is told so by an event alone; the call waits for a coordinator.
                event = self._consumer.poll(_POLL_SECONDS)
                said = event.error() if event is not None else None
                raise (KafkaException(said) if said is not None else error) from error
            for one in answer:
                if one.error is not None:
                    raise KafkaException(one.error)
            return answer

        found = self._patiently(ask)
        return {one.partition: one.offset for one in found if one.offset >= 0}

    def group_metadata(self) -> Any:
        """Return what a transaction wants to know of the group whose offsets it commits."""
        return self._consumer.consumer_group_metadata()

    def begin(self, spans: Mapping[int, Bounds]) -> None:
        """Read from `start` up to `end` of each partition from now on."""
        # librdkafka remembers that a partition was paused beyond unassign and assign.
        self._consumer.resume([Assignment(self.topic, partition) for partition in self._finished])
        self._consumer.unassign()
        self._ends = {partition: span.end for partition, span in spans.items() if span.start < span.end}
        self._finished = {}
        self._consumer.assign([Assignment(self.topic, p, spans[p].start) for p in self._ends])

    def batch(self, records: int, size: int, seconds: float) -> Batch | None:
        """Read at most so many records, or until they are `size` bytes or `seconds` are over; None after the last.

        Raises `RedriveError` for a right that is missing, and when nothing comes for as long as brokers are waited for.
        """
        if not self._ends:
            return None
        letters: list[Letter] = []
        finished: dict[int, int] = {}
        began = time.monotonic()
        deadline = began + seconds
        while self._ends and len(letters) < records and size > 0 and time.monotonic() < deadline:
            message = self._consumer.poll(_POLL_SECONDS)
            if message is None:
                continue
            partition, offset = message.partition() or 0, message.offset() or 0
            error = message.error()
            if error is not None:
                self._take_error(error, partition, finished)
                continue
            end = self._ends.get(partition)
            if end is None:
                continue
            if offset < end:
                raw = raw_of(message)
                letters.append(letter_of(Place(self.topic, partition, offset), raw))
                size -= len(message) + _OVERHEAD + sum([len(text) for _, text in raw.headers if text])
            if offset + 1 >= end:
                self._finish(partition, finished)
        self._silent = 0.0 if letters or finished else self._silent + time.monotonic() - began
        if self._silent > max(self._patience, self._timeout):
            left = ", ".join(str(partition) for partition in sorted(self._ends))
            raise RedriveError(f"{self.topic}: nothing can be read of partition {left} for {self._silent:.0f} s")
        return Batch(letters, finished)

    def close(self) -> None:
        """Let the consumer go."""
        self._consumer.close()

    def _patiently(self, ask: Callable[[], _T]) -> _T:
        """Ask again while what Kafka says may pass; raises `RedriveError`."""
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return ask()
            except (KafkaException, TimeoutError) as error:
                failed = self._failed(error) if isinstance(error, KafkaException) else RedriveError("no answer")
                code = inner(error).code() if isinstance(error, KafkaException) else 0
                if code in _FORBIDDEN or time.monotonic() > deadline:
                    raise failed from error
            time.sleep(_AGAIN_SECONDS)

    def _watermarks(self, partition: int) -> tuple[int, int]:
        return self._consumer.get_watermark_offsets(Assignment(self.topic, partition), self._timeout, cached=False)

    def _take_error(self, error: KafkaError, partition: int, finished: dict[int, int]) -> None:
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's own code
            if partition in self._ends:
                self._finish(partition, finished)
        elif error.code() == TOPIC_AUTHORIZATION_FAILED:
            raise RedriveError(READ_LETTERS.missing(self.topic))

    def _finish(self, partition: int, finished: dict[int, int]) -> None:
        finished[partition] = self._finished[partition] = self._ends.pop(partition)
        self._consumer.pause([Assignment(self.topic, partition)])

    def _failed(self, error: KafkaException) -> RedriveError:
        code = inner(error).code()
        if code == TOPIC_AUTHORIZATION_FAILED:
            return RedriveError(READ_LETTERS.missing(self.topic))
        if code == _GROUP_AUTHORIZATION:
            return RedriveError(READ_REDRIVE_GROUP.missing(self.group))
        return RedriveError(f"{self.topic} cannot be read: {words_of(error)}")


def raw_of(message: Message) -> Raw:
    """Return a message as bytes."""
    kind, milliseconds = message.timestamp()
    headers = message.headers() or ()
    pairs = headers.items() if isinstance(headers, dict) else headers
    return Raw(
        _bytes(message.key()),
        _bytes(message.value()),
        [(name, _bytes(text)) for name, text in pairs],
        None if kind == TIMESTAMP_NOT_AVAILABLE else milliseconds,
    )


def _bytes(text: str | bytes | None) -> bytes | None:
    return text.encode() if isinstance(text, str) else text
