"""Wears something out in many ways at once, and waits until Prometheus has the alert of each firing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from typing import Any, Generic, TypeVar

from tests.faults.alerting import Alerting
from tests.faults.turns import say

_B = TypeVar("_B")
_LOOK_SECONDS = 2.0


@dataclass(frozen=True)
class Soft(Generic[_B]):
    """The alert that must fire, what is done, and a context in which it is done to a bed.

    `names` tells of an alert's labels whether they name what it was done to.
    """

    alert: str
    title: str
    make: Callable[[_B], AbstractContextManager[None]]
    names: Callable[[Mapping[str, str]], bool] = lambda _: True

    def seen_in(self, firing: Sequence[Mapping[str, str]]) -> bool:
        """Return whether the alert is among those that fire, and names what it was done to."""
        return any(labels["alertname"] == self.alert and self.names(labels) for labels in firing)


@dataclass(frozen=True)
class Seen:
    """What came of it: seconds from when it was made until Prometheus had the alert firing; None: never."""

    alert: str
    title: str
    seconds: float | None


def wear_out(bed: _B, alerting: Alerting, wanted: Sequence[Soft[_B]], within: float) -> list[dict[str, Any]]:
    """Make all of them at once and tell what came of each within so many seconds, as `Seen`."""
    fired: dict[str, float] = {}
    made: dict[Callable[[_B], AbstractContextManager[None]], float] = {}
    with ExitStack() as stack:
        for make in dict.fromkeys(soft.make for soft in wanted):
            made[make] = time.monotonic()  # as some take a while, and count from their beginning
            stack.enter_context(make(bed))
        end = time.monotonic() + within
        while time.monotonic() < end and len(fired) < len(wanted):
            firing = alerting.ask('ALERTS{alertstate="firing"}')
            for soft in wanted:
                if soft.alert not in fired and soft.seen_in(firing):
                    fired[soft.alert] = time.monotonic() - made[soft.make]
                    say(f"{soft.alert} after {fired[soft.alert]:.0f} s")
            time.sleep(_LOOK_SECONDS)
    return [asdict(Seen(soft.alert, soft.title, fired.get(soft.alert))) for soft in wanted]
