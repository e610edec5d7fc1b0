"""The demonstration on a real Kafka: the same story as `keywatch demo`, with SIGKILL and SIGSTOP."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from keywatch.demo import show
from keywatch.demo.bed import EVENTS
from tests.kafka import admin
from tests.kafka.cluster import KafkaCluster
from tests.kafka.distribution import requirements_missing


class RealBed:
    """Three nodes of Apache Kafka on this machine."""

    description = "three real Apache Kafka nodes on this machine"

    def __init__(self) -> None:
        self._cluster = KafkaCluster(3)
        self._cluster.start()

    @property
    def bootstrap(self) -> str:
        """Addresses to start from."""
        return self._cluster.bootstrap

    @property
    def brokers(self) -> Sequence[int]:
        """The brokers' ids."""
        return [node.id for node in self._cluster.nodes]

    def create_topics(self) -> None:
        """Make the topic that events go to, once the cluster serves."""
        self._cluster.wait_ready()
        admin.create_topic(self.bootstrap, EVENTS, partitions=6, replicas=3)

    def kill(self, broker: int) -> None:
        """End the node's process with SIGKILL."""
        self._cluster.node(broker).kill()

    def revive(self, broker: int) -> None:
        """Start the node; it answers when it has caught up with the cluster."""
        self._cluster.node(broker).start()

    def freeze(self, broker: int) -> None:
        """Stop the node's process with SIGSTOP."""
        self._cluster.node(broker).freeze()

    def thaw(self, broker: int) -> None:
        """Let the node's process go on."""
        self._cluster.node(broker).thaw()

    def close(self) -> None:
        """End all nodes and remove their data."""
        self._cluster.stop()


def main() -> int:
    """Run the demonstration; exit code 2 with the reason when Kafka cannot run here."""
    if reason := requirements_missing():
        print(f"DEMO=kafka: {reason}; `make demo` needs nothing but Python", file=sys.stderr)
        return 2
    return show.run(None, None, RealBed())


if __name__ == "__main__":
    sys.exit(main())
