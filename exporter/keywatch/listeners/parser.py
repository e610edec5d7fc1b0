"""Reads a record by a listener's profile: bytes in, an event or the reason why it is none out, and nothing else."""

from __future__ import annotations

import re
from typing import Any

from keywatch.listeners.envelope import Envelope, EnvelopeError
from keywatch.listeners.event_types import admin_event, user_event
from keywatch.listeners.profile import (
    Event,
    EventKind,
    KindRule,
    Malformed,
    MalformedReason,
    Outcome,
    Profile,
    TimeUnit,
    topic_patterns,
)

MAX_BYTES = 1024 * 1024
# Keycloak's columns for ids and realm names hold no more.
_LONGEST = 255
# No listener writes a longer key, and an expression of somebody's may take long over one.
_LONGEST_KEY = 4096
# Between 2001 and 2100: what lies outside is in another unit, or no moment at all.
_EARLIEST, _LATEST = 978_307_200, 4_102_444_800
_PER_SECOND = {TimeUnit.SECONDS: 1, TimeUnit.MILLISECONDS: 1000, TimeUnit.MICROSECONDS: 1_000_000}
_MALFORMED = {reason: Malformed(reason) for reason in MalformedReason}
_Kinds = tuple[bool, bool]  # whether user events, whether admin events belong into a topic
_TOPICS_KNOWN = 10_000


class Parser:
    """Parses the records of one listener; never raises, and holds nothing of what it parsed."""

    def __init__(self, profile: Profile, max_bytes: int = MAX_BYTES) -> None:
        """Prepare for a profile; raises `ValueError` when its fields or patterns contradict themselves."""
        fields = profile.fields
        self._max_bytes = max_bytes
        self._user, self._admin = topic_patterns(profile.user), topic_patterns(profile.admin)
        self._kinds: dict[str, _Kinds] = {}
        self._by_topic = profile.kind is KindRule.TOPIC
        # Where the topic tells the kind, one field may serve for both.
        operation = fields.operation if fields.operation is not None or not self._by_topic else fields.type
        self._read = Envelope(
            (fields.time, fields.type, operation, fields.realm_id, fields.realm_name, fields.id, fields.error)
        ).parse
        self._knows_error = fields.error is not None
        self._per_second = _PER_SECOND[profile.time_unit]
        self._times = (int, float) if profile.time_unit is TimeUnit.SECONDS else (int,)
        self._earliest, self._latest = _EARLIEST * self._per_second, _LATEST * self._per_second
        self._no_key = profile.key == ""
        self._key = re.compile(profile.key.encode(), re.DOTALL) if profile.key else None

    def parse(self, topic: str, key: bytes | None, value: bytes | None) -> Event | Malformed:
        """Return the event that the record is, or why it is none."""
        if not value:
            return _MALFORMED[MalformedReason.TOMBSTONE if value is None else MalformedReason.EMPTY]
        if len(value) > self._max_bytes:
            return _MALFORMED[MalformedReason.TOO_LARGE]
        for_users, for_admins = self._kinds.get(topic) or self._look_at(topic)
        if not for_users and not for_admins:
            return _MALFORMED[MalformedReason.WRONG_TOPIC]
        try:
            time, type_, operation, realm_id, realm_name, event_id, error = self._read(value)
        except EnvelopeError as refusal:
            return _MALFORMED[refusal.reason]
        if self._by_topic:
            is_user, is_admin = for_users, for_admins
        else:
            is_user, is_admin = type_ is not None, operation is not None
        if is_user is is_admin:
            return _MALFORMED[MalformedReason.KIND_UNKNOWN]
        if not (for_users if is_user else for_admins):
            return _MALFORMED[MalformedReason.WRONG_TOPIC]
        name = type_ if is_user else operation
        if (reason := self._wrong(time, name, realm_id, (realm_name, event_id, error))) is not None:
            return _MALFORMED[reason]
        if is_user:
            kind = EventKind.USER
            event, outcome = user_event(name)
        else:
            kind, event = EventKind.ADMIN, admin_event(name)
            outcome = (Outcome.ERROR if error else Outcome.SUCCESS) if self._knows_error else Outcome.UNKNOWN
        return Event(
            kind,
            event,
            outcome,
            event_id or None,
            realm_id,
            realm_name or None,
            time / self._per_second,
            self._key_fits(key),
        )

    def _wrong(self, time: Any, name: Any, realm_id: Any, optional: tuple[Any, ...]) -> MalformedReason | None:
        if time is None or not name or not realm_id:
            return MalformedReason.FIELD_MISSING
        if type(time) not in self._times or type(name) is not str or type(realm_id) is not str:
            return MalformedReason.FIELD_TYPE
        for text in optional:
            if text is not None and type(text) is not str:
                return MalformedReason.FIELD_TYPE
            if text is not None and len(text) > _LONGEST:
                return MalformedReason.FIELD_LENGTH
        if len(realm_id) > _LONGEST or len(name) > _LONGEST:
            return MalformedReason.FIELD_LENGTH
        return None if self._earliest <= time <= self._latest else MalformedReason.TIME_RANGE

    def _key_fits(self, key: bytes | None) -> bool:
        if self._key is not None:
            return key is not None and len(key) <= _LONGEST_KEY and self._key.fullmatch(key) is not None
        return not (self._no_key and key)

    def _look_at(self, topic: str) -> _Kinds:
        found = (topic in self._user, topic in self._admin)
        if len(self._kinds) < _TOPICS_KNOWN:
            self._kinds[topic] = found
        return found
