"""All hard faults, and the orders in which they are made."""

from __future__ import annotations

import random

from tests.faults import (
    brokers,
    consumers,
    controllers,
    dead_letters,
    disks,
    exporter,
    identity,
    keycloak,
    network,
    partitions,
    security,
)
from tests.faults.fault import Fault

_FAMILIES = (
    *(brokers, controllers, disks, network, identity, partitions),
    *(consumers, dead_letters, exporter, security, keycloak),
)


def catalogue() -> list[Fault]:
    """Return all faults by their ids."""
    return sorted((fault for family in _FAMILIES for fault in family.faults()), key=lambda fault: fault.id)


def one_of_each(faults: list[Fault], chance: random.Random) -> list[Fault]:
    """Return one kind, chosen by chance, of each fault that has several."""
    kinds: dict[str, list[Fault]] = {}
    for fault in faults:
        kinds.setdefault(fault.id.split()[0], []).append(fault)
    return [chance.choice(alike) for alike in kinds.values()]


def grouped(turns: list[Fault], chance: random.Random) -> list[Fault]:
    """Order faults so that there is the least to wait for.

    Each way on which keywatch reaches Kafka is taken once, the ways in random order; what holds back pages comes last
    on its way, and what is held back first.
    """
    ways = sorted({fault.access for fault in turns})
    chance.shuffle(ways)
    return sorted(turns, key=lambda fault: (ways.index(fault.access), fault.lasting, not fault.held_back))
