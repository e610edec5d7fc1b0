"""A listener that keywatch does not know by name: what it writes is told by the configuration."""

from __future__ import annotations

from collections.abc import Sequence

from keywatch.listeners.profile import Fields, KindRule, Profile, TimeUnit

NAME = "custom"


def custom(
    user: Sequence[str],
    admin: Sequence[str],
    fields: Fields,
    *,
    kind: KindRule = KindRule.FIELD,
    time_unit: TimeUnit = TimeUnit.MILLISECONDS,
    key: str | None = None,
    type_prefix: str = "",
    envelope: str | None = None,
) -> Profile:
    """Make the profile of such a listener."""
    return Profile(
        NAME, tuple(user), tuple(admin), fields, kind, time_unit, key, type_prefix=type_prefix, envelope=envelope
    )
