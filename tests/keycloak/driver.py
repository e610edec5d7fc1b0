"""Does to a Keycloak what administrators and users do: realms, clients, users, logins good and bad, refresh, logout."""

from __future__ import annotations

import http.client
import json
import time
import urllib.parse
from dataclasses import dataclass
from typing import Any

from tests.keycloak.distribution import ADMIN
from tests.keycloak.server import KeycloakServer

LISTENER = "keywatch-kafka"
CLIENT = "web-app"
PASSWORD = "correct horse"  # noqa: S105 - of invented users
_TIMEOUT = 120.0
# An administrator's token lives for a minute.
_TOKEN_SECONDS = 30.0


class KeycloakRefusedError(Exception):
    """Keycloak answered with another status than the one that was to be."""


@dataclass(frozen=True)
class Session:
    """A user that is logged in."""

    access_token: str
    refresh_token: str


class Driver:
    """One who speaks HTTP with a Keycloak, over a connection of its own; not to be shared among threads."""

    def __init__(self, server: KeycloakServer) -> None:
        self._server = server
        self._connection: http.client.HTTPConnection | None = None
        self._token = ""
        self._token_until = 0.0

    def make_realm(self, name: str, *, listeners: tuple[str, ...] = ("jboss-logging", LISTENER)) -> str:
        """Make a realm whose events go to `listeners`, with a public client `CLIENT`; give the realm's id."""
        realm = {"realm": name, "enabled": True, "eventsListeners": listeners, "adminEventsDetailsEnabled": True}
        self.admin("POST", "", realm, expect=201)
        client = {"clientId": CLIENT, "publicClient": True, "directAccessGrantsEnabled": True}
        self.admin("POST", f"/{name}/clients", client, expect=201)
        return str(self.admin("GET", f"/{name}")["id"])

    def delete_realm(self, name: str) -> None:
        """Delete a realm with all that is in it."""
        self.admin("DELETE", f"/{name}", expect=204)

    def make_user(self, realm: str, name: str) -> str:
        """Make a user who can log in with `PASSWORD`; give the user's id. An admin event CREATE."""
        user = {
            "username": name,
            "enabled": True,
            "email": f"{name}@example.test",
            "firstName": name,
            "lastName": "Tester",
            "credentials": [{"type": "password", "value": PASSWORD, "temporary": False}],
        }
        self.admin("POST", f"/{realm}/users", user, expect=201)
        found = self.admin("GET", f"/{realm}/users?{urllib.parse.urlencode({'username': name, 'exact': 'true'})}")
        return str(found[0]["id"])

    def rename_user(self, realm: str, user_id: str, last_name: str) -> None:
        """Change a user. An admin event UPDATE."""
        self.admin("PUT", f"/{realm}/users/{user_id}", {"lastName": last_name}, expect=204)

    def delete_user(self, realm: str, user_id: str) -> None:
        """Delete a user. An admin event DELETE."""
        self.admin("DELETE", f"/{realm}/users/{user_id}", expect=204)

    def login(self, realm: str, user: str) -> Session:
        """Log a user in by a direct grant. An event LOGIN."""
        form = {"grant_type": "password", "client_id": CLIENT, "username": user, "password": PASSWORD}
        return _session(self._token_request(realm, form, expect=200))

    def login_wrongly(self, realm: str, user: str) -> None:
        """Try to log in with a wrong password. An event LOGIN_ERROR."""
        form = {"grant_type": "password", "client_id": CLIENT, "username": user, "password": "wrong"}
        self._token_request(realm, form, expect=400)

    def refresh(self, realm: str, session: Session) -> Session:
        """Have a session's tokens renewed. An event REFRESH_TOKEN."""
        form = {"grant_type": "refresh_token", "client_id": CLIENT, "refresh_token": session.refresh_token}
        return _session(self._token_request(realm, form, expect=200))

    def logout(self, realm: str, session: Session) -> None:
        """End a session. An event LOGOUT."""
        form = {"client_id": CLIENT, "refresh_token": session.refresh_token}
        self._post_form(f"/realms/{realm}/protocol/openid-connect/logout", form, expect=204)

    def admin(self, method: str, path: str, body: object = None, *, expect: int = 200) -> Any:
        """Ask the admin REST interface; `path` follows `/admin/realms`. Raises `KeycloakRefusedError`."""
        if time.monotonic() > self._token_until:
            form = {"grant_type": "password", "client_id": "admin-cli", "username": ADMIN, "password": ADMIN}
            self._token = self._token_request("master", form, expect=200)["access_token"]
            self._token_until = time.monotonic() + _TOKEN_SECONDS
        headers = {"Authorization": f"Bearer {self._token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        return self._ask(method, f"/admin/realms{path}", data, headers, expect)

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _token_request(self, realm: str, form: dict[str, str], *, expect: int) -> Any:
        return self._post_form(f"/realms/{realm}/protocol/openid-connect/token", form, expect=expect)

    def _post_form(self, path: str, form: dict[str, str], *, expect: int) -> Any:
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", path, urllib.parse.urlencode(form).encode(), headers, expect)

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str], expect: int) -> Any:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=_TIMEOUT)
        try:
            self._connection.request(method, path, body, headers)
            answer = self._connection.getresponse()
            status, data = answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if status != expect:
            raise KeycloakRefusedError(f"{method} {path}: {status} instead of {expect}: {data[:500]!r}")
        return json.loads(data) if data else None


def _session(answer: Any) -> Session:
    return Session(answer["access_token"], answer["refresh_token"])
