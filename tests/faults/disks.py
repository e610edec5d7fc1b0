"""Disks that fail under a broker that lives on with its others: H26."""

from __future__ import annotations

import random

from tests.faults.bed import SECOND, WRITTEN_WITHIN, Bed, now
from tests.faults.brokers import started, victim
from tests.faults.fault import Case, Fault, Page


def faults() -> list[Fault]:
    """Return the faults of this family."""
    clock = f"the broker notices at its next write to the directory, up to {WRITTEN_WITHIN:g} s later"
    return [Fault("H26", "a log directory of a broker gone", gone, clock=clock)]


def gone(bed: Bed, chance: random.Random) -> Case:
    """Take one of a broker's two directories away while it runs; it takes it back only when it is started again."""
    node = victim(bed, chance)
    there, away = node.folder / SECOND, node.folder / "unplugged"
    labels = {"cluster": bed.cluster, "broker": str(node.id)}

    def taken() -> float:
        there.rename(away)
        return now()

    def repaired() -> float:
        node.stop()
        away.rename(there)
        return started(node)

    # Kafka has some partitions wait until it is mended, longer than an event may take; mended it is by a restart.
    may = (Page("KafkaBrokerDown", labels), Page("KeycloakEventsNotArriving", {"cluster": bed.cluster}))
    return Case((Page("KafkaLogDirOffline", labels, f"/{SECOND} out of use"),), taken, repaired, may=may)
