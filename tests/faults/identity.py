"""Others who answer at the address of a broker that is gone: H27 and H28."""

from __future__ import annotations

import random

from keywatch.kafka.wire import requests
from tests.faults.access import PROXIED
from tests.faults.bed import Bed, now
from tests.faults.brokers import down, started, victim
from tests.faults.fault import Case, Fault, Page
from tests.kafka import raw
from tests.kafka.node import KafkaNode


def faults() -> list[Fault]:
    """Return the faults of this family."""
    return [
        Fault("H27", "another cluster at a broker's address", other_cluster, "proxied"),
        Fault("H28", "another broker at a broker's address", other_broker, "proxied"),
    ]


def other_cluster(bed: Bed, chance: random.Random) -> Case:
    """Kill a node and have its address lead to another cluster, which must be left as it is."""
    node, stranger = victim(bed, chance), bed.stranger()
    ids = {"cluster_id": bed.kafka.id, "other_cluster_id": stranger.id}
    pages = (
        down(bed, node, "other_cluster"),
        Page("KafkaOtherCluster", {"cluster": bed.cluster, **ids}, stranger.id),
    )

    def untouched() -> None:
        topics = raw.ask(stranger.bootstrap, requests.metadata(), requests.read_metadata).topics
        made = [name for name in topics if not name.startswith("__")]
        assert not made, f"keywatch made {made} in another cluster"

    return Case(
        pages, lambda: _taken_over(bed, node, stranger.node(1)), lambda: _given_back(bed, node), clean=untouched
    )


def other_broker(bed: Bed, chance: random.Random) -> Case:
    """Kill a node and have its address lead to another one of the same cluster."""
    node = victim(bed, chance)
    other = chance.choice([one for one in bed.kafka.nodes if one is not node])
    page = down(bed, node, "other_broker")
    return Case((page,), lambda: _taken_over(bed, node, other), lambda: _given_back(bed, node))


def _taken_over(bed: Bed, node: KafkaNode, other: KafkaNode) -> float:
    moment = now()
    bed.proxies[node.id - 1].lead_to((other.host, other.port))
    node.kill()
    return moment


def _given_back(bed: Bed, node: KafkaNode) -> float:
    proxy = bed.proxies[node.id - 1]
    started(node)
    moment = now()
    proxy.lead_to((node.host, node.ports[PROXIED]))
    return moment
