"""What the demonstration needs of a cluster, and the embedded one that needs nothing installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from keywatch.demo.embedded import EmbeddedCluster

EVENTS = "keycloak-events"
GROUP = "keycloak-siem"
CANARY = "keywatch-canary"
_FROZEN_MILLISECONDS = 60_000


class Bed(Protocol):
    """A cluster that can be broken on cue."""

    @property
    def bootstrap(self) -> str:
        """Addresses to start from."""

    @property
    def brokers(self) -> Sequence[int]:
        """The brokers' ids."""

    @property
    def description(self) -> str:
        """What it is, in a few words."""

    def create_topics(self) -> None:
        """Make the topic that events go to."""

    def kill(self, broker: int) -> None:
        """End a broker at once."""

    def revive(self, broker: int) -> None:
        """Bring a killed broker back."""

    def freeze(self, broker: int) -> None:
        """Let a broker stop answering while its port stays open."""

    def thaw(self, broker: int) -> None:
        """Let a frozen broker answer again."""

    def close(self) -> None:
        """End the cluster."""


class EmbeddedBed:
    """librdkafka's in-process cluster: real sockets, a mock of Kafka behind them."""

    description = "three brokers inside this process (librdkafka's mock cluster)"

    def __init__(self) -> None:
        self._cluster = EmbeddedCluster(3)

    @property
    def bootstrap(self) -> str:
        """Addresses to start from."""
        return self._cluster.bootstrap

    @property
    def brokers(self) -> Sequence[int]:
        """The brokers' ids."""
        return self._cluster.broker_ids

    def create_topics(self) -> None:
        """Make the topics; the mock cannot be asked to over its wire."""
        self._cluster.create_topic(EVENTS, 6, 3)
        self._cluster.create_topic(CANARY, 3, 3)

    def kill(self, broker: int) -> None:
        """Refuse connections."""
        self._cluster.stop_broker(broker)

    def revive(self, broker: int) -> None:
        """Accept connections again."""
        self._cluster.start_broker(broker)

    def freeze(self, broker: int) -> None:
        """Hold back every answer."""
        self._cluster.slow_broker(broker, _FROZEN_MILLISECONDS)

    def thaw(self, broker: int) -> None:
        """Answer at once again."""
        self._cluster.slow_broker(broker, 0)

    def close(self) -> None:
        """End the cluster."""
        self._cluster.close()
