"""What a fault is to the bed: how it is made, which pages it must cause, and how it is mended."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from tests.faults.bed import Bed
from tests.faults.receiver import Notice

PROMISE = 5.0
"""Seconds from a fault to the webhook."""


@dataclass(frozen=True)
class Page:
    """A page that must come: the alert, labels that it must carry, and words that its description must hold."""

    alert: str
    labels: Mapping[str, str] = field(default_factory=dict)
    words: str = ""

    def fits(self, notice: Notice) -> bool:
        """Return whether a notice is this page, whatever its description says."""
        return notice.alert == self.alert and self.labels.items() <= notice.labels.items()


@dataclass(frozen=True)
class Case:
    """A fault about to be injected: `inject` and `repair` give the monotonic time at which that was done.

    Pages other than `pages` are false, but for alerts in `beside`, and for those that `may` come as well, whose end is
    not waited for: another page may have silenced them meanwhile. `clean` comes at last.
    """

    pages: tuple[Page, ...]
    inject: Callable[[], float]
    repair: Callable[[], float]
    beside: frozenset[str] = frozenset()
    may: tuple[Page, ...] = ()
    clean: Callable[[], object] = lambda: None


@dataclass(frozen=True)
class Fault:
    """A row of the catalogue. `prepare` makes a case in a bed that is well, choosing victims by `random`.

    `access` is how keywatch reaches Kafka meanwhile. `clock` says from when seconds count where that is not the system
    call; `within` is how many there may be. `lasting` faults hold back pages of others for a while after their repair,
    their own not; `held_back` ones are not paged shortly after a broker was down, so that is waited for.
    `lacks` gives the reason why it cannot be injected on this machine.
    """

    id: str
    title: str
    prepare: Callable[[Bed, random.Random], Case]
    access: str = "plain"
    clock: str = ""
    within: float = PROMISE
    lasting: bool = False
    held_back: bool = False
    lacks: Callable[[], str] = lambda: ""
