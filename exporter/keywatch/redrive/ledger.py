"""The ledger: a compacted topic in which each transaction notes what it settled, so that no later run does it again.

The offsets of the group say the same, and Kafka forgets them after a week (`offsets.retention.minutes`).
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka import TopicPartition as Assignment

from keywatch.kafka.client import REDRIVE_PREFIX, Clients
from keywatch.kafka.errors import TOPIC_AUTHORIZATION_FAILED
from keywatch.kafka.rights import READ_LEDGER
from keywatch.redrive.claim import Claim
from keywatch.redrive.errors import RedriveError, inner, words_of
from keywatch.redrive.topics import ensure, exists

LEDGER: Final = "keywatch-redrive"
_CONFIG: Final = {"cleanup.policy": "compact", "min.cleanable.dirty.ratio": "0.1", "segment.bytes": "16777216"}
# The longest that a transaction of another queue's command, which was killed, hides what came after it, and some more.
_READ_SECONDS = 60.0
_AT_ONCE = 1000
_ANSWER_SECONDS, _AGAIN_SECONDS = 10.0, 0.5


class Entry(NamedTuple):
    """A record of the ledger; without a value it takes the key's last one back."""

    key: str
    value: bytes | None


@dataclass(slots=True)
class LedgerState:
    """What the ledger says of one source."""

    claim: Claim | None = None
    audit: dict[str, Any] | None = None
    """The audit event of the last batch, in case that the command died before it wrote it into its file."""
    positions: dict[int, int] = field(default_factory=dict)
    chunks: dict[int, dict[int, bytes]] = field(default_factory=dict)
    files: dict[str, dict[str, str]] = field(default_factory=dict)
    """Names and ids of files that were put back and may not have been moved yet, by batch."""


class Ledger:
    """Reads the ledger of one cluster, and makes its topic."""

    def __init__(self, clients: Clients, topic: str = LEDGER) -> None:
        self.topic = topic
        self._clients = clients

    def ensure(self, timeout: float) -> bool:
        """Make the topic where there is none; returns whether it had to. Raises `RedriveError`."""
        return ensure(self._clients, self.topic, 1, _CONFIG, timeout)

    def exists(self, timeout: float) -> bool:
        """Return whether it is there; raises `RedriveError`."""
        return exists(self._clients, self.topic, timeout)

    def read(self, source: str, topic_id: str, timeout: float = _READ_SECONDS) -> LedgerState:
        """Read what is noted of a source, all of it that was committed before the call; raises `RedriveError`.

        Transactions of other sources that are open hide what comes after them, so their end is waited for.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                return self._read(source, topic_id, deadline)
            except KafkaException as error:
                if inner(error).code() == TOPIC_AUTHORIZATION_FAILED:
                    raise RedriveError(READ_LEDGER.missing(self.topic)) from error
                if time.monotonic() > deadline:
                    raise RedriveError(f"the ledger {self.topic} cannot be read: {words_of(error)}") from error
                time.sleep(_AGAIN_SECONDS)

    def _read(self, source: str, topic_id: str, deadline: float) -> LedgerState:
        loose, strict = self._clients.stretch(), self._clients.letters(f"{REDRIVE_PREFIX}ledger")
        state = LedgerState()
        timeout = max(1.0, min(_ANSWER_SECONDS, deadline - time.monotonic()))
        try:
            there = Assignment(self.topic, 0)
            low, high = loose.get_watermark_offsets(there, timeout=timeout, cached=False)
            strict.assign([Assignment(self.topic, 0, low)])
            self._until(strict, high, _Reader(state, source, topic_id), deadline)
        finally:
            for consumer in (loose, strict):
                consumer.close()
        return state

    def _until(self, consumer: Consumer, high: int, reader: _Reader, deadline: float) -> None:
        reached = 0
        while reached < high:
            if time.monotonic() > deadline:
                raise RedriveError(
                    f"the ledger {self.topic} cannot be read to its end: another transaction in it is open; "
                    "try again in half a minute"
                )
            for message in consumer.consume(_AT_ONCE, 0.2):
                error, offset = message.error(), message.offset()
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF and offset is not None:  # noqa: SLF001
                        reached = max(reached, offset)
                    elif error.code() == TOPIC_AUTHORIZATION_FAILED:
                        raise RedriveError(READ_LEDGER.missing(self.topic))
                    continue
                key, value = message.key(), message.value()
                if isinstance(key, bytes):
                    reader.take(key, value if isinstance(value, bytes) else None)
                reached = max(reached, (offset or 0) + 1)


class _Reader:
    """Sorts the ledger's records of one source into its state; what it does not know it passes over."""

    def __init__(self, state: LedgerState, source: str, topic_id: str) -> None:
        self._state = state
        self._prefix = f"{source}|".encode()
        self._topic_id = topic_id

    def take(self, key: bytes, value: bytes | None) -> None:
        if not key.startswith(self._prefix):
            return
        kind, *rest = key[len(self._prefix) :].decode(errors="replace").split("|")
        with contextlib.suppress(
            ValueError, IndexError, KeyError, TypeError, AttributeError
        ):  # what somebody else wrote
            self._sort(kind, rest, value)

    def _sort(self, kind: str, rest: list[str], value: bytes | None) -> None:
        state = self._state
        if kind == "claim":
            state.claim = Claim.parse(value) if value else None
        elif kind == "audit":
            found = json.loads(value) if value else None
            state.audit = found if isinstance(found, dict) else None
        elif kind == "files":
            if value is None:
                state.files.pop(rest[0], None)
            else:
                state.files[rest[0]] = {str(name): str(digest) for name, digest in json.loads(value).items()}
        elif kind == "position" and rest[0] == self._topic_id and value:
            state.positions[int(rest[1])] = int(value)
        elif kind == "chunk" and rest[0] == self._topic_id:
            chunks = state.chunks.setdefault(int(rest[1]), {})
            if value is None:
                chunks.pop(int(rest[2]), None)
            else:
                chunks[int(rest[2])] = value


def claim_entry(source: str, claim: Claim) -> Entry:
    """Note who works at a source."""
    return Entry(f"{source}|claim", claim.encoded())


def audit_entry(source: str, event: Mapping[str, Any]) -> Entry:
    """Note what the last batch did."""
    return Entry(f"{source}|audit", json.dumps(event, separators=(",", ":")).encode())


def position_entry(source: str, topic_id: str, partition: int, upto: int) -> Entry:
    """Note that all below an offset is settled."""
    return Entry(f"{source}|position|{topic_id}|{partition}", str(upto).encode())


def chunk_entry(source: str, topic_id: str, partition: int, number: int, packed: bytes | None) -> Entry:
    """Note which single records of a chunk are settled; without them, that the chunk is not needed any more."""
    return Entry(f"{source}|chunk|{topic_id}|{partition}|{number}", packed)


def files_entry(source: str, batch: str, ids: Mapping[str, str] | None) -> Entry:
    """Note names and ids of files that a batch put back; without them, that all of them were moved."""
    return Entry(
        f"{source}|files|{batch}", json.dumps(ids, separators=(",", ":")).encode() if ids is not None else None
    )
