"""Why did it die? Finds what a dead letter says of it in headers or envelope, and brings it down to a few words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import lru_cache
from typing import Any

# Headers with the class of the exception. The cause comes before what wraps it: Spring's listener and Quarkus' wrap
# whatever happened into one class of their own.
_HEADERS = (
    "__connect.errors.exception.class.name",  # Kafka Connect, with errors.deadletterqueue.context.headers.enable
    "kafka_dlt-exception-cause-fqcn",  # Spring for Apache Kafka
    "kafka_dlt-exception-fqcn",
    "x-exception-fqcn",  # Spring Cloud Stream
    "__streams.errors.exception",  # Kafka Streams (KIP-1034)
    "dead-letter-cause-class-name",  # Quarkus (SmallRye)
    "dead-letter-exception-class-name",
)
# The listener's envelope: the class where it noted one, else words.
_FIELDS = ("metadata.errorClass", "failureReason")
# An envelope is read from records no larger than this: parsing one may take 10 ms.
_MOST_PARSED = 1 << 20
_MOST_SAID = 1000
_MOST_REMEMBERED = 1000
# Words first, then their ends: together they would look at each letter from each letter before it.
_WORD = re.compile(r"[\w.$]++")
_ENDS_CLASS = re.compile(r"\w(?:Exception|Error)\b")


class DeadLetterReason(StrEnum):
    """Why dead letters died: the only values of the label `reason` of their counter."""

    SERIALIZATION = "serialization"
    VALIDATION = "validation"
    TOO_LARGE = "too_large"
    UNKNOWN_TOPIC = "unknown_topic"
    AUTHORIZATION = "authorization"
    AUTHENTICATION = "authentication"
    CIRCUIT_OPEN = "circuit_open"
    TIMEOUT = "timeout"
    NETWORK = "network"
    DATABASE = "database"
    DEFECT = "defect"
    OTHER = "other"
    NONE = "none"
    UNREAD = "unread"


# Parts of class names, the more telling first. Names of Kafka's own errors stand for what they mean to a sender.
_CLASSES: Mapping[DeadLetterReason, str] = {
    DeadLetterReason.CIRCUIT_OPEN: r"CircuitBreaker|CallNotPermitted",
    DeadLetterReason.TOO_LARGE: r"TooLarge",
    DeadLetterReason.AUTHENTICATION: r"Authentication|SSLHandshake|BadCredentials",
    DeadLetterReason.AUTHORIZATION: r"Authorization|AccessDenied|Forbidden",
    DeadLetterReason.UNKNOWN_TOPIC: r"UnknownTopic|InvalidTopic",
    DeadLetterReason.SERIALIZATION: r"[Ss]eriali[sz]|MessageConversion|Json|Schema|Avro|Protobuf|StreamRead"
    r"|InputMismatch|MismatchedInput|InvalidFormat|UnrecognizedProperty|InvalidDefinition|InvalidProtocolBuffer|MalformedInput"
    r"|^DataException|CharacterCoding|UnknownMagicByte|CorruptRecord",
    DeadLetterReason.TIMEOUT: r"Time(?:d)?Out|Timeout|DeadlineExceeded",
    DeadLetterReason.DATABASE: r"SQL|DataAccess|DataIntegrity|DuplicateKey|Hibernate|Persistence|OptimisticLock|JDBC"
    r"|ElasticsearchStatus",
    DeadLetterReason.NETWORK: r"Disconnect|Network|^Connect(?:ion)?Exception|Socket|UnknownHost|NoRouteToHost"
    r"|ResourceAccess|^IOException|NotAvailable|NotLeader|NotEnoughReplicas|ServiceUnavailable|ConnectionRefused"
    r"|ClosedChannel",
    DeadLetterReason.VALIDATION: r"Validation|ConstraintViolation|ArgumentNotValid|IllegalArgument|InvalidRecord"
    r"|NumberFormat|DateTimeParse",
    DeadLetterReason.DEFECT: r"NullPointer|ClassCast|IllegalState|OutOfBounds|UnsupportedOperation|Arithmetic"
    r"|NoSuch(?:Element|Method|Field)|StackOverflow|OutOfMemory|NoClassDefFound|ClassNotFound|ConcurrentModification"
    r"|Assertion",
}
_KNOWN = tuple((reason, re.compile(pattern)) for reason, pattern in _CLASSES.items())
# What words may say where no class is named; few, because words quote topics and clients.
_WORDS = (
    (DeadLetterReason.CIRCUIT_OPEN, re.compile(r"circuit breaker is open", re.IGNORECASE)),
    (DeadLetterReason.TOO_LARGE, re.compile(r"\btoo large\b", re.IGNORECASE)),
    (DeadLetterReason.TIMEOUT, re.compile(r"\b(?:timed out|time-?out|expired|expiring \d+ record)", re.IGNORECASE)),
)

Headers = Iterable[tuple[str, bytes | str | None]]


class Sources:
    """Where dead letters say why they died: a `header` and a `field` of one's own first, then the usual ones."""

    def __init__(self, header: str | None = None, field: str | None = None) -> None:
        self._headers = ((header,) if header else ()) + _HEADERS
        self._fields = [path.split(".") for path in ((field,) if field else ()) + _FIELDS]

    def of_record(self, headers: Headers, value: bytes | None) -> DeadLetterReason:
        """Return the reason that a record's headers name, or its envelope; never raises."""
        said = {name: text for name, text in headers if text}  # of headers with one name the last is the newest
        for name in self._headers:
            if name in said:
                return normalised(said[name])
        if value is None or len(value) > _MOST_PARSED or value.lstrip()[:1] != b"{":
            return DeadLetterReason.NONE
        try:
            return self.of_envelope(json.loads(value))
        except (ValueError, RecursionError):  # not JSON, a number of 5,000 digits, 100,000 brackets
            return DeadLetterReason.NONE

    def of_envelope(self, envelope: Any) -> DeadLetterReason:
        """Return the reason that a parsed envelope names."""
        for path in self._fields:
            found = envelope
            for key in path:
                found = found.get(key) if isinstance(found, Mapping) else None
            if isinstance(found, str) and found.strip():
                return normalised(found)
        return DeadLetterReason.NONE


def normalised(said: str | bytes) -> DeadLetterReason:
    """Bring the name of a class, or words, down to a reason: `other` for what is not known, never the words."""
    return _normalised(said[:_MOST_SAID])


# Letters of one fault name one class; what is remembered of them is a megabyte at most.
@lru_cache(maxsize=_MOST_REMEMBERED)
def _normalised(text: str | bytes) -> DeadLetterReason:
    words = text.decode(errors="replace") if isinstance(text, bytes) else text
    named = _class_in(words)
    if not named and " " in words.strip():
        return next((reason for reason, pattern in _WORDS if pattern.search(words)), DeadLetterReason.OTHER)
    whole = named or words.strip()
    if whole == "org.apache.kafka.connect.errors.ConnectException":  # the base of all of Connect's, not the network's
        return DeadLetterReason.OTHER
    simple = re.split(r"[.$]", whole)[-1]
    return next((reason for reason, pattern in _KNOWN if pattern.search(simple)), DeadLetterReason.OTHER)


def _class_in(words: str) -> str:
    """Return the first name of an exception's class, with its packages; empty for none."""
    for word in _WORD.finditer(words):
        ends = [found.end() for found in _ENDS_CLASS.finditer(word.group())]
        if ends:
            return word.group()[: ends[-1]]
    return ""
