"""Asks Keycloak's admin interface what is loaded and set: it reads, and changes nothing.

Paths and names are those of Keycloak 26: `/admin/serverinfo`, `/admin/realms`, `…/events/config`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlencode

from keywatch.engine.probe import ProbeError
from keywatch.net.http_peer import HttpPeer
from keywatch.surfaces import url

_FORM: Final = "application/x-www-form-urlencoded"
_MOST_BYTES: Final = 16 * 1024 * 1024
MOST_REALMS: Final = 1_000
_SECONDS: Final = 30.0


class AdminError(Exception):
    """Keycloak did not tell; the message says which question, and what came back."""


class Admin:
    """One Keycloak, asked as one who logged in. Every method raises `AdminError`."""

    def __init__(self, peer: HttpPeer) -> None:
        self._peer = peer

    async def log_in(self, realm: str, form: Mapping[str, str]) -> None:
        """Get a token by what a form gives: a user's password, or a client's secret."""
        path = f"realms/{url(realm)}/protocol/openid-connect/token"
        try:
            answer = await self._peer.ask(
                "POST", path, _SECONDS, _MOST_BYTES, json=urlencode(form).encode(), headers={"Content-Type": _FORM}
            )
        except ProbeError as error:
            raise AdminError(str(error.detail)) from None
        found = _json(answer.body)
        token = found.get("access_token") if answer.status == 200 and isinstance(found, dict) else None
        if not isinstance(token, str):
            why = found.get("error_description", "") if isinstance(found, dict) else ""
            said = f": {str(why)[:200]}" if why else ""
            raise AdminError(f"the login in realm {realm} was refused with status {answer.status}{said}")
        self._peer.bearer = token

    async def loaded(self) -> dict[str, Any]:
        """Return the event listeners that Keycloak has loaded, by id."""
        found = await self._get("admin/serverinfo", "what is loaded")
        try:
            return dict(found["providers"]["eventsListener"]["providers"])
        except (KeyError, TypeError, ValueError):
            raise AdminError(
                "admin/serverinfo does not tell the providers: the one who asks may not see them (role view-system)"
            ) from None

    async def realms(self) -> list[str]:
        """Return the names of the realms that the one who asks may see."""
        found = await self._get("admin/realms?briefRepresentation=true", "the realms")
        names = [one.get("realm") for one in found if isinstance(one, dict)] if isinstance(found, list) else []
        return sorted(str(name) for name in names if name)[:MOST_REALMS]

    async def listeners_of(self, realm: str) -> list[str]:
        """Return the ids of the event listeners that a realm names."""
        found = await self._get(f"admin/realms/{url(realm)}/events/config", f"the listeners of realm {realm}")
        names = found.get("eventsListeners") if isinstance(found, dict) else None
        return [str(name) for name in names] if isinstance(names, list) else []

    async def attributes_of(self, realm: str) -> dict[str, str]:
        """Return a realm's attributes."""
        found = await self._get(f"admin/realms/{url(realm)}", f"realm {realm}")
        attributes = found.get("attributes") if isinstance(found, dict) else None
        return {str(name): str(value) for name, value in attributes.items()} if isinstance(attributes, dict) else {}

    async def _get(self, path: str, what: str) -> Any:
        try:
            answer = await self._peer.ask("GET", path, _SECONDS, _MOST_BYTES)
        except ProbeError as error:
            raise AdminError(str(error.detail)) from None
        if answer.status != 200:
            right = " (view-realm and view-events of the realm are needed)" if answer.status == 403 else ""
            raise AdminError(f"{what} cannot be read: status {answer.status}{right}")
        return _json(answer.body)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None
