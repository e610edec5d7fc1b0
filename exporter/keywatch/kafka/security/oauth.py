"""Where access tokens come from: a server, by a client's credentials (RFC 6749, 4.4), or a file."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import time
from base64 import b64encode, urlsafe_b64decode
from collections.abc import Callable, Mapping
from typing import Protocol

import aiohttp

from keywatch.config.secret import Secret
from keywatch.engine.deadline import Deadline
from keywatch.net.resolver import HttpResolver, Resolver
from keywatch.surfaces import without_secrets

# A token is renewed when this share of its life is over, so that a server that is down for a while does no harm.
_RENEW_AT = 0.8
_LONGEST_ANSWER = 65_536


# How long a token is taken to be good that does not say so itself, until its file is looked at again.
_GOOD_FOR = 60.0
_LONGEST_CLAIMS = 16_384


class TokenError(Exception):
    """No token was given; the text says why and holds no secret."""


class Tokens(Protocol):
    """What gives a token that is good now."""

    async def token(self, timeout: float) -> str:
        """Return it within `timeout` seconds; raises `TokenError`."""

    def drop(self) -> None:
        """Drop the token at hand, because a broker refused it."""


class TokenFile:
    """A token that somebody else renews in a file; what stands there counts, good or not: the broker says which."""

    def __init__(self, secret: Secret) -> None:
        self._secret = secret

    async def token(self, timeout: float) -> str:
        """Return what stood in the file when it was last looked at."""
        del timeout
        return self._secret.current()

    def drop(self) -> None:
        """Do nothing: the file is looked at when it changes."""

    def for_client(self, extensions: Mapping[str, str], _: str) -> tuple[str, float, str, dict[str, str]]:
        """Return it as librdkafka asks for it: with the Unix time of its end, the principal, and extensions."""
        token = self._secret.current()
        return token, min(ends_at(token), time.time() + _GOOD_FOR), "", dict(extensions)


def ends_at(token: str) -> float:
    """Return when a token ends by its own word (RFC 7519, `exp`), in Unix time; infinity where it says nothing."""
    claims = token.split(".")[1:2]
    try:
        text = claims[0][:_LONGEST_CLAIMS]
        found = json.loads(urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        return float(found["exp"])
    except (IndexError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return float("inf")


class TokenSource:
    """One client's token, fetched from `url` when there is none or the one at hand grows old."""

    def __init__(
        self,
        url: str,
        client_id: str,
        secret: Secret,
        *,
        scope: str | None = None,
        context: Callable[[], ssl.SSLContext] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._shown = without_secrets(url)
        self._client_id = client_id
        self._secret = secret
        self._scope = scope
        self._context = context
        self._clock = clock
        self._token = ""
        self._version = -1
        self._renew_at = self._ends_at = float("-inf")
        self._lock = asyncio.Lock()
        self._resolver = Resolver(flags=socket.AI_ADDRCONFIG)

    async def token(self, timeout: float) -> str:
        """Return a token that is good now, within `timeout` seconds; raises `TokenError`.

        Who asks while a token is being fetched waits for it, and for no longer than its own deadline.
        """
        secret = self._secret.current()
        deadline = Deadline(timeout)
        try:
            async with asyncio.timeout(timeout):
                await self._lock.acquire()
        except TimeoutError:
            raise TokenError(f"{self._shown} did not answer in {timeout:.3g} s") from None
        try:
            now = self._clock()
            if now < self._renew_at and self._version == self._secret.version:
                return self._token
            try:
                token, life = await self._fetch(secret, max(deadline.left, 0.001))
            except TokenError:
                if now < self._ends_at and self._version == self._secret.version:
                    return self._token
                raise
            self._token, self._version = token, self._secret.version
            self._renew_at, self._ends_at = now + life * _RENEW_AT, now + life
            return token
        finally:
            self._lock.release()

    def drop(self) -> None:
        """Drop the token at hand, because a broker refused it."""
        self._renew_at = self._ends_at = float("-inf")

    async def _fetch(self, secret: str, timeout: float) -> tuple[str, float]:
        form = {"grant_type": "client_credentials"}
        if self._scope:
            form["scope"] = self._scope
        limits = aiohttp.ClientTimeout(total=timeout)
        try:
            async with (
                aiohttp.ClientSession(
                    timeout=limits,
                    connector=aiohttp.TCPConnector(use_dns_cache=False, resolver=HttpResolver(self._resolver)),
                ) as session,
                session.post(
                    self._url,
                    data=form,
                    headers={"Authorization": f"Basic {b64encode(f'{self._client_id}:{secret}'.encode()).decode()}"},
                    ssl=self._context() if self._context is not None else True,
                    allow_redirects=False,
                ) as answer,
            ):
                status, body = answer.status, await answer.content.read(_LONGEST_ANSWER)
        except TimeoutError:
            raise TokenError(f"{self._shown} did not answer in {timeout:.3g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise TokenError(f"{self._shown}: {type(error).__name__}") from None
        if status != 200:
            raise TokenError(f"{self._shown} answered with status {status}")
        try:
            found = json.loads(body)
            return str(found["access_token"]), float(found.get("expires_in", 300))
        except (ValueError, KeyError, TypeError, AttributeError):
            raise TokenError(f"{self._shown} did not answer with a token") from None
