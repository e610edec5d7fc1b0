"""What ends a redrive before its time: each with words for a person and the exit code of the command."""

from __future__ import annotations

from typing import Final

from confluent_kafka import KafkaError, KafkaException

from keywatch.kafka.errors import kafka_error

_FENCED: Final = frozenset(
    {
        KafkaError._FENCED,  # noqa: SLF001 - librdkafka's own codes
        KafkaError.PRODUCER_FENCED,
        KafkaError.INVALID_PRODUCER_EPOCH,
    }
)


class RedriveError(Exception):
    """Something that ends the command; nothing that was not committed has happened."""

    code = 1


class BadInputError(RedriveError):
    """What was asked for cannot be done as it was asked."""

    code = 2


class BusyError(RedriveError):
    """Another command works at the same dead letters."""


class CannotWriteError(RedriveError):
    """A file cannot be written, such as when the disk is full."""

    code = 74


class SessionLostError(Exception):
    """A transaction's outcome is not known, or its producer cannot go on: what Kafka has tells where to resume."""

    def __init__(self, words: str, *, fenced: bool = False) -> None:
        super().__init__(words)
        self.fenced = fenced


def inner(error: KafkaException | KafkaError) -> KafkaError:
    """Return the error of librdkafka in its exception."""
    found = error.args[0] if isinstance(error, KafkaException) else error
    return found if isinstance(found, KafkaError) else KafkaError(KafkaError._FAIL, str(found))  # noqa: SLF001


def is_fenced(error: KafkaError) -> bool:
    """Return whether another producer of the same transactional id took over, or the broker gave this one up."""
    return error.code() in _FENCED


def words_of(error: KafkaException | KafkaError) -> str:
    """Say what Kafka said."""
    reason, words = kafka_error(error)
    return f"{reason}: {words}"
