"""A second cluster whose three controllers are nodes of their own, which brokers can be cut off from."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from types import TracebackType
from typing import Self

from keywatch.kafka.connection import BrokerError
from keywatch.kafka.wire.quorum import describe_quorum, read_describe_quorum
from tests.kafka import firewall, raw
from tests.kafka.cluster import KafkaCluster
from tests.kafka.firewall import Firewall
from tests.kafka.node import KafkaNode
from tests.kafka.waiting import wait_until

_LED_WITHIN = 90.0
_ANSWER_WITHIN = 1.0


class SplitCluster:
    """Brokers 1 to 3 and controllers 4 to 6; a context manager that enters ready.

    keywatch reaches all of them, whatever is cut. Without root nothing can be cut, and the rest works.
    """

    def __init__(self) -> None:
        self.kafka = KafkaCluster(3, controllers=3)
        self._wall = Firewall()
        self._stack = ExitStack()

    @property
    def controllers(self) -> list[str]:
        """Return the controllers' addresses, `host:port`."""
        return [node.address for node in self.kafka.controllers]

    def cut(self, brokers: Iterable[KafkaNode]) -> None:
        """Have nothing cross any more from these brokers to the controllers."""
        self._wall.drop([node.id for node in brokers], [(node.host, node.port) for node in self.kafka.controllers])

    def mend(self) -> None:
        """Have everything cross again."""
        self._wall.flow()

    def wait_led(self) -> None:
        """Wait until each broker gets an answer of the controllers' leader: Kafka itself takes its time to find it."""
        for broker in self.kafka.nodes:
            wait_until(partial(_led, broker.address), _LED_WITHIN, f"broker {broker.id} gets the leader's answer")

    def __enter__(self) -> Self:
        with ExitStack() as failed:
            if not firewall.lacks():
                failed.enter_context(self._wall)
                for broker in self.kafka.nodes:
                    broker.wrapper = firewall.wrapper(broker.id)
            failed.enter_context(self.kafka)
            self._stack = failed.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()


class SplitOnDemand:
    """The one that is there, if it is: six nodes beside a whole bed would slow down what is measured without them."""

    def __init__(self) -> None:
        self._cluster: SplitCluster | None = None

    def __call__(self) -> SplitCluster:
        """Return it, started now where it does not run."""
        if self._cluster is None:
            self._cluster = SplitCluster().__enter__()
        return self._cluster

    def stop(self) -> None:
        """End it, if it runs."""
        cluster, self._cluster = self._cluster, None
        if cluster is not None:
            cluster.__exit__(None, None, None)


def _led(address: str) -> bool:
    try:
        found = raw.ask(address, describe_quorum(), read_describe_quorum, _ANSWER_WITHIN)
    except BrokerError:
        return False
    return not found.error and found.leader >= 0
