"""Proves who keywatch is on a raw connection: SaslHandshake, then SaslAuthenticate (KIP-43, KIP-152)."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol, TypeVar

from scramp import ScramClient, ScramException

from keywatch.config.secret import Secret
from keywatch.engine.probe import Reason
from keywatch.engine.threads import Threads
from keywatch.kafka.connection import BrokerConnection, BrokerError
from keywatch.kafka.errors import ILLEGAL_SASL_STATE, SASL_AUTHENTICATION_FAILED, UNSUPPORTED_SASL_MECHANISM, name_of
from keywatch.kafka.security.oauth import TokenError, Tokens
from keywatch.kafka.wire.codec import Reader, Writer
from keywatch.kafka.wire.request import Request

HANDSHAKE, AUTHENTICATE = 17, 36
_T = TypeVar("_T")
# The part of a session's life (KIP-368) after which a connection is replaced rather than asked again.
_RENEW_AT = 0.8
# Rounds of hashing: Kafka has 4,096 (with fewer a password is easily guessed, RFC 7677) to 16,384. The most that are
# done here take less than a tenth of a second.
_LEAST_ROUNDS, _MOST_ROUNDS = 4096, 100_000
_ROUNDS = re.compile(r",i=([0-9]+)(?:,|$)")
_DIGITS = 12


class Credentials(Protocol):
    """One way to prove it."""

    mechanism: str

    async def prove(self, exchange: Exchange) -> None:
        """Send what the broker asks for; raises `BrokerError`."""

    def version(self) -> tuple[int, ...]:
        """Return what changes when a secret changes."""


class Exchange:
    """One SASL dialogue on one connection, all of it within `timeout` seconds from now on."""

    def __init__(self, connection: BrokerConnection, timeout: float) -> None:
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._deadline = self._loop.time() + timeout

    @property
    def left(self) -> float:
        """The seconds that are left."""
        return max(self._deadline - self._loop.time(), 0.001)

    def refused(self, words: str) -> BrokerError:
        """Close the connection and give the error that says why."""
        self._connection.close()
        return BrokerError(Reason.AUTHENTICATION, f"{self._connection.endpoint}: {words}")

    async def greet(self, mechanism: str) -> None:
        """Agree on the mechanism; raises `BrokerError`."""
        error, offered = await self._ask(Request(HANDSHAKE, 1, False, Writer().string(mechanism).done()), _handshake)
        if error == UNSUPPORTED_SASL_MECHANISM:
            raise self.refused(f"the broker does not offer {mechanism}, but {', '.join(offered) or 'nothing'}")
        if error == ILLEGAL_SASL_STATE:
            raise self.refused("this listener does not ask for SASL")
        if error:
            raise self.refused(f"SaslHandshake: {name_of(error)}")

    async def send(self, token: bytes) -> bytes:
        """Send one message of the mechanism and give the broker's; raises `BrokerError`."""
        version = min(self._connection.versions.get(AUTHENTICATE, (0, 0))[1], 1)
        body = len(token).to_bytes(4, "big", signed=True) + token
        answer = await self._ask(Request(AUTHENTICATE, version, False, body), lambda r: _authenticated(r, version))
        if answer.error == SASL_AUTHENTICATION_FAILED:
            raise self.refused(f"the credentials were refused: {answer.words or name_of(answer.error)}")
        if answer.error:
            raise self.refused(f"SaslAuthenticate: {name_of(answer.error)}")
        if answer.life > 0:
            self._connection.expires = time.monotonic() + answer.life * _RENEW_AT
        return answer.token

    async def _ask(self, request: Request, read: Callable[[Reader], _T]) -> _T:
        return await self._connection.request(request, self.left, read)


class _Answer(NamedTuple):
    error: int
    words: str
    token: bytes
    life: float


def _handshake(reader: Reader) -> tuple[int, list[str]]:
    return reader.int16(), reader.array(reader.string)


def _authenticated(reader: Reader, version: int) -> _Answer:
    error, words = reader.int16(), reader.string()
    size = reader.int32()
    token = reader.raw(size) if size > 0 else b""
    return _Answer(error, words, token, reader.int64() / 1000 if version >= 1 else 0.0)


class Plain:
    """User and password in the clear (RFC 4616): for TLS listeners only."""

    mechanism = "PLAIN"

    def __init__(self, username: Secret, password: Secret) -> None:
        self._username, self._password = username, password

    async def prove(self, exchange: Exchange) -> None:
        """Send both; raises `BrokerError`."""
        await exchange.send(f"\0{self._username.current()}\0{self._password.current()}".encode())

    def version(self) -> tuple[int, ...]:
        """Return what changes when a secret changes."""
        return _versions(self._username, self._password)


class Scram:
    """A proof that does not show the password (RFC 5802), and the broker's own proof in return."""

    def __init__(self, mechanism: str, username: Secret, password: Secret) -> None:
        self.mechanism = mechanism
        self._username, self._password = username, password
        self._hashing = Threads(1)

    async def prove(self, exchange: Exchange) -> None:
        """Run the dialogue; raises `BrokerError`, also when the broker does not know the password itself."""
        try:
            client = ScramClient([self.mechanism], self._username.current(), self._password.current())
            first = (await exchange.send(client.get_client_first().encode())).decode()
            # The broker chooses how many rounds of hashing: no more than bearable, because rounds that nobody waits for
            # any more go on, and on a thread of these credentials, so that nothing else waits for them.
            asked = _ROUNDS.search(first)
            if asked is not None and not (len(asked[1]) < _DIGITS and _LEAST_ROUNDS <= int(asked[1]) <= _MOST_ROUNDS):
                words = f"asks for {asked[1][:_DIGITS]} rounds of hashing; allowed: {_LEAST_ROUNDS} to {_MOST_ROUNDS}"
                raise exchange.refused(f"{self.mechanism}: the broker {words}")
            client.set_server_first(first)
            if asked is None:  # found by the library alone: nothing to be hashed on trust
                raise exchange.refused(f"{self.mechanism}: the broker names no rounds of hashing")
            final = await asyncio.wait_for(self._hashing.call(client.get_client_final), exchange.left)
            client.set_server_final((await exchange.send(final.encode())).decode())
        except TimeoutError:
            raise exchange.refused("the broker asks for more rounds of hashing than there is time for") from None
        except ScramException as error:
            raise exchange.refused(f"{self.mechanism}: {error}") from None
        except (ValueError, LookupError):  # no UTF-8, no Base64, or a part that is missing
            raise exchange.refused(f"{self.mechanism}: the broker's answer is not what the mechanism says") from None

    def version(self) -> tuple[int, ...]:
        """Return what changes when a secret changes."""
        return _versions(self._username, self._password)


class OAuthBearer:
    """An access token (RFC 7628, KIP-255)."""

    mechanism = "OAUTHBEARER"

    def __init__(self, source: Tokens, extensions: Mapping[str, str]) -> None:
        """Take where tokens come from, and what goes with them."""
        self._source = source
        self._pairs = "".join(f"\x01{name}={value}" for name, value in extensions.items())

    async def prove(self, exchange: Exchange) -> None:
        """Fetch a token when there is none, and send it; raises `BrokerError`."""
        try:
            token = await self._source.token(exchange.left)
        except TokenError as error:
            raise exchange.refused(f"no token: {error}") from None
        try:
            answer = await exchange.send(f"n,,\x01auth=Bearer {token}{self._pairs}\x01\x01".encode())
            if answer:  # the broker's reason, which the client has to acknowledge before the refusal comes
                await exchange.send(b"\x01")
                raise exchange.refused("the token was refused")
        except BrokerError as error:
            if error.reason is Reason.AUTHENTICATION:
                self._source.drop()
            raise

    def version(self) -> tuple[int, ...]:
        """Return nothing: clients are handed tokens as they change."""
        return ()


def _versions(*secrets: Secret) -> tuple[int, ...]:
    return tuple(secret.version for secret in secrets)
