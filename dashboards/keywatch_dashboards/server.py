"""Asks a Grafana over its HTTP API, one request at a time, and says in words what went wrong."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

Json = Any

_SECONDS = 15.0
_LARGEST = 32_000_000
_RIGHTS = "it needs the role Editor, or the rights dashboards:read, :create, :write and folders:read, :create"


class ServerError(Exception):
    """Grafana does not answer, or does not do what was asked; the text says what and why, and no secret."""

    def __init__(self, words: str, status: int | None = None) -> None:
        """Make it; `status` is that of an answer."""
        super().__init__(words)
        self.status = status


class Server:
    """One Grafana: `url` is its address, with the path below which it is served, `token` that of a service account."""

    def __init__(self, url: str, token: str, ca_file: Path | None = None) -> None:
        """Make it without contact; raises `ServerError` when the address, token or certificates cannot be used."""
        try:
            parts = urlsplit(url)
            usable = parts.scheme in {"http", "https"} and parts.hostname is not None and parts.port != 0
        except ValueError:
            usable = False
        if not usable or parts.hostname is None:
            raise ServerError("is no address of a Grafana, such as https://grafana.example:3000")
        if parts.username is not None or parts.query or parts.fragment:
            raise ServerError("must be a plain address, without a name, password or question mark")
        if not token or any(not "!" <= letter <= "~" for letter in token):
            raise ServerError("the token is empty, or has characters that no token has")
        self._base = parts.path.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        self._connection: http.client.HTTPConnection
        if parts.scheme == "https":
            try:
                context = ssl.create_default_context(cafile=ca_file)
            except (OSError, ssl.SSLError) as error:
                raise ServerError(f"--ca-file {ca_file}: cannot be used: {error.strerror or error}") from None
            self._connection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=_SECONDS, context=context
            )
        else:
            self._connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=_SECONDS)

    def get(self, path: str) -> Json | None:
        """Return what lies at the path; none when Grafana does not have it. Raises `ServerError`."""
        return self._ask("GET", path, None, missing=True)

    def post(self, path: str, body: Json) -> Json:
        """Hand over the body and give the answer; raises `ServerError`."""
        return self._ask("POST", path, body)

    def delete(self, path: str) -> None:
        """Delete what lies at the path, if it is there; raises `ServerError`."""
        self._ask("DELETE", path, None, missing=True)

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _ask(self, method: str, path: str, body: Json, *, missing: bool = False) -> Json | None:
        data = None if body is None else json.dumps(body).encode()
        headers = self._headers if data is None else {**self._headers, "Content-Type": "application/json"}
        try:
            self._connection.request(method, self._base + path, data, headers)
            answer = self._connection.getresponse()
            text = answer.read(_LARGEST)
        except (OSError, http.client.HTTPException) as error:
            self._connection.close()
            raise ServerError(_reason(error)) from None
        try:
            found = json.loads(text) if text else None
        except ValueError:
            found = None
        if missing and answer.status == http.HTTPStatus.NOT_FOUND and _is_grafanas(found):
            return None
        if answer.status != http.HTTPStatus.OK:
            raise ServerError(_words(f"{method} {path}", answer, found), answer.status)
        if found is None:
            raise ServerError(f"{method} {path}: the answer is no JSON; is this a Grafana?")
        return found


def _is_grafanas(found: Json) -> bool:
    return isinstance(found, dict) and "message" in found


def _words(asked: str, answer: http.client.HTTPResponse, found: Json) -> str:
    said = f": {str(found['message'])[:300]}" if _is_grafanas(found) else ""
    match answer.status:
        case http.HTTPStatus.UNAUTHORIZED:
            return f"the token is not accepted{said}"
        case http.HTTPStatus.FORBIDDEN:
            return f"{asked}: the token lacks the right ({_RIGHTS}){said}"
        case 301 | 302 | 303 | 307 | 308:
            return f"{asked}: leads to {answer.getheader('Location', 'nowhere')[:200]}; give Grafana's own address"
        case http.HTTPStatus.NOT_FOUND if not said:
            return f"{asked}: there is no Grafana at this address"
        case _:
            return f"{asked}: Grafana answers {answer.status}{said}"


def _reason(error: OSError | http.client.HTTPException) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"its certificate is not trusted: {error.verify_message}"
        case ssl.SSLError():
            return f"TLS fails: {error.reason or error}"
        case socket.gaierror():
            return "its name is not known"
        case ConnectionRefusedError():
            return "the connection is refused"
        case TimeoutError():
            return f"no answer within {_SECONDS:g} s"
        case http.client.HTTPException():
            return "what answers there does not speak HTTP as Grafana does"
        case _:
            return f"the connection fails: {error.strerror or type(error).__name__}"
