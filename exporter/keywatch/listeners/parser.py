"""Reads a record by a listener's profile: bytes in, an event or the reason why it is none out, and nothing else."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from keywatch.listeners.envelope import Envelope, EnvelopeError
from keywatch.listeners.event_types import admin_event, is_admin_event, is_user_event, user_event
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
_PER_SECOND = {TimeUnit.SECONDS: 1, TimeUnit.MILLISECONDS: 1000, TimeUnit.MICROSECONDS: 1_000_000, TimeUnit.ISO8601: 1}
_TIMES: dict[TimeUnit, tuple[type, ...]] = {TimeUnit.SECONDS: (int, float), TimeUnit.ISO8601: (float,)}
# With an offset, and to the second at least: anything less leaves open which moment is meant.
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
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
        paths = (fields.time, fields.type, operation, fields.realm_id, fields.realm_name, fields.id, fields.error)
        within = f"{profile.envelope}." if profile.envelope else ""
        self._read = Envelope([None if path is None else within + path for path in paths]).parse
        self._prefix = profile.type_prefix
        self._knows_error = fields.error is not None
        self._per_second = _PER_SECOND[profile.time_unit]
        self._in_text = profile.time_unit is TimeUnit.ISO8601
        self._told = self._in_text or bool(profile.type_prefix)
        self._times = _TIMES.get(profile.time_unit, (int,))
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
        if self._told:
            time, type_ = self._as_told(time, type_)
        is_user = self._is_of_user(type_, operation, for_users, for_admins)
        if is_user is None:
            return _MALFORMED[MalformedReason.KIND_UNKNOWN]
        if not (for_users if is_user else for_admins):
            return _MALFORMED[MalformedReason.WRONG_TOPIC]
        name = type_ if is_user else operation
        if (reason := self._wrong(time, name, realm_id, (realm_name, event_id, error))) is not None:
            return _MALFORMED[reason]
        if not (is_user_event(name) if is_user else is_admin_event(name)):
            return _MALFORMED[MalformedReason.KIND_UNKNOWN]
        found = user_event(name, failed=bool(error)) if is_user else self._administered(name, error)
        return Event(
            EventKind.USER if is_user else EventKind.ADMIN,
            *found,
            event_id or None,
            realm_id,
            realm_name or None,
            time / self._per_second,
            self._key_fits(key),
        )

    def _as_told(self, time: Any, type_: Any) -> tuple[Any, Any]:
        """Read a moment that is text, and cut what stands before a type."""
        return _seconds(time) if self._in_text else time, _cut(type_, self._prefix) if self._prefix else type_

    def _is_of_user(self, type_: Any, operation: Any, for_users: bool, for_admins: bool) -> bool | None:
        """Tell whether it is an event of a user; None: neither of a user nor of an administrator, or of both."""
        if self._by_topic:
            return None if for_users is for_admins else for_users
        if operation is None:
            return None if type_ is None else True
        # Beside an operation, a type that no user event has is a word of the listener's own for it.
        words = type(type_) is type(operation) is str and not is_user_event(type_)
        return False if type_ is None or words else None

    def _administered(self, operation: str, error: str | None) -> tuple[str, Outcome]:
        ended = (Outcome.ERROR if error else Outcome.SUCCESS) if self._knows_error else Outcome.UNKNOWN
        return admin_event(operation), ended

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


def _cut(written: Any, prefix: str) -> str | None:
    return written[len(prefix) :] if type(written) is str and written.startswith(prefix) else None


def _seconds(written: Any) -> float | bool | None:
    """Read a moment; None where there is none, False for what is no moment."""
    if written is None:
        return None
    if type(written) is not str or _MOMENT.fullmatch(written) is None:
        return False
    try:
        return datetime.fromisoformat(written).timestamp()
    except (ValueError, OverflowError):
        return False
