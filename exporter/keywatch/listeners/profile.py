"""The contract of a listener's profile: where in a record each thing stands, and what a record is read as."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple, Self

from keywatch.patterns import Patterns

# What Kafka allows in a topic's name: such an entry is a name, anything else is a regular expression.
_NAME = re.compile(r"[A-Za-z0-9._-]+")


class EventKind(StrEnum):
    """Whether users did something, or administrators."""

    USER = "user"
    ADMIN = "admin"


class Outcome(StrEnum):
    """How it ended; the values of the label `outcome`."""

    SUCCESS = "success"
    ERROR = "error"
    UNKNOWN = "unknown"


class MalformedReason(StrEnum):
    """Why a record is no event: the values of the label `reason` of malformed records."""

    TOMBSTONE = "tombstone"
    EMPTY = "empty"
    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    NOT_OBJECT = "not_object"
    WRONG_TOPIC = "wrong_topic"
    KIND_UNKNOWN = "kind_unknown"
    FIELD_MISSING = "field_missing"
    FIELD_TYPE = "field_type"
    FIELD_LENGTH = "field_length"
    TIME_RANGE = "time_range"


class Event(NamedTuple):
    """One event as far as keywatch looks at it: never who, from where, or with what.

    `event` is a label of `event_types`; `time` is the event's own, in seconds of Unix time; `event_id` and
    `realm_name` are None where the listener does not write them; `key_fits` tells whether the record's key is one that
    the listener writes.
    """

    kind: EventKind
    event: str
    outcome: Outcome
    event_id: str | None
    realm_id: str
    realm_name: str | None
    time: float
    key_fits: bool


class Malformed(NamedTuple):
    """A record that is no event, and why."""

    reason: MalformedReason


class KindRule(StrEnum):
    """How user events and admin events are told apart: by which field is there, or by the topic."""

    FIELD = "field"
    TOPIC = "topic"


class TimeUnit(StrEnum):
    """What the event's time counts since 1970; `iso8601` is text with an offset, `2026-11-29T09:12:01.5Z`."""

    SECONDS = "s"
    MILLISECONDS = "ms"
    MICROSECONDS = "us"
    ISO8601 = "iso8601"


class DeadLetterPlace(StrEnum):
    """Where the listener puts events that it could not send: nowhere, or in files named `dlq-<ms>-<ns>.json`."""

    NONE = "none"
    FILES = "files"


@dataclass(frozen=True, slots=True)
class Fields:
    """Where in the record's JSON object each thing stands: a name, or names joined by dots; None: it is not written.

    `type` is a user event's, `operation` an admin event's. Without a field for `error` nobody can tell how an admin
    operation ended; of a user event the type tells.
    """

    time: str = "time"
    type: str = "type"
    operation: str | None = "operationType"
    realm_id: str = "realmId"
    realm_name: str | None = "realmName"
    id: str | None = "id"
    error: str | None = "error"


@dataclass(frozen=True, slots=True)
class Profile:
    """What one listener writes.

    `user` and `admin` are its topics: names, or regular expressions for whole names. `key` is a regular expression
    for a record's whole key, empty when records have none, None when any will do. `type_prefix` is cut off of a user
    event's type, and what has it not is no user event's type. `envelope` is a field that holds the event, and all
    others stand within it.
    """

    name: str
    user: tuple[str, ...]
    admin: tuple[str, ...]
    fields: Fields = Fields()
    kind: KindRule = KindRule.FIELD
    time_unit: TimeUnit = TimeUnit.MILLISECONDS
    key: str | None = None
    dead_letters: DeadLetterPlace = DeadLetterPlace.NONE
    type_prefix: str = ""
    envelope: str | None = None

    def on(self, user: Sequence[str], admin: Sequence[str]) -> Self:
        """Return the same profile on other topics; where neither is given, on its own."""
        return replace(self, user=tuple(user), admin=tuple(admin)) if user or admin else self

    @property
    def names(self) -> tuple[str, ...]:
        """The topics that are given by name."""
        return tuple(topic for topic in (*self.user, *self.admin) if is_name(topic))

    def topics(self) -> Patterns:
        """Return which topics are the listener's."""
        return topic_patterns((*self.user, *self.admin))


def is_name(topic: str) -> bool:
    """Return whether an entry is a topic's name and not a regular expression."""
    return _NAME.fullmatch(topic) is not None


def topic_patterns(topics: Sequence[str]) -> Patterns:
    """Return the patterns that match these names and whatever these regular expressions match."""
    return Patterns([re.escape(topic) if is_name(topic) else topic for topic in topics])
