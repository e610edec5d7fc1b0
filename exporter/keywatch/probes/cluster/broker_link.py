"""A broker's connection, and the proof that it leads to the broker that is meant, which a slow one may give later."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from keywatch.config.endpoint import Endpoint
from keywatch.engine import supervised
from keywatch.engine.supervised import Part
from keywatch.kafka.connection import BrokerConnection, BrokerError, Security, connect
from keywatch.kafka.membership import Claim, Membership
from keywatch.kafka.proof import REASONS, prove
from keywatch.net.resolver import SHARED, Resolver

# What is left of the deadline when a connection is taken as it is: it came late, and the proof comes later still.
_IN_HAND = 0.1
_LEAST = 0.05
# The part of the deadline after which a first answer is slow.
_SLOW = 0.2


@dataclass(eq=False, slots=True)
class BrokerLink:
    """An open connection, and its proof of identity, which may be under way."""

    connection: BrokerConnection
    proof: asyncio.Future[None]
    rest: float = 0.0
    """For how many seconds the broker's last answer asked to be left alone."""
    rests_until: float = 0.0

    def disproved(self) -> BrokerError | None:
        """Return the error that says who answers there instead; None as long as nobody else was found."""
        if not self.proof.done() or self.proof.cancelled():
            return None
        error = self.proof.exception()
        return error if isinstance(error, BrokerError) and error.reason in REASONS else None

    def close(self) -> None:
        """Close the connection."""
        self.proof.cancel()
        self.connection.close()


async def open_link(
    endpoint: Endpoint,
    timeout: float,
    security: Security | None,
    membership: Membership,
    claim: Claim,
    *,
    resolver: Resolver = SHARED,
    answer_within: float,
    proven: bool = False,
) -> BrokerLink:
    """Open a connection within `timeout` seconds and have it proven; raises `BrokerError`.

    Answers have `answer_within` seconds in all. A broker that needs most of them for the first one is slow, not another
    one: its proof goes on beside, and is looked at again by `BrokerLink.disproved`. Where it was `proven` lately, a
    slow one is not asked again, because what keeps it busy would make the next answer wait as well.
    """
    loop = asyncio.get_running_loop()
    started = loop.time()
    connection = await connect(endpoint, timeout, security, resolver=resolver, answer_within=answer_within)
    proof: asyncio.Future[None]
    if proven and connection.first_answer > answer_within * _SLOW:
        proof = loop.create_future()
        proof.set_result(None)
        return BrokerLink(connection, proof)
    proof = supervised.task(Part.QUESTION, prove(membership, connection, claim, answer_within), "proof", (BrokerError,))
    link = BrokerLink(connection, proof)
    try:
        left = answer_within - (loop.time() - started) - _IN_HAND
        await asyncio.wait([proof], timeout=max(left, _LEAST))
    except asyncio.CancelledError:
        link.close()
        raise
    if proof.done():
        proof.result()
    return link
