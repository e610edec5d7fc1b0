"""keywatch itself killed or frozen: H19 and H20."""

from __future__ import annotations

import os
import random
import signal

from tests.faults.bed import Bed, now
from tests.faults.fault import Case, Fault, Page
from tests.faults.network import done


def faults() -> list[Fault]:
    """Return the faults of this family."""
    return [Fault("H19", "keywatch killed", killed), Fault("H20", "keywatch frozen", frozen)]


def killed(bed: Bed, chance: random.Random) -> Case:  # noqa: ARG001 - there is one
    """Kill keywatch, and start it again."""

    def repair() -> float:
        bed.exporter.start()
        return now()

    return Case((_page(bed),), lambda: done(lambda: bed.exporter.stop(signal.SIGKILL)), repair)


def frozen(bed: Bed, chance: random.Random) -> Case:  # noqa: ARG001 - there is one
    """Freeze keywatch."""
    pid = bed.exporter.pid
    return Case(
        (_page(bed),),
        lambda: done(lambda: os.kill(pid, signal.SIGSTOP)),
        lambda: done(lambda: os.kill(pid, signal.SIGCONT)),
    )


def _page(bed: Bed) -> Page:
    return Page("KeywatchDown", {"job": "keywatch-health", "instance": f"127.0.0.1:{bed.exporter.port}"})
