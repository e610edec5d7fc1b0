"""Access tokens that a server gives to a client that proves who it is (RFC 6749, 4.4), one for all who ask."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import aiohttp

from keywatch.engine.deadline import Deadline
from keywatch.engine.threads import Threads
from keywatch.kafka.security.client_proof import ClientProof, Proof
from keywatch.kafka.security.oauth import TokenError
from keywatch.net.resolver import HttpResolver, Resolver
from keywatch.surfaces import without_secrets

# A token is renewed when this share of its life is over, so that a server that is down for a while does no harm.
_RENEW_AT = 0.8
_LONGEST_ANSWER = 65_536
_GOOD_FOR = 300.0  # where the server does not say
_LONGEST_LIFE = 86_400.0
# What a client of librdkafka waits for.
_WITHIN = 10.0
# How long after a failure the server is asked again for such a client: it asks again by itself, and so do others.
_AGAIN_AFTER = 1.0
# RFC 6749, 5.2: the only words of a refusal that are repeated.
_ERRORS = frozenset(
    {
        *("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client"),
        *("unsupported_grant_type", "invalid_scope", "invalid_target"),
    }
)


@dataclass(frozen=True, slots=True)
class _Held:
    """A token and when it is to be renewed and ends, by the source's clock."""

    token: str
    version: int
    renew_at: float
    ends_at: float


_NONE = _Held("", -1, float("-inf"), float("-inf"))


class TokenServer:
    """One client's token, fetched from `url` when there is none or the one at hand grows old."""

    def __init__(
        self,
        url: str,
        client: ClientProof,
        *,
        scope: str | None = None,
        audience: str | None = None,
        context: Callable[[], ssl.SSLContext] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._shown = without_secrets(url)
        self._client = client
        wishes = {"grant_type": "client_credentials", "scope": scope, "audience": audience}
        self._form = {key: value for key, value in wishes.items() if value}
        self._context = context
        self._clock = clock
        self._held = _NONE
        self._ways = _Ways()
        self._lock = asyncio.Lock()
        self._clients_lock = threading.Lock()
        self._clients_ways = _Ways()
        self._failed_at = float("-inf")
        self._failure = ""

    async def token(self, timeout: float) -> str:
        """Return a token that is good now, within `timeout` seconds; raises `TokenError`.

        Who asks while a token is being fetched waits for it, and for no longer than its own deadline.
        """
        deadline = Deadline(timeout)
        try:
            async with asyncio.timeout(timeout):
                await self._lock.acquire()
        except TimeoutError:
            raise TokenError(f"{self._shown} did not answer in {timeout:.3g} s") from None
        try:
            return (self._young() or await self._renewed(max(deadline.left, 0.001), self._ways)).token
        finally:
            self._lock.release()

    def for_client(self, extensions: Mapping[str, str], _: str) -> tuple[str, float, str, dict[str, str]]:
        """Return it as librdkafka asks for it on a thread of its own, where it waits; raises `TokenError`."""
        with self._clients_lock:
            held = self._young()
            if held is None:
                if self._clock() - self._failed_at < _AGAIN_AFTER:
                    raise TokenError(self._failure)
                try:
                    held = asyncio.run(self._renewed(_WITHIN, self._clients_ways))
                except TokenError as error:
                    self._failed_at, self._failure = self._clock(), str(error)
                    raise
        return held.token, time.time() + held.ends_at - self._clock(), "", dict(extensions)

    def drop(self) -> None:
        """Drop the token at hand, because a broker refused it."""
        self._held = _NONE

    def _young(self) -> _Held | None:
        held = self._held
        young = self._clock() < held.renew_at and held.version == self._client.version
        return held if young else None

    async def _renewed(self, timeout: float, ways: _Ways) -> _Held:
        """Fetch a token, or give the one at hand while it is good; raises `TokenError`."""
        now, version, held = self._clock(), self._client.version, self._held
        try:
            token, life = await self._fetch(timeout, ways)
        except TokenError:
            if now < held.ends_at and held.version == version and self._held is held:
                return held
            raise
        self._held = _Held(token, version, now + life * _RENEW_AT, now + life)
        return self._held

    async def _fetch(self, timeout: float, ways: _Ways) -> tuple[str, float]:
        deadline = Deadline(timeout)
        proof = await self._proof(timeout, ways)
        limits = aiohttp.ClientTimeout(total=max(deadline.left, 0.001))
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=limits,
                    connector=aiohttp.TCPConnector(use_dns_cache=False, resolver=HttpResolver(ways.resolver)),
                ) as session,
                session.post(
                    self._url,
                    data={**self._form, **proof.form},
                    headers=proof.headers,
                    ssl=self._context() if self._context is not None else True,
                    allow_redirects=False,
                ) as answer,
            ):
                status, body = answer.status, await _whole(answer.content)
        except TimeoutError:
            raise TokenError(f"{self._shown} did not answer in {timeout:.3g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise TokenError(f"{self._shown}: {type(error).__name__}") from None
        if status != 200:
            raise TokenError(f"{self._shown} answered with status {status}{_refusal(body)}")
        try:
            found = json.loads(body)
            token, life = str(found["access_token"]), float(found.get("expires_in", _GOOD_FOR))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
            raise TokenError(f"{self._shown} did not answer with a token") from None
        if not life > 0:
            raise TokenError(f"{self._shown} answered with a token that has ended")
        return token, min(life, _LONGEST_LIFE)

    async def _proof(self, timeout: float, ways: _Ways) -> Proof:
        """Have the client prove who it is, on a thread: signing takes milliseconds."""
        try:
            async with asyncio.timeout(timeout):
                return await ways.threads.call(self._client.proof)
        except TimeoutError:
            raise TokenError(f"{self._shown} did not answer in {timeout:.3g} s") from None
        except OSError as error:
            raise TokenError(f"{self._shown} was not asked: no thread to sign on: {error.strerror}") from None


class _Ways:
    """What a fetch needs that belongs to one event loop at a time."""

    def __init__(self) -> None:
        self.resolver = Resolver(flags=socket.AI_ADDRCONFIG)
        self.threads = Threads(1)


async def _whole(content: aiohttp.StreamReader) -> bytes:
    """Read an answer to its end, or as much of it as is taken in: it may come in pieces."""
    body = b""
    while len(body) < _LONGEST_ANSWER and (piece := await content.read(_LONGEST_ANSWER - len(body))):
        body += piece
    return body


def _refusal(body: bytes) -> str:
    """Return the error that a refusal names (RFC 6749, 5.2), and nothing else of it."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return f" ({error})" if isinstance(error, str) and error in _ERRORS else ""
