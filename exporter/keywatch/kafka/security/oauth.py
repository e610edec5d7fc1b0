"""Access tokens: what gives one that is good now, and one that somebody else renews in a file."""

from __future__ import annotations

import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from typing import Protocol

from keywatch.config.secret import Secret

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

    def for_client(self, extensions: Mapping[str, str], _: str) -> tuple[str, float, str, dict[str, str]]:
        """Return it as librdkafka asks for it on a thread of its own, which may have to wait; raises `TokenError`.

        That is with the Unix time of its end, the principal, and extensions.
        """


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
