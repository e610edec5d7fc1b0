"""SnuK87/keycloak-kafka: Keycloak's own event classes as JSON, records without a key."""

from __future__ import annotations

from typing import Final

from keywatch.listeners.profile import Profile

# It has no topics of its own choice: these are the ones that its documentation uses.
SNUK87: Final = Profile(name="snuk87", user=("keycloak-events",), admin=("keycloak-admin-events",), key="")
