"""ScriptonBasestar/sb-keycloak-exts: its own JSON and event ids, no errors or realm names, dead letters in files."""

from __future__ import annotations

from typing import Final

from keywatch.listeners.profile import DeadLetterPlace, Fields, Profile

SCRIPTONBASESTAR: Final = Profile(
    name="scriptonbasestar",
    user=("keycloak.events",),
    admin=("keycloak.admin.events",),
    fields=Fields(realm_name=None, error=None),
    key="[^:]+:[A-Z0-9_]+:.+",  # realm id, type or operation, user id or `anonymous`
    dead_letters=DeadLetterPlace.FILES,
)
