"""Whatever Keycloak's pages say now and then, no more is taken than was counted, and nothing is missing of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from keywatch.engine.probe import ProbeError, Reason
from keywatch.listeners.profile import EventKind, Outcome
from keywatch.metrics import reconciliation as cat
from keywatch.probes.events.seen import SeenEvent
from keywatch.probes.reconciliation.counters import KeycloakCounts, counts
from tests.exporter.probes.reconciliation.test_probe import Bed, Node

SERIES = [("shop", "login", "", "a"), ("shop", "login", "", "b"), ("shop", "logout", "", ""), ("bank", "login", "", "")]
REFUSED = {"gauge", "no clock", "leap"}  # whole pages
WRONG = [
    *("NaN", "+Inf", "-Inf", "-5", "1e308", "0.5", "x", "away", "lower", "zero", "twice", "twice otherwise", "cut"),
    "long",
    *sorted(REFUSED),
]


@dataclass
class PageNode(Node):
    """A node whose page is written out, with what is `wrong` in it."""

    truth: Counter[tuple[str, ...]] = field(default_factory=Counter)
    wrong: dict[tuple[str, ...], str] = field(default_factory=dict)
    shown: Counter[tuple[str, ...]] = field(default_factory=Counter)

    async def fetch(self, timeout: float) -> KeycloakCounts:
        """Read the page as a node's is read."""
        assert timeout > 0
        now = self.bed.now
        return counts(self.page().encode(), now, now)

    def page(self) -> str:
        """Return the page."""
        uptime = self.bed.wall - self.started + ("leap" in self.wrong.values()) * 1e7
        lines = [] if "no clock" in self.wrong.values() else [f"process_start_time_seconds {self.started:.3f}"]
        lines += [f"process_uptime_seconds {uptime:.3f}", "http_server_active_requests 1"]
        kind = "gauge" if "gauge" in self.wrong.values() else "counter"
        lines.append(f"# TYPE keycloak_user_events_total {kind}")
        for series in sorted(self.truth):
            realm, event, error, client = series
            labels = f'{{client="{client}",error="{error}",event="{event}",realm="{realm}"}}'
            name, wrong = f"keycloak_user_events_total{labels}", self.wrong.get(series, "")
            # A counter that stands still where it grew is no fault that anybody can see.
            lower = {"lower": self.shown[series] - 1, "zero": 0}.get(wrong, self.truth[series])
            lines += self._lines(name, lower, wrong if lower < self.shown[series] or wrong != "zero" else "NaN")
            if wrong in {"", "twice"} and not REFUSED & set(self.wrong.values()):
                self.shown[series] = self.truth[series]
        return "\n".join(lines) + "\n"

    def _lines(self, name: str, value: int, wrong: str) -> list[str]:
        match wrong:
            case "" | "gauge" | "no clock" | "leap" | "lower" | "zero":
                return [f"{name} {value}.0"]  # one that is lower than nothing is negative
            case "away":
                return []
            case "twice":
                return [f"{name} {value}", f"{name} {value}.0"]
            case "twice otherwise":
                return [f"{name} {value}", f"{name} {value + 9}"]
            case "cut":
                return [f"{name[:-1]} {value}"]
            case "long":
                return [f"{name[:-1]},more={'a' * 32_000}}} {value}"]
        return [f"{name} {wrong}"]


def watching() -> tuple[Bed, PageNode]:
    """Return a bed whose wall clock goes with its own time, and its only node."""
    bed = Bed()
    node = PageNode(bed, started=bed.begin - 100, truth=Counter(dict.fromkeys(SERIES, 1000)))
    bed.probe._readers["a"] = node
    bed.probe._wall = lambda: bed.wall
    return bed, node


events = st.lists(st.sampled_from(SERIES), max_size=6)
faults = st.dictionaries(st.sampled_from(SERIES), st.sampled_from(WRONG), max_size=2)
scrapes = st.lists(st.tuples(events, faults, st.integers(0, 30)), min_size=5, max_size=40)


@settings(deadline=None, max_examples=60)
@given(scrapes)
def test_no_more_is_taken_than_was_counted_and_nothing_is_missing_that_arrived(
    steps: list[tuple[list[tuple[str, ...]], dict[tuple[str, ...], str], int]],
) -> None:
    asyncio.run(_scrapes(steps))


def arrive(bed: Bed, realm: str, event: str) -> None:
    """Have an event happen just after keywatch looked, and arrive at once."""
    happened = bed.wall + 0.01
    bed.seen.hand_on([SeenEvent(realm, realm, event, Outcome.SUCCESS, EventKind.USER, happened, bed.now)])


async def _scrapes(steps: list[tuple[list[tuple[str, ...]], dict[tuple[str, ...], str], int]]) -> None:
    bed, node = watching()
    happened: Counter[tuple[str, ...]] = Counter()
    await bed.run(3)
    for happens, faulty, restarts in steps:
        wrong = faulty
        if restarts == 30 and bed.wall - node.started > 5:
            # What was never on a page is known to nobody, so the first one of a process is whole.
            node.started, node.truth, wrong = bed.wall, Counter(dict.fromkeys(SERIES, 0)), {}
            node.shown.clear()
        for realm, event, error, client in happens:
            node.truth[realm, event, error, client] += 1
            happened[realm, event] += 1
            arrive(bed, realm, event)
        node.wrong = wrong
        await bed.run(1)
        if bed.problem is not None:
            assert bed.problem.reason is Reason.PROTOCOL
        assert not any(bed.values(cat.EVENTS_MISSING).values())
        for (metric, (realm, event, _)), total in bed.totals.items():
            if metric is cat.EVENTS_COUNTED_TOTAL:
                assert total <= happened[realm, event]
    node.wrong = {}
    for _ in range(20):
        await bed.run(1)
        assert not any(bed.values(cat.EVENTS_MISSING).values())
    assert bed.problem is None
    lost = {labels: total for (metric, labels), total in bed.totals.items() if metric is cat.EVENTS_LOST_TOTAL}
    assert not any(lost.values())


async def test_a_sample_that_is_no_count_is_named_once_and_the_others_go_on_being_compared() -> None:
    bed, node = watching()
    await bed.run(3)
    node.wrong = {SERIES[0]: "NaN"}
    details = set()
    for _ in range(14):
        node.truth[SERIES[2]] += 1
        arrive(bed, "shop", "login")
        await bed.run(1)
        assert isinstance(bed.problem, ProbeError)
        assert bed.problem.reason is Reason.PROTOCOL
        details.add(bed.problem.detail)
    (detail,) = details
    assert 'event="login"' in detail
    assert "NaN is no count" in detail
    await bed.run(12)
    assert bed.values(cat.EVENTS_MISSING)["shop", "logout", "success"] == 14
    assert bed.values(cat.EVENTS_MISSING)["shop", "login", "success"] == 0
    node.truth[SERIES[0]] += 14
    node.wrong = {}
    await bed.run(14)
    assert bed.problem is None
    assert bed.totals[cat.EVENTS_COUNTED_TOTAL, ("shop", "login", "success")] == 14
    assert bed.values(cat.EVENTS_MISSING)["shop", "login", "success"] == 0
    assert not bed.totals.get((cat.EVENTS_UNCOUNTED_TOTAL, ("shop", "login", "success")))
