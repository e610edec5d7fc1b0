"""Brokers that are killed, frozen, or all dead: H01 to H03."""

from __future__ import annotations

import random

from tests.faults.bed import Bed, now
from tests.faults.fault import Case, Fault, Page
from tests.kafka.node import KafkaNode


def faults() -> list[Fault]:
    """Return the faults of this family."""
    return [
        Fault("H01", "broker killed", killed),
        Fault("H02", "broker frozen", frozen),
        Fault("H02 tls", "broker frozen behind TLS", frozen, "tls"),
        Fault("H03", "all brokers killed", all_killed, lasting=True),
    ]


def victim(bed: Bed, chance: random.Random) -> KafkaNode:
    """Choose a node."""
    return chance.choice(bed.kafka.nodes)


def down(bed: Bed, node: KafkaNode, reason: str) -> Page:
    """Return the page that a broker is down."""
    return Page("KafkaBrokerDown", {"cluster": bed.cluster, "broker": str(node.id)}, reason)


def started(*nodes: KafkaNode) -> float:
    """Start nodes and wait until clients get through."""
    for node in nodes:
        node.spawn()
    for node in nodes:
        node.wait_port()
    return now()


def killed(bed: Bed, chance: random.Random) -> Case:
    """Kill one node."""
    node = victim(bed, chance)
    return Case((down(bed, node, "refused"),), node.kill, lambda: started(node))


def frozen(bed: Bed, chance: random.Random) -> Case:
    """Freeze one node."""
    node = victim(bed, chance)
    # For 40 s brokers wait for a controller's leader that froze and do not turn to the new one: none leads them.
    leads = bed.exporter.scrape().total("keywatch_controller_leads", cluster=bed.cluster, controller=str(node.id))
    may = (Page("KafkaQuorumLost", {"cluster": bed.cluster}),) if leads else ()
    return Case((down(bed, node, "timeout_response"),), node.freeze, node.thaw, may=may)


def all_killed(bed: Bed, chance: random.Random) -> Case:
    """Kill all nodes, in some order."""
    nodes = chance.sample(bed.kafka.nodes, len(bed.kafka.nodes))
    page = Page("KafkaClusterDown", {"cluster": bed.cluster})
    return Case((page,), lambda: min(node.kill() for node in nodes), lambda: started(*nodes))
