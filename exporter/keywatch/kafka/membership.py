"""Which cluster is meant, and whether who answers at an address is the broker of it that should."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from typing import NamedTuple

from keywatch.engine.probe import Reason
from keywatch.kafka.connection import BrokerConnection, BrokerError, protocol_errors
from keywatch.kafka.errors import CLUSTER_AUTHORIZATION_FAILED, INVALID_REQUEST, REBOOTSTRAP_REQUIRED
from keywatch.kafka.wire import identity, requests

REASONS = frozenset({Reason.OTHER_CLUSTER, Reason.OTHER_BROKER})
"""Why somebody who answers is not the one that was meant."""
_MAX_VERSIONS_BYTES = 64 * 1024
# Kafka's own ids are 22 letters of base64; what else a stranger calls itself is not shown.
_ID = re.compile(r"[A-Za-z0-9_.-]{1,64}")
# What ConfigHelper of Kafka 2.4 to 4.4 says to a question about another broker's settings.
_UNEXPECTED = re.compile(r"Unexpected broker id, expected (-?\d{1,10})")
# A right that is missing is logged by brokers each time it is tried.
_ASK_AGAIN_AFTER = 600.0


class Claim(NamedTuple):
    """Who should answer: the cluster's id, and the broker's where it is known and told apart by its address."""

    label: str
    broker: int | None


class Membership:
    """The id of the cluster that is watched, held from the first answer on, and strangers found at its addresses."""

    def __init__(self, cluster_id: str = "", *, check_brokers: bool = True) -> None:
        self.cluster_id = cluster_id
        """The id that is meant; empty until somebody answered."""
        self.strangers: dict[str, str] = {}
        """The label of each address at which another cluster answered last → that cluster's id."""
        self._configured = bool(cluster_id)
        self.check_brokers = check_brokers
        """Whether brokers must prove their ids."""
        self._without_right: dict[str, float] = {}

    @property
    def replaced(self) -> bool:
        """Whether another cluster answers where the one that was met first was, and nobody said which one is meant."""
        return bool(self.strangers) and not self._configured

    def admits(self, cluster_id: str) -> bool:
        """Return whether an answer of this cluster is one of the cluster that is meant; the first one decides."""
        if not self.cluster_id:
            self.cluster_id = told(cluster_id)
        # Before Kafka 0.10.1 clusters had no id.
        return not cluster_id or told(cluster_id) == self.cluster_id

    def refuse(self, label: str, cluster_id: str) -> BrokerError:
        """Record that another cluster answers at an address, and return the error that says so."""
        self.strangers[label] = told(cluster_id)
        words = f"it answers as cluster {told(cluster_id)}, but {self.cluster_id} is watched"
        return BrokerError(Reason.OTHER_CLUSTER, words)

    async def prove(
        self, connection: BrokerConnection, claim: Claim, timeout: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Have who answers prove within `timeout` seconds to be the one that is meant; raises `BrokerError`.

        From Kafka 4.4 on ApiVersions does it (KIP-1242). Before, Metadata tells the cluster, and each broker describes
        its own settings only; without the right to describe them the broker's word for itself is not asked for.
        """
        if not self.cluster_id:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout

        def left() -> float:
            return max(deadline - loop.time(), 0.001)

        broker = claim.broker if self.check_brokers else None
        code = -1
        if broker is not None and _speaks(connection, identity.API_VERSIONS, identity.NAMES_VERSION):
            request = identity.api_versions_of(self.cluster_id, broker)
            reader = await connection.ask(request, left(), _MAX_VERSIONS_BYTES)
            with protocol_errors(connection, connection.endpoint):
                code = reader.int16()
        if code != 0 and _speaks(connection, requests.METADATA, 8):
            metadata = await connection.request(requests.metadata(()), left(), requests.read_metadata)
            if not self.admits(metadata.cluster_id):
                connection.close()
                raise self.refuse(claim.label, metadata.cluster_id)
        self.strangers.pop(claim.label, None)
        if code == REBOOTSTRAP_REQUIRED:
            connection.close()
            raise _other_broker(connection, broker, "")
        unasked = clock() - self._without_right.get(claim.label, float("-inf")) < _ASK_AGAIN_AFTER
        if code == 0 or broker is None or unasked or not _speaks(connection, requests.DESCRIBE_CONFIGS, 1):
            return
        error, words = await connection.request(identity.describe_broker(broker), left(), identity.read_describe_broker)
        if error == CLUSTER_AUTHORIZATION_FAILED:
            self._without_right[claim.label] = clock()
        elif error == INVALID_REQUEST and (found := _UNEXPECTED.match(words)) is not None:
            connection.close()
            raise _other_broker(connection, broker, found[1])


def told(cluster_id: str) -> str:
    """Return a cluster's id as it may be shown; nobody but a stranger has one of another form."""
    return cluster_id if not cluster_id or _ID.fullmatch(cluster_id) else "(not an id)"


def _speaks(connection: BrokerConnection, api: int, version: int) -> bool:
    low, high = connection.versions.get(api, (0, -1))
    return low <= version <= high


def _other_broker(connection: BrokerConnection, meant: int | None, found: str) -> BrokerError:
    who = f"broker {found}" if found else "another broker"
    return BrokerError(Reason.OTHER_BROKER, f"{connection.endpoint}: {who} answers at the address of broker {meant}")
