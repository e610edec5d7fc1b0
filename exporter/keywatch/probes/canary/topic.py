"""Creates and keeps the canary's topic: a partition whose first replica is each broker, led by it where possible."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from keywatch.engine.deadline import Deadline
from keywatch.engine.probe import ProbeError, Reason
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.errors import (
    CLUSTER_AUTHORIZATION_FAILED,
    ELECTION_NOT_NEEDED,
    NOT_CONTROLLER,
    TOPIC_ALREADY_EXISTS,
    TOPIC_AUTHORIZATION_FAILED,
    name_of,
    reason_of,
)
from keywatch.kafka.peers import Peers
from keywatch.kafka.rights import ALTER_CANARY, ALTER_CLUSTER, CREATE_CANARY, WRITE_CANARY
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import requests
from keywatch.kafka.wire.request import Request
from keywatch.kafka.wire.requests import PartitionState

_REPLICAS = 3
_TRY_AGAIN_AFTER = 5.0
_SEGMENT_BYTES = 1024 * 1024  # the least that Kafka 4 allows (KIP-1030)


class CanaryTopic:
    """The topic as metadata shows it; `follow` asks the cluster for what is missing, at most every few seconds."""

    def __init__(
        self,
        name: str,
        topology: Topology,
        peers: Peers,
        *,
        retention: float = 600.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = name
        self._topology = topology
        self._peers = peers
        self._retention = retention
        self._clock = clock
        self._tried = float("-inf")
        self.refusal: ProbeError | None = None
        """Why the cluster did not do what it was last asked for; None when it did."""

    @property
    def partitions(self) -> dict[int, PartitionState]:
        """The topic's partitions; empty while it does not exist."""
        return (self._topology.topics or {}).get(self.name, {})

    async def maintain(self, timeout: float) -> None:
        """Create the topic, add partitions for new brokers, give leadership back.

        Raises `ProbeError` while there is no topic; what fails on one that is there only stands in `refusal`.
        """
        deadline = Deadline(timeout)
        await self._topology.partitions(deadline.left)
        living = sorted(int(label) for label in self._topology.up() if label.isascii() and label.isdigit())
        homes = {state.replicas[0] for state in self.partitions.values() if state.replicas}
        missing = [broker for broker in living if broker not in homes]
        strayed = [
            index
            for index, state in self.partitions.items()
            if state.replicas
            and state.leader != state.replicas[0]
            and state.leader >= 0
            and state.replicas[0] in state.in_sync
            and state.replicas[0] in living
        ]
        if self.partitions and not missing and not strayed:
            self.refusal = None
        elif living and self._clock() - self._tried >= _TRY_AGAIN_AFTER:
            self._tried = self._clock()
            self.refusal = await self._keep(living, missing, strayed, deadline.left)
        if self.refusal is not None and not self.partitions:
            raise self.refusal

    async def _keep(
        self, living: Sequence[int], missing: Sequence[int], strayed: Sequence[int], timeout: float
    ) -> ProbeError | None:
        try:
            if not self.partitions:
                await self._create(living, timeout)
            elif missing:
                await self._extend(missing, living, timeout)
            else:
                await self._give_back(strayed, timeout)
        except ProbeError as error:
            return error
        except BrokerError as error:
            # librdkafka's mock cannot be asked; a real broker since 2.4 can.
            if error.reason is Reason.UNSUPPORTED and self.partitions:
                return None
            return ProbeError(error.reason, f"the canary's topic {self.name!r}: {error.detail}")
        return None

    async def _create(self, living: Sequence[int], timeout: float) -> None:
        assignment = {index: _replicas(broker, living) for index, broker in enumerate(living)}
        configs = {
            "retention.ms": str(int(self._retention * 1000)),
            "segment.bytes": str(_SEGMENT_BYTES),
            # Whether enough replicas are in sync is the topics probe's question; acks=all waits for those that are.
            "min.insync.replicas": "1",
        }
        request = requests.create_topic(self.name, assignment, configs, int(timeout * 1000))
        error, message = await self._ask_controller(request, timeout)
        if error not in (0, TOPIC_ALREADY_EXISTS):
            raise self._refused(
                "create",
                error,
                message,
                f"{CREATE_CANARY.missing(self.name)}; {ALTER_CANARY.of(self.name)} and {WRITE_CANARY.of(self.name)} "
                "are needed as well, or canary.enabled: false",
            )

    async def _extend(self, missing: Sequence[int], living: Sequence[int], timeout: float) -> None:
        count = len(self.partitions) + len(missing)
        # Kafka wants every partition of a topic to have the same number of replicas.
        size = len(next(iter(self.partitions.values())).replicas)
        added = [_replicas(broker, living)[:size] for broker in missing]
        if any(len(replicas) < size for replicas in added):
            return
        error, message = await self._ask_controller(
            requests.create_partitions(self.name, count, added, int(timeout * 1000)), timeout
        )
        if error:
            raise self._refused("add partitions to", error, message, ALTER_CANARY.missing(self.name))

    async def _give_back(self, strayed: Sequence[int], timeout: float) -> None:
        request = requests.elect_preferred_leaders(self.name, strayed, int(timeout * 1000))
        answer = await self._peers.ask(self._controller(), request, timeout, requests.read_elect_leaders)
        for error, message in answer.values():
            if error in (TOPIC_AUTHORIZATION_FAILED, CLUSTER_AUTHORIZATION_FAILED):
                raise self._refused(
                    "give leadership back in",
                    error,
                    message,
                    f"Kafka does so by itself within minutes; with {ALTER_CLUSTER.of()}, which most leave out, at once",
                )
            if error not in (0, ELECTION_NOT_NEEDED):
                return  # Kafka's own balancing, every five minutes, does the same

    async def _ask_controller(self, request: Request, timeout: float) -> tuple[int, str]:
        error, message = await self._peers.ask(self._controller(), request, timeout, requests.read_create_topic)
        if error == NOT_CONTROLLER:
            self._tried = float("-inf")
        return error, message

    def _controller(self) -> str:
        """Name the controller (before KRaft only it may be asked), or else any living broker, which forwards."""
        living = [broker.label for broker in self._topology.living()]
        controller = str(self._topology.controller)
        if controller in living:
            return controller
        if not living:
            raise BrokerError(Reason.REFUSED, "no broker answers")
        return living[0]

    def _refused(self, what: str, error: int, message: str, rights: str) -> ProbeError:
        words = f"cannot {what} the canary's topic {self.name!r}: {name_of(error)} {message}".rstrip()
        if error in (TOPIC_AUTHORIZATION_FAILED, CLUSTER_AUTHORIZATION_FAILED):
            words += f"; {rights}"
        return ProbeError(reason_of(error), words)


def _replicas(first: int, brokers: Sequence[int]) -> list[int]:
    """Choose replicas for a partition that `first` should lead: it, and the ones that follow it in the circle."""
    start = brokers.index(first)
    return [brokers[(start + step) % len(brokers)] for step in range(min(_REPLICAS, len(brokers)))]
