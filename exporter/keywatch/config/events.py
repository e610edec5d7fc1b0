"""The part of the configuration that says which listeners write events, where, and how their records look."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from keywatch.config.reconciliation import ReconciliationSection
from keywatch.config.security import Section
from keywatch.listeners.custom import NAME as CUSTOM
from keywatch.listeners.custom import custom
from keywatch.listeners.known import KNOWN
from keywatch.listeners.parser import MAX_BYTES, Parser
from keywatch.listeners.profile import Fields, KindRule, Profile, TimeUnit, is_name

_LONGEST_TOPIC = 249
_LONGEST_REALM = 255


def _checked_topic(text: str) -> str:
    if is_name(text):
        if len(text) > _LONGEST_TOPIC:
            raise ValueError(f"a topic's name has at most {_LONGEST_TOPIC} letters, not {len(text)}")
        return text
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is neither a topic's name nor a regular expression: {error}") from error
    return text


def _checked_realm(text: str) -> str:
    if not 1 <= len(text) <= _LONGEST_REALM:
        raise ValueError(f"must be 1 to {_LONGEST_REALM} letters, not {len(text)}")
    return text


def _checked_key(text: str) -> str:
    try:
        re.compile(text.encode())
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from error
    return text


Topic = Annotated[str, AfterValidator(_checked_topic)]
Key = Annotated[str, AfterValidator(_checked_key)]
Prefix = Annotated[str, Field(max_length=100)]
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,100}$")]
Realm = Annotated[str, AfterValidator(_checked_realm)]


class EventTopicsSection(Section):
    """Where the events are: topics' names, or regular expressions for whole names; none at all: the listener's own."""

    user: tuple[Topic, ...] = Field((), description="Topics of user events.")
    admin: tuple[Topic, ...] = Field((), description="Topics of admin events.")


class EventRecordSection(Section):
    """How the records of the listener `custom` look: JSON objects, in which fields stand by name or `outer.inner`."""

    kind: Literal["field", "topic"] = Field(
        "field",
        description="What tells user from admin events: which of type and operation is there, or the topic.",
    )
    time: str = Field("time", description="Field of the event's time.")
    time_unit: Literal["ms", "s", "us", "iso8601"] = Field(
        "ms", description="What it counts since 1970; iso8601: text with an offset, 2026-11-29T09:12:01Z."
    )
    type: str = Field("type", description="Field of a user event's type, such as LOGIN_ERROR.")
    type_prefix: Prefix = Field(
        "", description="What stands before it, such as `access.`; a type without it is none of a user event."
    )
    envelope: str | None = Field(
        None, description="Field that holds the event, such as `data` in CloudEvents; the others stand within it."
    )
    operation: str | None = Field("operationType", description="Field of an admin event's operation, such as CREATE.")
    realm_id: str = Field("realmId", description="Field of the realm's id.")
    realm_name: str | None = Field("realmName", description="Field of the realm's name; empty: not written.")
    id: str | None = Field("id", description="Field of the event's id; empty: not written, duplicates are not seen.")
    error: str | None = Field(
        "error", description="Field of the error; empty: not written, how admin operations ended is not known."
    )
    key: Key | None = Field(None, description="Pattern of whole record keys; empty text: no key; unset: any.")


class EventsSection(Section):
    """Probe `events`: which events arrive, how late, and what is wrong with them? One entry for each listener."""

    listener: Literal["scriptonbasestar", "snuk87", "redhatinsights", "yusufemrebilgin", "cinezy", "custom"] = Field(
        ..., description="Which listener writes them."
    )
    name: Label | None = Field(None, description="Value of the label `listener`; unset: the listener's name.")
    topics: EventTopicsSection = EventTopicsSection()
    record: EventRecordSection | None = Field(None, description="How records look; only for the listener custom.")
    realms: dict[Realm, Realm] = Field(
        default_factory=dict, description="Realm id → name, for listeners that do not write names."
    )
    max_realms: int = Field(
        100, ge=1, le=10_000, description="How many realms have series of their own; all others are `other`."
    )
    max_bytes: int = Field(MAX_BYTES, ge=1024, le=100 * 2**20, description="Bytes of the largest record that is read.")
    period: float = Field(1.0, ge=0.1, le=3600, description="Seconds between two cycles.")
    timeout: float = Field(6.0, ge=0.1, le=60, description="Seconds for one cycle.")
    reconcile: ReconciliationSection | None = Field(
        None, description="Whether all arrived that Keycloak counted; unset: nobody asks."
    )

    @property
    def label(self) -> str:
        """The value of the label `listener`."""
        return self.name or self.listener

    def profile(self) -> Profile:
        """Return what the listener writes."""
        user, admin = self.topics.user, self.topics.admin
        if self.listener != CUSTOM:
            return KNOWN[self.listener].on(user, admin)
        record = self.record or EventRecordSection()
        fields = Fields(
            record.time, record.type, record.operation, record.realm_id, record.realm_name, record.id, record.error
        )
        kind, unit = KindRule(record.kind), TimeUnit(record.time_unit)
        return custom(
            user,
            admin,
            fields,
            kind=kind,
            time_unit=unit,
            key=record.key,
            type_prefix=record.type_prefix,
            envelope=record.envelope or None,
        )

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if self.listener != CUSTOM:
            if self.record is not None:
                raise ValueError(f"record is for the listener custom; how {self.listener} writes is known")
            return self
        if not self.topics.user and not self.topics.admin:
            raise ValueError("the listener custom needs topics.user, topics.admin or both")
        Parser(self.profile())  # fields that contradict each other are a ValueError
        return self


def _distinct(events: tuple[EventsSection, ...]) -> tuple[EventsSection, ...]:
    labels = [section.label for section in events]
    for label in labels:
        if labels.count(label) > 1:
            raise ValueError(f"two entries are called {label!r}; each needs a name of its own")
    return events


Events = Annotated[tuple[EventsSection, ...], AfterValidator(_distinct)]
