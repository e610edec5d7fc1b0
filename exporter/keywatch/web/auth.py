"""Basic authentication: found with bcrypt on a thread of its own, remembered, and without telling who exists.

A name that nobody has costs the same check as one that somebody has. A pair of name and password is checked once: what
came of it is kept under a keyed digest of the pair and of the hash that it was held against, so that a changed hash
counts at once. Only pairs that were not seen before cost tokens of the address's bucket: a scraper with an old password
neither costs bcrypt all the time nor locks itself out.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple

import bcrypt
from pydantic import SecretStr

from keywatch.engine import supervised
from keywatch.engine.supervised import Part
from keywatch.engine.worker import Worker
from keywatch.web.limits import Refusal
from keywatch.web.throttle import Throttle

_MOST_REMEMBERED = 1024
_BCRYPT_BYTES = 72  # bcrypt reads no more, and the library refuses to be given more


class Admission(NamedTuple):
    """Why somebody is not let in, if so, and after how many seconds to try again."""

    refusal: Refusal | None
    again_after: float = 0.0


_WELCOME = Admission(None)
_WRONG = Admission(Refusal.UNAUTHORIZED)


class BasicAuth:
    """Checks one password at a time: bcrypt takes a whole processor, which the probes need more."""

    def __init__(
        self, throttle: Throttle, most_checks: int, verify: Callable[[bytes, bytes], bool] = bcrypt.checkpw
    ) -> None:
        self._throttle = throttle
        self._most_checks = most_checks
        self._verify = verify
        self._secret = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, bool] = OrderedDict()
        self._checks: dict[bytes, asyncio.Task[bool]] = {}
        self._last: dict[str, asyncio.Task[bool]] = {}
        self._worker = Worker("bcrypt", queued=True)  # `most_checks` bounds the calls

    async def judge(self, users: Mapping[str, SecretStr], header: str, address: str) -> Admission:
        """Judge the header `Authorization` of a request from an address."""
        pair = _credentials(header)
        if pair is None:
            return _WRONG
        name, password = pair
        hashed = users[name].get_secret_value() if name in users else self._decoy(users, name)
        digest = self._digest(name.encode(), hashed.encode(), password)
        good = self._known.get(digest)
        if good is None:
            check = self._checks.get(digest)
            if check is None:
                if len(self._checks) >= self._most_checks:
                    return Admission(Refusal.CROWDED, 1.0)
                if wait := self._throttle.acquire(address):
                    return Admission(Refusal.THROTTLED, wait)
                work = self._check(digest, hashed.encode(), password, address, self._last.get(address))
                check = self._checks[digest] = self._last[address] = supervised.task(Part.PASSWORD, work)
            good = await asyncio.shield(check)
        else:
            self._known.move_to_end(digest)
        return _WELCOME if good and name in users else _WRONG

    def close(self) -> None:
        """Let the thread end; does not wait."""
        self._worker.end()

    async def _check(
        self, digest: bytes, hashed: bytes, password: bytes, address: str, before: asyncio.Task[bool] | None
    ) -> bool:
        try:
            # One at a time of each address: who tries many passwords waits behind himself, not others behind him.
            if before is not None:
                await asyncio.wait([before])
            good = await self._worker.call(partial(self._verify, password[:_BCRYPT_BYTES], hashed))
        finally:
            del self._checks[digest]
            if self._last.get(address) is asyncio.current_task():
                del self._last[address]
        if good:
            self._throttle.give_back(address)
        self._known[digest] = good
        if len(self._known) > _MOST_REMEMBERED:
            # Guesses push out guesses before they push out who was let in.
            wrong = next((key for key, value in self._known.items() if not value), next(iter(self._known)))
            del self._known[wrong]
        return good

    def _digest(self, *parts: bytes) -> bytes:
        framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hmac.digest(self._secret, framed, hashlib.sha256)

    def _decoy(self, users: Mapping[str, SecretStr], name: str) -> str:
        """Return a hash that no password fits, as costly as that of some user: always the same one for a name."""
        costs = sorted(user.get_secret_value()[4:6] for user in users.values())
        place = int.from_bytes(self._digest(name.encode())[:8], "big") % len(costs)
        return f"$2b${costs[place]}${'.' * 53}"


def _credentials(header: str) -> tuple[str, bytes] | None:
    """Read name and password; None when there are none or they cannot be read."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        return (name.decode(), password) if colon else None
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None
