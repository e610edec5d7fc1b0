"""Asks one HTTP server under a deadline, over kept connections; reads no more than is bearable, and names failures."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import ssl
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp

from keywatch.config.keycloak import BasicAuthSection
from keywatch.config.secret import ApiKey, Secret, SecretError, SecurityError
from keywatch.config.security import TlsSection
from keywatch.engine.looking import Looking
from keywatch.engine.probe import ProbeError, Reason
from keywatch.engine.worker import Worker
from keywatch.net.failures import REASONS as CONNECTION_REASONS
from keywatch.net.failures import connection_error
from keywatch.net.resolver import HttpResolver, Resolver
from keywatch.net.tls import TlsSource

_STAGES = {
    Reason.DNS: "the name did not resolve",
    Reason.TIMEOUT_CONNECT: "no connection",
    Reason.TIMEOUT_TLS: "the TLS handshake did not end",
    Reason.TIMEOUT_RESPONSE: "no answer",
}
REASONS = CONNECTION_REASONS | {
    *(Reason.TIMEOUT_CONNECT, Reason.TIMEOUT_TLS, Reason.TIMEOUT_RESPONSE),
    *(Reason.PROTOCOL, Reason.AUTHENTICATION, Reason.AUTHORIZATION),
}
"""Why a request may get no answer."""
_CHUNK = 65_536
_TYPES = ("Accept", "Content-Type")
_API_KEY = re.compile(r"[A-Za-z0-9+/=_:-]{1,1000}")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: status, type, body, and how many seconds it took, the setting up of a connection left out.

    `headers` are those of the answer; names of any case do.
    """

    status: int
    content_type: str
    body: bytes
    took: float
    headers: Mapping[str, str] = field(default_factory=dict)


class HttpPeer:
    """One server. Its files are read when they are first needed, and again when they change."""

    def __init__(
        self,
        url: str,
        tls: TlsSection | None = None,
        auth: BasicAuthSection | None = None,
        api_key: ApiKey | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self._tls_section = tls
        self._auth_section = auth
        self._api_key_source = api_key
        self._api_key: Secret | None = None
        self._tls: TlsSource | None = None
        self._password: Secret | None = None
        self._resolver = Resolver(flags=socket.AI_ADDRCONFIG)
        self._session: aiohttp.ClientSession | None = None
        self._looking: Looking | None = None
        self.bearer = ""
        """A token to send with each request; empty: none."""
        self._ready = False
        self._handshake_at = float("-inf")
        self.certificate_not_after: float | None = None
        """When the certificate that the server last showed ends, in Unix time."""

    def prepare(self) -> None:
        """Read the files; raises `SecurityError`."""
        if self._tls is None and self.url.startswith("https://"):
            self._tls = TlsSource(self._tls_section or TlsSection())
        section = self._auth_section
        if self._password is None and section is not None:
            try:
                self._password = Secret(section.password, section.password_file, section.password_env)
            except SecretError as error:
                raise SecurityError(("basic_auth", "password"), str(error)) from error
        key = self._api_key_source
        if self._api_key is None and key is not None:
            try:
                self._api_key = Secret(key.value, key.file, key.env)
            except SecretError as error:
                raise SecurityError(("api_key",), str(error)) from error
            if not _API_KEY.fullmatch(self._api_key.current()):
                raise SecurityError(("api_key",), "is no API key: it has other characters than those of Base64")

    async def get(self, path: str, timeout: float, most: int, *, last: bool = False) -> Answer:
        """Ask for a path below the URL within `timeout` seconds; raises `ProbeError`.

        A body of more than `most` bytes is a failure. `last` has the server close the connection after the answer.
        """
        answer = await self.ask("GET", path, timeout, most, last=last)
        if answer.status in {401, 403}:
            reason = Reason.AUTHENTICATION if answer.status == 401 else Reason.AUTHORIZATION
            raise ProbeError(reason, f"{self.url}/{path} answers with status {answer.status}")
        return answer

    async def ask(
        self,
        method: str,
        path: str,
        timeout: float,
        most: int,
        *,
        json: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        last: bool = False,
    ) -> Answer:
        """Send a request, with a body of JSON if there is one; as `get`, but any status is an answer.

        Redirects are not followed: what is asked for is here or nowhere. Of `headers` only the types that are sent and
        asked for are taken.
        """
        url = f"{self.url}/{path}"
        began = time.monotonic()
        stage = SimpleNamespace(reason=Reason.TIMEOUT_CONNECT, sent=began)
        try:
            async with asyncio.timeout(timeout):
                await self._look_at_files()
                async with self._ask(method, url, stage, json=json, headers=headers, last=last) as response:
                    body = await _body(response, most)
                    took = time.monotonic() - stage.sent
        except TimeoutError:
            reason = stage.reason
            if reason is Reason.TIMEOUT_CONNECT and self._handshake_at >= began:
                reason = Reason.TIMEOUT_TLS  # there is a connection, and something listens
            raise ProbeError(reason, f"{url}: {_STAGES[reason]} in {timeout:.3g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            reason, words = _failure(error)
            raise ProbeError(reason, f"{url}: {words}") from error
        if 300 <= response.status < 400:
            where = response.headers.get("Location", "elsewhere")[:200]
            raise ProbeError(Reason.PROTOCOL, f"{url} redirects to {where}")
        return Answer(response.status, response.content_type, body, took, response.headers)

    async def close(self) -> None:
        """Close all connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _look_at_files(self) -> None:
        """Read the files for the first time, or look whether they changed, on a thread; raises `ProbeError`."""
        if self._ready and self._looking is None:
            return
        if self._ready and self._looking is not None:
            await self._looking.fresh()
            return
        try:
            if self._has_files():
                first = Worker(f"files-{self.url}")
                try:
                    await first.call(self.prepare)
                finally:
                    first.end()
                self._looking = Looking(f"files-{self.url}", partial(_look, self._tls, self._password, self._api_key))
            else:
                self.prepare()
        except SecurityError as error:
            reason = Reason.AUTHENTICATION if error.key[0] in {"basic_auth", "api_key"} else Reason.TLS
            raise ProbeError(reason, str(error)) from error
        self._ready = True

    def _has_files(self) -> bool:
        sources = (self._tls_section, self._auth_section, self._api_key_source)
        given = (vars(one) if not isinstance(one, ApiKey) else {"file": one.file} for one in sources if one is not None)
        return any(isinstance(value, Path) for one in given for value in one.values())

    def _ask(
        self,
        method: str,
        url: str,
        stage: SimpleNamespace,
        *,
        json: bytes | None,
        headers: Mapping[str, str] | None,
        last: bool,
    ) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=4, use_dns_cache=False, resolver=HttpResolver(self._resolver)),
                timeout=aiohttp.ClientTimeout(total=None),
                cookie_jar=aiohttp.DummyCookieJar(),
                trace_configs=[_tracing()],
                auto_decompress=False,
                max_line_size=8190,
                max_field_size=8190,
            )
        context, name = self._context()
        sent = self._headers(last=last)
        if json is not None:
            sent["Content-Type"] = "application/json"
        if headers is not None:
            sent |= {kind: headers[kind] for kind in _TYPES if kind in sent and kind in headers}
        return self._session.request(
            method,
            url,
            data=json,
            headers=sent,
            allow_redirects=False,
            ssl=context if context is not None else True,
            server_hostname=name,
            trace_request_ctx=stage,
        )

    def _context(self) -> tuple[ssl.SSLContext | None, str | None]:
        """Return how to speak TLS now."""
        if self._tls is None:
            return None, None
        tls = self._tls.current()
        peer = self

        class Noting(ssl.SSLObject):
            """Notes whether a handshake is under way, and when the server's certificate ends."""

            def do_handshake(self) -> None:
                peer._handshake_at = time.monotonic()
                super().do_handshake()
                peer._handshake_at = float("-inf")
                certificate = self.getpeercert() or {}
                with contextlib.suppress(KeyError, ValueError):  # none, or a date that is none
                    peer.certificate_not_after = float(ssl.cert_time_to_seconds(str(certificate["notAfter"])))

        tls.context.sslobject_class = Noting
        return tls.context, tls.server_name

    def _headers(self, *, last: bool) -> dict[str, str]:
        headers = {"Accept": "application/json, text/plain;version=0.0.4;q=0.9", "Accept-Encoding": "identity"}
        if last:
            headers["Connection"] = "close"
        if self.bearer:
            headers["Authorization"] = f"Bearer {self.bearer}"
        if self._auth_section is not None and self._password is not None:
            pair = f"{self._auth_section.username}:{self._password.current()}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        if self._api_key is not None:
            key = self._api_key.current()  # as one text, or as id and key
            headers["Authorization"] = f"ApiKey {b64encode(key.encode()).decode() if ':' in key else key}"
        return headers


def _look(tls: TlsSource | None, *secrets: Secret | None) -> None:
    """Read again what changed."""
    if tls is not None:
        tls.look()
    for secret in secrets:
        if secret is not None:
            secret.look()


def _tracing() -> aiohttp.TraceConfig:
    """Follow which stage a request is in, so that a time-out can be named."""

    def at(reason: Reason) -> Any:
        async def note(_: Any, context: SimpleNamespace, __: Any) -> None:
            context.trace_request_ctx.reason = reason
            context.trace_request_ctx.sent = time.monotonic()

        return note

    config = aiohttp.TraceConfig()
    config.on_connection_create_start.append(at(Reason.TIMEOUT_CONNECT))
    config.on_dns_resolvehost_start.append(at(Reason.DNS))
    config.on_dns_resolvehost_end.append(at(Reason.TIMEOUT_CONNECT))
    config.on_connection_create_end.append(at(Reason.TIMEOUT_RESPONSE))
    config.on_connection_reuseconn.append(at(Reason.TIMEOUT_RESPONSE))
    return config


async def _body(response: aiohttp.ClientResponse, most: int) -> bytes:
    """Read a body of `most` bytes at most; raises `ProbeError` for a larger one, of which no more is read."""
    parts: list[bytes] = []
    left = most
    async for part in response.content.iter_chunked(_CHUNK):
        left -= len(part)
        if left < 0:
            response.close()
            raise ProbeError(Reason.PROTOCOL, f"{response.url} answers with more than {most} bytes")
        parts.append(part)
    return b"".join(parts)


def _failure(error: Exception) -> tuple[Reason, str]:
    """Name why a request failed; no text of the server's reaches the words."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return connection_error(error.certificate_error)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return Reason.DNS, "the name does not resolve"
    if isinstance(error, aiohttp.ClientConnectorError):
        return connection_error(error.os_error)
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientPayloadError):
        return Reason.RESET, "the connection was closed before the answer was complete"
    if isinstance(error, aiohttp.ClientOSError):
        return connection_error(error)
    if isinstance(error, aiohttp.ClientResponseError | aiohttp.ClientError | ValueError):
        return Reason.PROTOCOL, "what answers speaks no proper HTTP"
    return connection_error(error)
