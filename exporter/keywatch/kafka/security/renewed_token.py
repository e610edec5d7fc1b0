"""A token that some blocking call gives, asked for once for all who want it, and again when it grows old."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping

from keywatch.engine.threads import Threads
from keywatch.kafka.security.oauth import TokenError

# What a client of librdkafka waits for, which asks on a thread of its own.
_WITHIN = 10.0
_SLACK = 0.1  # so that it is the call that is blamed, with what it did
_RENEW_AT = 0.8
# How long after one call the next may begin: each broker asks again and again while it refuses, or the call fails.
_AGAIN_AFTER = 1.0
# How long a token is kept that does not say when it ends.
_GOOD_FOR = 60.0
_LONGEST_LIFE = 86_400.0


class RenewedToken:
    """What the call gave last, until most of the token's life is over; it is made for one who asks at a time."""

    def __init__(
        self, name: str, obtain: Callable[[float], tuple[str, float]], clock: Callable[[], float] = time.time
    ) -> None:
        """Take what errors call it, and what gives a token within so many seconds and when it ends (Unix time).

        That is infinity for a token that does not say so; it raises `TokenError`.
        """
        self._name = name
        self._obtain = obtain
        self._clock = clock
        self._token = ""
        self._renew_at = self._ends_at = float("-inf")
        self._again_at = float("-inf")
        self._failure = ""
        self._lock = threading.Lock()
        self._threads = Threads(1)

    async def token(self, timeout: float) -> str:
        """Return a token that is good now, within `timeout` seconds; raises `TokenError`."""
        if self._clock() < self._renew_at:
            return self._token
        try:
            return await asyncio.wait_for(self._threads.call(lambda: self._renewed(timeout)), timeout + _SLACK)
        except TimeoutError:
            raise self._late(timeout) from None
        except OSError as error:
            raise TokenError(f"{self._name}: no thread for it: {error.strerror}") from None

    def drop(self) -> None:
        """Drop the token at hand, because a broker refused it."""
        self._renew_at = self._ends_at = float("-inf")

    def for_client(self, extensions: Mapping[str, str], _: str) -> tuple[str, float, str, dict[str, str]]:
        """Return it as librdkafka asks for it: with the Unix time of its end, the principal, and extensions."""
        return self._renewed(_WITHIN), self._ends_at, "", dict(extensions)

    def _renewed(self, timeout: float) -> str:
        """Return the token at hand, or ask for one; a failure leaves in force what is still good."""
        if not self._lock.acquire(timeout=timeout):
            raise self._late(timeout)
        try:
            if self._clock() >= max(self._renew_at, self._again_at):
                self._ask(timeout)
            if self._failure and self._clock() >= self._ends_at:
                raise TokenError(self._failure)
            return self._token
        finally:
            self._lock.release()

    def _ask(self, timeout: float) -> None:
        try:
            (token, end), self._failure = self._obtain(timeout), ""
        except TokenError as error:
            self._failure = str(error)
        else:
            now = self._clock()
            life = min(end - now, _LONGEST_LIFE) if end < float("inf") else _GOOD_FOR
            self._token, self._ends_at = token, now + life
            self._renew_at = now + life * _RENEW_AT
        self._again_at = self._clock() + _AGAIN_AFTER

    def _late(self, timeout: float) -> TokenError:
        return TokenError(f"{self._name} gave no token in {timeout:.3g} s")
