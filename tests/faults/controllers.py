"""Controllers that die, freeze, or are cut off from all brokers or from one: H23 and H25."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from tests.faults.access import SPLIT
from tests.faults.bed import Bed, now
from tests.faults.fault import Case, Fault, Page
from tests.faults.network import done
from tests.kafka import firewall
from tests.kafka.node import KafkaNode


def faults() -> list[Fault]:
    """Return the faults of this family."""
    return [
        Fault("H23 killed", "two of three controllers killed", killed, "split"),
        Fault("H23 frozen", "two of three controllers frozen", frozen, "split"),
        Fault("H23 cut", "all brokers cut off from the controllers", cut, "split", lacks=firewall.lacks),
        Fault("H25", "a broker cut off from the controllers", cut_off, "split", lacks=firewall.lacks),
    ]


def _lost() -> Page:
    return Page("KafkaQuorumLost", {"cluster": SPLIT})


def _two(bed: Bed, chance: random.Random) -> list[KafkaNode]:
    return chance.sample(bed.split().kafka.controllers, 2)


def _each(nodes: Sequence[KafkaNode], action: Callable[[KafkaNode], float]) -> float:
    """Do the same to each, and return when the second was done: with one less there is a majority."""
    return max(action(node) for node in nodes)


def _started(nodes: Sequence[KafkaNode]) -> float:
    for node in nodes:
        node.spawn()
    for node in nodes:
        node.wait_port()
    return now()


def killed(bed: Bed, chance: random.Random) -> Case:
    """Kill two controllers, with or without the leader."""
    nodes = _two(bed, chance)
    return Case((_lost(),), lambda: _each(nodes, KafkaNode.kill), lambda: _started(nodes))


def frozen(bed: Bed, chance: random.Random) -> Case:
    """Freeze two controllers, with or without the leader."""
    nodes = _two(bed, chance)
    return Case((_lost(),), lambda: _each(nodes, KafkaNode.freeze), lambda: _each(nodes, KafkaNode.thaw))


def cut(bed: Bed, chance: random.Random) -> Case:
    """Let nothing cross between brokers and controllers, all of which keywatch reaches."""
    del chance
    split = bed.split()
    return Case((_lost(),), lambda: done(lambda: split.cut(split.kafka.nodes)), lambda: done(split.mend))


def cut_off(bed: Bed, chance: random.Random) -> Case:
    """Let nothing cross between one broker and the controllers; clients and other brokers reach it as before."""
    split = bed.split()
    broker = chance.choice(split.kafka.nodes)
    page = Page("KafkaBrokerFenced", {"cluster": SPLIT, "broker": str(broker.id)})
    return Case((page,), lambda: done(lambda: split.cut([broker])), lambda: done(split.mend))
