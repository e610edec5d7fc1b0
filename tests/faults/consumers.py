"""Consumer groups that nobody reads for, or that fall behind: H14 and H15."""

from __future__ import annotations

import random

from tests.faults.bed import LAG_LIMIT, WORK, Bed, now
from tests.faults.fault import Case, Fault, Page
from tests.faults.network import done
from tests.faults.reader import SESSION_SECONDS
from tests.faults.traffic import GROUP
from tests.kafka import admin

_EMPTY_WITHIN = 4.0 * SESSION_SECONDS


def faults() -> list[Fault]:
    """Return the faults of this family."""
    return [
        Fault(
            "H14",
            "all members of a group killed while records wait",
            abandoned,
            clock="from the moment that Kafka has the group empty, after the members' session time-out",
        ),
        Fault("H15", "a group's lag above its limit", behind, clock="from the first of the records past the limit"),
    ]


def abandoned(bed: Bed, chance: random.Random) -> Case:  # noqa: ARG001 - all of them
    """Kill all members and write records that nobody reads."""

    def inject() -> float:
        bed.readers.kill()
        admin.produce(bed.kafka.bootstrap, WORK, 5)
        bed.readers.wait_gone(_EMPTY_WITHIN)
        return now()

    page = Page("KafkaGroupWithoutMembers", {"cluster": bed.cluster, "group": GROUP})
    return Case((page,), inject, lambda: done(bed.readers.start))


def behind(bed: Bed, chance: random.Random) -> Case:  # noqa: ARG001 - there is one group
    """Have the members read nothing, and write more records than they may be behind."""

    def inject() -> float:
        bed.readers.pause()
        return done(lambda: admin.produce(bed.kafka.bootstrap, WORK, LAG_LIMIT + 50))

    page = Page("KafkaGroupLagTooHigh", {"cluster": bed.cluster, "group": GROUP, "unit": "records"})
    return Case((page,), inject, lambda: done(bed.readers.resume))
