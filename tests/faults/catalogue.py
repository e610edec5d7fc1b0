"""All hard faults, and the orders in which they are made."""

from __future__ import annotations

import random

from tests.faults import brokers, consumers, dead_letters, exporter, keycloak, network, partitions, security
from tests.faults.fault import Fault

_FAMILIES = (brokers, network, partitions, consumers, dead_letters, exporter, security, keycloak)


def catalogue() -> list[Fault]:
    """Give all faults by their ids."""
    return sorted((fault for family in _FAMILIES for fault in family.faults()), key=lambda fault: fault.id)


def shuffled(faults: list[Fault], repetitions: int, chance: random.Random) -> list[Fault]:
    """Give each fault so many times, in random order."""
    turns = faults * repetitions
    chance.shuffle(turns)
    return turns


def quick(faults: list[Fault], chance: random.Random) -> list[Fault]:
    """Give each fault once, one of its kinds chosen by chance, in random order but with the least waiting.

    Each way on which keywatch reaches Kafka is taken once; what holds back pages comes last on its way, and what is
    held back first.
    """
    kinds: dict[str, list[Fault]] = {}
    for fault in faults:
        kinds.setdefault(fault.id.split()[0], []).append(fault)
    faults = [chance.choice(alike) for alike in kinds.values()]
    ways = sorted({fault.access for fault in faults})
    chance.shuffle(ways)
    order = shuffled(faults, 1, chance)
    return sorted(order, key=lambda fault: (ways.index(fault.access), fault.lasting, not fault.held_back))
