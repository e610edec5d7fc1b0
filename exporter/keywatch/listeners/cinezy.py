"""cinezy/keycloak-event-listener-kafka: flat JSON of its own, with realm names, without errors and event ids."""

from __future__ import annotations

from typing import Final

from keywatch.listeners.profile import Fields, Profile

CINEZY: Final = Profile(
    name="cinezy",
    user=("keycloak.user.events",),
    admin=("keycloak.admin.events",),
    fields=Fields(type="eventType", id=None, error=None),
    key=".+:[A-Z0-9_]+:.+",  # realm name, then type and user id or `anon`, or operation and resource type
)
