"""yusufemrebilgin/keycloak-kafka-event-listener: Keycloak's own event classes as JSON, a topic for each type."""

from __future__ import annotations

from typing import Final

from keywatch.listeners.profile import Profile

YUSUFEMREBILGIN: Final = Profile(
    name="yusufemrebilgin",
    user=(r"keycloak\.events\.user\.[a-z0-9_]+",),
    admin=(r"keycloak\.events\.admin\.[a-z0-9_]+",),
    key=".+",  # of users the user id or realm id; of admins the resource's id, user id or realm id
)
