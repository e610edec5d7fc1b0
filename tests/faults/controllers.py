"""Controllers that die, freeze, or are cut off from all brokers or from one: H23 and H25."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from tests.faults.access import SPLIT
from tests.faults.bed import Bed, now
from tests.faults.brokers import started
from tests.faults.fault import Case, Fault, Page
from tests.faults.network import done
from tests.kafka import firewall
from tests.kafka.node import KafkaNode

_CLOCK = "resolved counts from when each broker has found a leader again, which takes Kafka up to half a minute"


def faults() -> list[Fault]:
    """Return the faults of this family."""
    return [
        Fault("H23 killed", "two of three controllers killed", killed, "split", _CLOCK),
        Fault("H23 frozen", "two of three controllers frozen", frozen, "split", _CLOCK),
        Fault("H23 cut", "all brokers cut off from the controllers", cut, "split", _CLOCK, lacks=firewall.lacks),
        Fault("H25", "a broker cut off from the controllers", cut_off, "split", lacks=firewall.lacks),
    ]


def _lost() -> Page:
    return Page("KafkaQuorumLost", {"cluster": SPLIT})


def _two(bed: Bed, chance: random.Random) -> list[KafkaNode]:
    return chance.sample(bed.split().kafka.controllers, 2)


def _each(nodes: Sequence[KafkaNode], action: Callable[[KafkaNode], float]) -> float:
    """Do the same to each, and return when the second was done: with one less there is a majority."""
    return max(action(node) for node in nodes)


def _led_again(bed: Bed, repair: Callable[[], object]) -> Callable[[], float]:
    """Return the repair, which is done when each broker has found the controllers' leader again."""

    def repaired() -> float:
        repair()
        bed.split().wait_led()
        return now()

    return repaired


def killed(bed: Bed, chance: random.Random) -> Case:
    """Kill two controllers, with or without the leader."""
    nodes = _two(bed, chance)
    return Case((_lost(),), lambda: _each(nodes, KafkaNode.kill), _led_again(bed, lambda: started(*nodes)))


def frozen(bed: Bed, chance: random.Random) -> Case:
    """Freeze two controllers, with or without the leader."""
    nodes = _two(bed, chance)
    return Case(
        (_lost(),), lambda: _each(nodes, KafkaNode.freeze), _led_again(bed, lambda: _each(nodes, KafkaNode.thaw))
    )


def cut(bed: Bed, chance: random.Random) -> Case:
    """Let nothing cross between brokers and controllers, all of which keywatch reaches."""
    del chance
    split = bed.split()
    return Case((_lost(),), lambda: done(lambda: split.cut(split.kafka.nodes)), _led_again(bed, split.mend))


def cut_off(bed: Bed, chance: random.Random) -> Case:
    """Let nothing cross between one broker and the controllers; clients and other brokers reach it as before."""
    split = bed.split()
    broker = chance.choice(split.kafka.nodes)
    page = Page("KafkaBrokerFenced", {"cluster": SPLIT, "broker": str(broker.id)})
    return Case((page,), lambda: done(lambda: split.cut([broker])), lambda: done(split.mend))
