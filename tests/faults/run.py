"""Injects one fault, waits for its pages and for their end, and judges all that came."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from tests.faults import strain
from tests.faults.bed import Bed, now
from tests.faults.fault import Case, Fault
from tests.faults.receiver import Notice
from tests.kafka.waiting import wait_until

RESOLVED_WITHIN = 10.0
"""Seconds from a repair to the webhook that says so."""
_MISSED_AFTER = 20.0
_UNRESOLVED_AFTER = 60.0


@dataclass(frozen=True)
class Outcome:
    """What came of a fault: seconds until each page that had to come (None: it did not), and until all had ended.

    `waits` are the seconds that the machine had processes wait between the fault and the end of its pages (`strain`).
    """

    fault: str
    within: float
    seconds: dict[str, float | None]
    resolved: float | None
    paged: dict[str, int]
    false: list[str]
    wrong: list[str]
    error: str = ""
    waits: dict[str, float] = field(default_factory=dict)

    @classmethod
    def broken(cls, fault: Fault, error: str) -> Outcome:
        """Return the outcome of a fault that could not be made or did not heal."""
        return cls(fault.id, fault.within, {}, None, {}, [], [], error)

    @property
    def slowest(self) -> float | None:
        """Return when the last page came; None when one never did."""
        found = [value for value in self.seconds.values() if value is not None]
        return max(found) if found and len(found) == len(self.seconds) else None

    @property
    def line(self) -> str:
        """Say in a line what came of it."""
        came = ", ".join(f"{page} {'never' if at is None else f'{at:.2f} s'}" for page, at in self.seconds.items())
        resolved = "" if self.resolved is None else f", resolved {self.resolved:.2f} s"
        return f"{self.fault}: {came}{resolved}{''.join(f'; {one}' for one in self.complaints)}"

    @property
    def complaints(self) -> list[str]:
        """Say what is not as promised."""
        if self.error:
            return [f"the bed was not well: {self.error.splitlines()[0]}"]
        found = [f"{alert} did not come" for alert, value in self.seconds.items() if value is None]
        if self.slowest is not None and self.slowest > self.within:
            found.append(f"came after {self.slowest:.2f} s instead of {self.within:g} s")
        if self.resolved is None or self.resolved > RESOLVED_WITHIN:
            found.append("did not resolve" if self.resolved is None else f"resolved after {self.resolved:.2f} s")
        found += [*self.wrong, *(f"false page: {page}" for page in self.false)]
        return [*found, strain.words(self.waits)] if found and self.waits else found


def run(bed: Bed, fault: Fault, chance: random.Random, hold: float) -> Outcome:
    """Inject a fault into a bed that is made calm first; it lasts `hold` seconds longer than until its pages came."""
    receiver = bed.alerting.receiver
    begun = now()
    bed.use(fault.access)
    if not fault.lasting:
        bed.wait_unbiased(by_brokers=fault.held_back)
    case = fault.prepare(bed, chance)
    before = strain.waited()
    injected = case.inject()

    def fired() -> list[Notice]:
        return [notice for notice in receiver.pages(injected) if notice.firing]

    def complete() -> bool:
        return all(any(page.fits(notice) for notice in fired()) for page in case.pages)

    with contextlib.suppress(TimeoutError):
        wait_until(complete, fault.within + _MISSED_AFTER, "all pages came")
    time.sleep(hold)  # what else comes while the fault lasts is part of the measurement
    repaired = case.repair()
    resolved = None

    def awaited() -> list[Notice]:
        return [n for n in receiver.pages(injected) if not any(page.fits(n) for page in case.may)]

    with contextlib.suppress(TimeoutError):
        wait_until(lambda: _ended(awaited()), _UNRESOLVED_AFTER, "all pages ended")
        ends = [n.at - repaired for n in awaited() if not n.firing]
        resolved = max(0.0, *ends) if ends else 0.0
    waits = strain.since(before)
    case.clean()
    bed.wait_calm()
    # The bed itself starts keywatch anew, which on busy cores takes longer than a moment.
    early = [n for n in receiver.pages(begun) if n.firing and n.at < injected and n.alert != "KeywatchDown"]
    return replace(judge(fault, case, injected, resolved, [*fired(), *early]), waits=waits)


def _ended(notices: Sequence[Notice]) -> bool:
    last = {frozenset(notice.labels.items()): notice.firing for notice in notices}
    return not any(last.values())


def judge(fault: Fault, case: Case, injected: float, resolved: float | None, fired: Sequence[Notice]) -> Outcome:
    """Compare the pages that came with those that had to."""
    seconds: dict[str, float | None] = {}
    wrong = []
    for page in case.pages:
        first = next((notice for notice in fired if page.fits(notice) and notice.at >= injected), None)
        title = f"{page.alert}{_text(page.labels)}"
        seconds[title] = None if first is None else first.at - injected
        if first is not None and page.words not in first.description:
            wrong.append(f"{title} does not say {page.words}: {first.description}")
    false = [
        f"{notice.alert}{_text(notice.labels)} after {notice.at - injected:.1f} s"
        for notice in fired
        if notice.at < injected
        or not (notice.alert in case.beside or any(page.fits(notice) for page in (*case.pages, *case.may)))
    ]
    false += [f"{title} twice, once for each instance" for title in _doubled(fired)]
    paged: dict[str, int] = {}
    for alert in {notice.alert for notice in fired}:
        paged[alert] = len({frozenset(n.labels.items()) for n in fired if n.alert == alert})
    return Outcome(fault.id, fault.within, seconds, resolved, paged, false, wrong)


def _doubled(fired: Sequence[Notice]) -> list[str]:
    """Name what was paged in the name of several instances of keywatch."""
    pages = {frozenset(notice.labels.items()) for notice in fired}
    objects = [frozenset((name, value) for name, value in page if name != "instance") for page in pages]
    return sorted({dict(one)["alertname"] for one in objects if objects.count(one) > 1})


def _text(labels: object) -> str:
    named = dict(labels) if isinstance(labels, dict) else {}
    shown = {k: v for k, v in named.items() if k not in ("alertname", "severity", "component")}
    return "{" + ", ".join(f"{name}={value}" for name, value in sorted(shown.items())) + "}"
