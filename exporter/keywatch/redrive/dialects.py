"""Reads where a dead letter came from, by the headers of whoever wrote it, and takes these off the original record.

Kafka Connect (KIP-298), Spring for Apache Kafka and Spring Cloud Stream, Kafka Streams (KIP-1034), share groups
(KIP-1191) and SmallRye, which Quarkus uses; beside them the listener's envelope.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from keywatch.redrive.letter import Letter, Origin, Place, Raw

SOURCE: Final = "keywatch.redrive.source"
RUN: Final = "keywatch.redrive.run"
COUNT: Final = "keywatch.redrive.count"
_OURS: Final = frozenset({SOURCE, RUN, COUNT})
PARKED: Final = "keywatch.parked."
"""Begins the headers of a parked letter."""
_MOST_ATTEMPTS = 1_000_000
_LONGEST_TOPIC = 249
# An event with its representation is at most what Kafka takes; escaped in its envelope it may be twice that.
_MOST_PARSED = 4 << 20


@dataclass(frozen=True, slots=True)
class Dialect:
    """One family of headers: what the letter's origin is called in it, and what its headers begin with."""

    kind: str
    topic: str
    partition: str
    offset: str
    prefixes: tuple[str, ...]
    hollow: bool = False
    """Whether a letter without key and value only points at its original."""


DIALECTS: Final = (
    Dialect(
        "connect",
        "__connect.errors.topic",
        "__connect.errors.partition",
        "__connect.errors.offset",
        ("__connect.errors.",),
    ),
    Dialect(
        "spring",
        "kafka_dlt-original-topic",
        "kafka_dlt-original-partition",
        "kafka_dlt-original-offset",
        ("kafka_dlt-", "springDeserializerException"),
    ),
    Dialect(
        "streams",
        "__streams.errors.topic",
        "__streams.errors.partition",
        "__streams.errors.offset",
        ("__streams.errors.",),
    ),
    Dialect(
        "share_group",
        "__dlq.errors.topic",
        "__dlq.errors.partition",
        "__dlq.errors.offset",
        ("__dlq.errors.",),
        hollow=True,
    ),
    Dialect(
        "smallrye",
        "dead-letter-topic",
        "dead-letter-partition",
        "dead-letter-offset",
        ("dead-letter-",),
    ),
    Dialect(
        "spring_cloud_stream",
        "x-original-topic",
        "x-original-partition",
        "x-original-offset",
        ("x-original-", "x-exception-"),
    ),
)
_BY_TOPIC: Final[Mapping[str, Dialect]] = {dialect.topic: dialect for dialect in DIALECTS}


def letter_of(place: Place, raw: Raw) -> Letter:
    """Read a record of a dead-letter topic; never raises, as what cannot be understood is a `plain` letter."""
    said = dict(raw.headers)  # of headers with one name the last is the newest
    # A letter that died again somewhere else has the headers of both; those of the latest come last.
    dialect = next((_BY_TOPIC[name] for name, text in reversed(raw.headers) if name in _BY_TOPIC and text), None)
    attempts, run = _number(said.get(COUNT)) or 0, _text(said.get(RUN))
    if dialect is not None:
        origin = _origin(dialect, said)
        theirs = (*dialect.prefixes, PARKED)
        headers = [pair for pair in raw.headers if not pair[0].startswith(theirs) and pair[0] not in _OURS]
        hollow = dialect.hollow and raw.key is None and raw.value is None
        return Letter(
            place, raw, dialect.kind, origin, raw.key, raw.value, headers, _bounded(attempts), run, hollow=hollow
        )
    headers = [pair for pair in raw.headers if pair[0] not in _OURS and not pair[0].startswith(PARKED)]
    inner = _envelope(raw.value)
    if inner is not None:
        origin, key, value = inner
        return Letter(place, raw, "listener", origin, key, value, headers, _bounded(attempts), run)
    return Letter(place, raw, "plain", None, raw.key, raw.value, headers, _bounded(attempts), run)


def _bounded(attempts: int) -> int:
    return min(max(attempts, 0), _MOST_ATTEMPTS)


def _origin(dialect: Dialect, said: Mapping[str, bytes | None]) -> Origin | None:
    topic = _text(said.get(dialect.topic))
    if not topic or len(topic) > _LONGEST_TOPIC:
        return None
    return Origin(topic, _number(said.get(dialect.partition)), _number(said.get(dialect.offset)))


def _text(said: bytes | None) -> str:
    return said[:1000].decode(errors="replace") if said else ""


def _number(said: bytes | None) -> int | None:
    """Read a number written in digits, or as Spring writes an int or a long: 4 or 8 bytes, the highest first."""
    if not said or len(said) > 19:
        return None
    if said.isdigit():
        return int(said)
    if len(said) in {4, 8}:
        found = int.from_bytes(said, "big", signed=True)
        return found if found >= 0 else None
    return None


def _envelope(value: bytes | None) -> tuple[Origin | None, bytes | None, bytes] | None:
    """Return origin, key and value of the event in the listener's envelope; None for what is no such envelope."""
    if not value or b'"eventData"' not in value or len(value) > _MOST_PARSED:
        return None
    try:
        return event_of(json.loads(value))
    except (ValueError, RecursionError):
        return None


def event_of(envelope: Any) -> tuple[Origin | None, bytes | None, bytes] | None:
    """Return origin, key and value of the event in a parsed envelope; None for what is no such envelope.

    The event is JSON inside JSON and is put back as the text that it is there. Raises `UnicodeEncodeError`, which is a
    `ValueError`, for half of a surrogate pair.
    """
    if not isinstance(envelope, dict) or not isinstance(envelope.get("eventData"), str):
        return None
    topic, metadata = envelope.get("destination"), envelope.get("metadata")
    origin = Origin(topic) if isinstance(topic, str) and 0 < len(topic) <= _LONGEST_TOPIC else None
    key = metadata.get("key") if isinstance(metadata, dict) else None
    return origin, key.encode() if isinstance(key, str) else None, envelope["eventData"].encode()
