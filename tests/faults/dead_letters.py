"""Dead letters that arrive: H18, in a topic and in a folder."""

from __future__ import annotations

import random
import time

from tests.faults.bed import DEAD, Bed
from tests.faults.fault import Case, Fault, Page
from tests.faults.network import done
from tests.kafka import admin

_LETTER = b'{"type": "LOGIN", "realmId": "shop", "time": 1}'


def faults() -> list[Fault]:
    """Return the faults of this family."""
    return [
        Fault("H18 topic", "a dead letter arrives in a topic", in_topic),
        Fault("H18 folder", "a dead letter arrives in a folder", in_folder),
    ]


def in_topic(bed: Bed, chance: random.Random) -> Case:
    """Write one record into the topic; to mend it, delete it."""
    partition = chance.randrange(3)
    bootstrap = bed.kafka.bootstrap
    written: list[int] = []

    def empty() -> None:
        admin.delete_records(bootstrap, DEAD, partition, before=written[0] + 1)

    return Case(
        (_page(bed, "dead-topic"),),
        lambda: done(lambda: written.extend(admin.produce(bootstrap, DEAD, 1, partition=partition, value=_LETTER))),
        lambda: done(empty),
    )


def in_folder(bed: Bed, chance: random.Random) -> Case:
    """Put one file into the folder; to mend it, remove it."""
    file = bed.dead_letters / f"dlq-{int(time.time() * 1000)}-{chance.randrange(10**9)}.json"

    def put() -> None:
        half = bed.folder / file.name
        half.write_bytes(_LETTER)
        half.rename(file)

    return Case((_page(bed, "dead-folder"),), lambda: done(put), lambda: done(file.unlink))


def _page(bed: Bed, queue: str) -> Page:
    return Page("KeycloakEventsDeadLettered", {"cluster": bed.cluster, "dlq": queue})
