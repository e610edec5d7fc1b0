"""Why a letter is not put back and stays where it is: a few words, the same in tables, audit trail and series."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from confluent_kafka import KafkaError


class Refusal(StrEnum):
    """The only values of the label `reason` of what was refused."""

    NO_DESTINATION = "no_destination"
    """It does not tell where it came from, and nobody else does."""
    UNKNOWN_TOPIC = "unknown_topic"
    """Its destination does not exist."""
    AUTHORIZATION = "authorization"
    """The destination may not be written to."""
    TOO_LARGE = "too_large"
    """Larger than the destination takes."""
    REJECTED = "rejected"
    """The broker takes no such record, such as one without a key in a compacted topic, or one from the future."""
    TOO_OFTEN = "too_often"
    """It was put back as often as allowed, and there is no place to park it."""
    NO_RECORD = "no_record"
    """It only points at its original, which is gone."""
    MALFORMED = "malformed"
    """A file that is no dead letter, or half of one."""
    UNREADABLE = "unreadable"
    """A file that may not be read, is too large, or is none."""
    TRANSFORM = "transform"
    """The transformation cannot be done to it."""
    OWN_QUEUE = "own_queue"
    """It would go into the queue that it lies in, or among the notes of what was put back."""


_CODES: Final[Mapping[int, Refusal]] = {
    KafkaError.MSG_SIZE_TOO_LARGE: Refusal.TOO_LARGE,
    18: Refusal.TOO_LARGE,  # RECORD_LIST_TOO_LARGE
    KafkaError.TOPIC_AUTHORIZATION_FAILED: Refusal.AUTHORIZATION,
    KafkaError.UNKNOWN_TOPIC_OR_PART: Refusal.UNKNOWN_TOPIC,
    KafkaError._UNKNOWN_TOPIC: Refusal.UNKNOWN_TOPIC,  # noqa: SLF001 - librdkafka's own codes
    KafkaError._UNKNOWN_PARTITION: Refusal.UNKNOWN_TOPIC,  # noqa: SLF001
    17: Refusal.UNKNOWN_TOPIC,  # INVALID_TOPIC_EXCEPTION
    32: Refusal.REJECTED,  # INVALID_TIMESTAMP
    44: Refusal.REJECTED,  # POLICY_VIOLATION
    87: Refusal.REJECTED,  # INVALID_RECORD
}


def refusal_of(code: int) -> Refusal | None:
    """Return why a broker takes a record never, by its code; None for what may pass."""
    return _CODES.get(code)
