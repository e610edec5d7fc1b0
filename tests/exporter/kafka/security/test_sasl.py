"""What a broker may ask of keywatch when it proves who it is, and what it may not."""

from __future__ import annotations

import asyncio
import hashlib
import re
import threading
from collections.abc import Callable

import pytest
from pydantic import SecretStr

from keywatch.config.secret import Secret
from keywatch.engine.probe import Reason
from keywatch.kafka.connection import BrokerError, connect
from keywatch.kafka.security.sasl import Exchange, Scram
from tests.exporter.fakes.fake_broker import FakeBroker, listening
from tests.exporter.waiting import until

HANDSHAKE, AUTHENTICATE = 17, 36
SALT = "QSXCR+Q6sek8bf92"


def scram() -> Scram:
    return Scram("SCRAM-SHA-256", Secret(SecretStr("keywatch"), None, None), Secret(SecretStr("secret"), None, None))


class Saying(FakeBroker):
    """A broker whose first word of SCRAM is `first` of the client's nonce, and that takes any proof."""

    def __init__(self, first: Callable[[str], str]) -> None:
        super().__init__()
        self.first = first
        self.proofs = 0
        self.answers = {HANDSHAKE: lambda _: bytes.fromhex("0000 00000000"), AUTHENTICATE: self.authenticate}

    def authenticate(self, body: bytes) -> bytes:
        """Answer a message of SCRAM."""
        text = body[4:].decode()
        if text.startswith("n,,"):
            nonce = re.search("r=([^,]+)", text)
            assert nonce is not None
            said = self.first(nonce[1]).encode()
            return b"\0\0\xff\xff" + len(said).to_bytes(4, "big") + said + bytes(8)
        self.proofs += 1
        return b"\0\x3a\xff\xff" + bytes(4) + bytes(8)  # SASL_AUTHENTICATION_FAILED


async def proves(broker: Saying, timeout: float = 5.0) -> BrokerError:
    async with listening(broker) as endpoint:
        connection = await connect(endpoint, timeout)
        exchange = Exchange(connection, timeout)
        await exchange.greet("SCRAM-SHA-256")
        with pytest.raises(BrokerError) as error:
            await scram().prove(exchange)
        assert not connection.is_open
        return error.value


@pytest.mark.parametrize("rounds", ["9999999", "100001", "4095", "1", "0", "9" * 2000])
async def test_rounds_of_hashing_beyond_what_is_bearable_or_safe_are_refused_unhashed(
    rounds: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[int] = []
    monkeypatch.setattr(hashlib, "pbkdf2_hmac", lambda *_: hashed.append(1))
    broker = Saying(lambda nonce: f"r={nonce}x,s={SALT},i={rounds}")
    error = await proves(broker)
    assert error.reason is Reason.AUTHENTICATION
    assert "rounds of hashing; allowed: 4096 to 100000" in error.detail
    assert not hashed
    assert not broker.proofs


@pytest.mark.parametrize("rounds", ["4096", "100000"])
async def test_rounds_within_the_bounds_are_done(rounds: str) -> None:
    broker = Saying(lambda nonce: f"r={nonce}x,s={SALT},i={rounds}")
    error = await proves(broker)
    assert "the credentials were refused" in error.detail
    assert broker.proofs == 1


@pytest.mark.parametrize(
    "first",
    ["r={0}x,s=!!,i=4096", "garbage", "r={0}x,i=4096", "r={0}x,s=" + SALT + ",i=abc", "r=other,s=" + SALT + ",i=4096"],
)
async def test_what_is_no_word_of_scram_is_a_refusal_with_a_name(first: str) -> None:
    error = await proves(Saying(first.format))
    assert error.reason is Reason.AUTHENTICATION


class Hurried(Exchange):
    """One with time enough for what is sent, and little for what follows an answer."""

    async def send(self, token: bytes) -> bytes:
        """Send a message."""
        answer = await super().send(token)
        self._deadline = self._loop.time() + 0.5
        return answer


async def test_a_proof_that_takes_too_long_ends_in_time_and_only_one_is_worked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    end, begun = threading.Event(), []

    def slow(*_: object) -> bytes:
        begun.append(1)
        end.wait(30)
        return bytes(32)

    monkeypatch.setattr(hashlib, "pbkdf2_hmac", slow)
    credentials = scram()
    async with listening(Saying(lambda nonce: f"r={nonce}x,s={SALT},i=8192")) as endpoint:

        async def prove() -> None:
            connection = await connect(endpoint, 5.0)
            exchange = Exchange(connection, 2.0)  # which greeting takes too, on a machine that is busy
            await exchange.greet("SCRAM-SHA-256")
            await credentials.prove(exchange)

        tries = [asyncio.create_task(prove()) for _ in range(4)]
        await until(lambda: all(one.done() for one in tries), "all end")
        told = [str(one.exception()).partition(": the broker ")[2] for one in tries]
        assert told == ["asks for more rounds of hashing than there is time for"] * 4
        assert len(begun) == 1
        end.set()
