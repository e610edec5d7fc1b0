"""An authorization server on the loopback that gives unsigned tokens to clients that prove who they are."""

from __future__ import annotations

import base64
import json
import threading
import time
import urllib.parse
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


class TokenServer:
    """Answers the client credentials grant (RFC 6749, 4.4); a context manager. `issued` are its tokens.

    A client is taken that knows the secret, or of which `proves` says so, by the form that it sent.
    """

    def __init__(
        self,
        client: str,
        secret: str = "",
        *,
        life: float = 300.0,
        proves: Callable[[dict[str, str]], bool] = lambda _: False,
    ) -> None:
        self.issued: list[str] = []
        self.forms: list[dict[str, str]] = []
        """What was asked with."""
        self.refused = 0
        self.secret = secret
        self._client = client
        self._life = life
        self._proves = proves
        server = self

        class Handler(BaseHTTPRequestHandler):
            """One request."""

            def do_POST(self) -> None:
                """Return a token, or 401."""
                form = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                server.forms.append(dict(urllib.parse.parse_qsl(form)))
                status, body = server._answer(self.headers.get("Authorization", ""), server.forms[-1])
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Where tokens are given."""
        return f"http://127.0.0.1:{self._server.server_port}/token"

    def _answer(self, authorization: str, form: dict[str, str]) -> tuple[int, bytes]:
        expected = base64.b64encode(f"{self._client}:{self.secret}".encode()).decode()
        knows = bool(self.secret) and authorization == f"Basic {expected}"
        if not (knows or self._proves(form)):
            self.refused += 1
            return 401, b'{"error":"invalid_client"}'
        token = unsigned(self._client, self._life)
        self.issued.append(token)
        return 200, json.dumps({"access_token": token, "token_type": "Bearer", "expires_in": self._life}).encode()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)


def unsigned(client: str, life: float) -> str:
    """Return a token for a client that is good for so many seconds from now on; less than none: it has ended."""
    now = time.time()
    claims = {"sub": client, "iat": now + min(life, 0.0) - 1.0, "exp": now + life, "scope": "kafka"}
    return f"{_part({'alg': 'none'})}.{_part(claims)}."


def _part(claims: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
