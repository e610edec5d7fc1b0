"""What both official clients speak through: one question over the connections of an `HttpPeer`, and its promises."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeVar

from keywatch.elastic.errors import RETRIED, RefusedError, error_of
from keywatch.engine.probe import ProbeError, Reason
from keywatch.net.http_peer import Answer, HttpPeer

_T = TypeVar("_T")
_MOST_BYTES = 16 * 1024 * 1024
_LONGEST_PAUSE = 10.0


@dataclass(frozen=True, slots=True)
class _Terms:
    """On which terms a question is asked."""

    timeout: float
    explain: bool


# Clients have no way of their own from a call down to their connection, but for one that makes a whole client anew.
_TERMS: ContextVar[_Terms] = ContextVar("terms")


class Wire:
    """The way to one server. A question that is refused for the moment is asked `retries` more times, ever later.

    Nothing of a refusal reaches a client, whose errors would carry it: those that come out are named already.
    """

    def __init__(self, peer: HttpPeer, *, retries: int = 0, first_pause: float = 0.5) -> None:
        self.peer = peer
        self._retries = retries
        self._first_pause = first_pause

    async def send(
        self,
        method: str,
        path: str,
        timeout: float,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask, each try for `timeout` seconds, and return the answer of any status; raises `ProbeError` for none."""
        pause = self._first_pause
        for left in range(self._retries, -1, -1):
            answer = await self.peer.ask(method, path, timeout, _MOST_BYTES, json=data, headers=headers)
            blocked = answer.status >= 400 and error_of(answer, "").blocked
            if not left or answer.status not in RETRIED or blocked:
                break
            await asyncio.sleep(min(_asked_pause(answer) or pause, _LONGEST_PAUSE))
            pause *= 2
        return answer

    async def carry(
        self, method: str, target: str, data: bytes | None, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Ask on the terms of the call under way, for a client's lowest layer; `target` begins with a slash.

        Raises `RefusedError` for a status of 400 or more, `ProbeError` for what comes before an answer.
        """
        terms = _TERMS.get()
        path = target.removeprefix("/")
        answer = await self.send(method, path, terms.timeout, data, headers)
        if answer.status >= 400:
            raise self.refusal(answer, method, path, explain=terms.explain)
        return answer

    def refusal(self, answer: Answer, method: str, path: str, *, explain: bool = False) -> RefusedError:
        """Word an answer of status 400 or more."""
        return error_of(answer, f"{method} {self.peer.url}/{path.partition('?')[0]}", explain=explain)

    def read(self, body: bytes) -> dict[str, Any]:
        """Read an answer's body; raises `ProbeError` for what is no JSON object."""
        try:
            found = json.loads(body)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict):
            words = "the answer is not a JSON object: a proxy, or another product"
            raise ProbeError(Reason.PROTOCOL, f"{self.peer.url}: {words}")
        return found


class Call:
    """Has a client ask within what was given to a call."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout

    async def __call__(self, question: Awaitable[_T], *, explain: bool = False) -> _T:
        """Await a client's coroutine, each try of which gets the time; `explain` has the server's own words told.

        Leave `explain` off where these may quote a document.
        """
        token = _TERMS.set(_Terms(self._timeout, explain))
        try:
            return await question
        finally:
            _TERMS.reset(token)


def _asked_pause(answer: Answer) -> float | None:
    """Return the seconds after which the server wants to be asked again, if it says so."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None
