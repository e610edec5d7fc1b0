"""Has who answers at an address prove to be the broker of the cluster that is meant."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable

from keywatch.engine.probe import Reason
from keywatch.kafka.connection import BrokerConnection, BrokerError, protocol_errors
from keywatch.kafka.errors import CLUSTER_AUTHORIZATION_FAILED, INVALID_REQUEST, REBOOTSTRAP_REQUIRED
from keywatch.kafka.membership import Claim, Membership, told
from keywatch.kafka.wire import identity, requests

REASONS = frozenset({Reason.OTHER_CLUSTER, Reason.OTHER_BROKER})
"""Why somebody who answers is not the one that was meant."""
_MAX_VERSIONS_BYTES = 64 * 1024
# What ConfigHelper of Kafka 2.4 to 4.4 says to a question about another broker's settings.
_UNEXPECTED = re.compile(r"Unexpected broker id, expected (-?\d{1,10})")
# A right that is missing is logged by brokers each time it is tried.
_ASK_AGAIN_AFTER = 600.0


async def prove(
    membership: Membership,
    connection: BrokerConnection,
    claim: Claim,
    timeout: float,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Have who answers prove within `timeout` seconds to be the one that is meant; raises `BrokerError`.

    From Kafka 4.4 on ApiVersions does it (KIP-1242). Before, Metadata tells the cluster, and each broker describes its
    own settings only; where these may not be described, a broker is taken at its address.
    """
    if not membership.cluster_id:
        return
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout

    def left() -> float:
        return max(deadline - loop.time(), 0.001)

    broker = claim.broker if membership.check_brokers else None
    code = -1
    if broker is not None and _speaks(connection, identity.API_VERSIONS, identity.NAMES_VERSION):
        request = identity.api_versions_of(membership.cluster_id, broker)
        reader = await connection.ask(request, left(), _MAX_VERSIONS_BYTES)
        with protocol_errors(connection, connection.endpoint):
            code = reader.int16()
    if code != 0 and _speaks(connection, requests.METADATA, 8):
        metadata = await connection.request(requests.metadata(()), left(), requests.read_metadata)
        if not membership.admits(metadata.cluster_id):
            connection.close()
            raise other_cluster(membership, claim.label, metadata.cluster_id)
    membership.cleared(claim.label)
    if code == REBOOTSTRAP_REQUIRED:
        raise _other_broker(connection, broker, "")
    tried = membership.without_right.get(claim.label, float("-inf"))
    if code != 0 and broker is not None and clock() - tried >= _ASK_AGAIN_AFTER:
        await _describe(membership, connection, claim.label, broker, left(), clock)


async def _describe(
    membership: Membership,
    connection: BrokerConnection,
    label: str,
    broker: int,
    timeout: float,
    clock: Callable[[], float],
) -> None:
    """Ask a broker of before Kafka 4.4 for a setting of its own; raises `BrokerError` when it is another one's."""
    if not _speaks(connection, requests.DESCRIBE_CONFIGS, 1):
        return
    request = identity.describe_broker(broker)
    error, words = await connection.request(request, timeout, identity.read_describe_broker)
    if error == CLUSTER_AUTHORIZATION_FAILED:
        membership.without_right[label] = clock()
    elif error == INVALID_REQUEST and (found := _UNEXPECTED.match(words)) is not None:
        raise _other_broker(connection, broker, found[1])


def other_cluster(membership: Membership, label: str, cluster_id: str) -> BrokerError:
    """Record that another cluster answers at an address, and return the error that says so."""
    membership.met(label, cluster_id)
    words = f"it answers as cluster {told(cluster_id)}, but {membership.cluster_id} is watched"
    return BrokerError(Reason.OTHER_CLUSTER, words)


def _speaks(connection: BrokerConnection, api: int, version: int) -> bool:
    low, high = connection.versions.get(api, (0, -1))
    return low <= version <= high


def _other_broker(connection: BrokerConnection, meant: int | None, found: str) -> BrokerError:
    connection.close()
    who = f"broker {found}" if found else "another broker"
    return BrokerError(Reason.OTHER_BROKER, f"{connection.endpoint}: {who} answers at the address of broker {meant}")
