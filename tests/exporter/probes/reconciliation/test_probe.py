"""The probe joins Keycloak's nodes with the tail of the topics: which realms, types and nodes count, and how long."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.listeners.event_types import user_event
from keywatch.listeners.profile import EventKind, Outcome
from keywatch.metrics import reconciliation as cat
from keywatch.metrics.metric import Metric
from keywatch.patterns import Patterns
from keywatch.probes.events.realms import Realms
from keywatch.probes.events.seen import EventsSeen, SeenEvent
from keywatch.probes.reconciliation.counters import KeycloakCounts
from keywatch.probes.reconciliation.probe import ReconciliationProbe
from keywatch.probes.reconciliation.scope import Kinds, Scope

SHOP, ID = "shop", "0a1b2c3d"


@dataclass
class Node:
    """A node of Keycloak that counts what it is told to; `gone`: it cannot be read."""

    bed: Bed
    events: dict[tuple[str, ...], float] = field(default_factory=dict)
    started: float = 0.0
    gone: bool = False
    closed: bool = False
    requests: int = 1

    async def fetch(self, timeout: float) -> KeycloakCounts:
        """Return the counts."""
        assert timeout > 0
        if self.gone:
            raise ProbeError(Reason.REFUSED, "connection refused")
        now = self.bed.now
        return KeycloakCounts(dict(self.events), self.started, self.bed.wall, now, now, self.requests)

    async def close(self) -> None:
        """Close it."""
        self.closed = True


class Bed:
    """A probe on a clock of the test's, whose seconds begin now so that they agree with the wall clock."""

    def __init__(self, scope: Scope | None = None, nodes: Sequence[str] = ("a",)) -> None:
        self.now = 0.0
        self.begin = time.time()
        self.seen = EventsSeen("listener", Realms({}, 10))
        self.nodes = {name: Node(self, started=self.begin - 100) for name in nodes}
        self.probe = ReconciliationProbe(
            "kafka",
            "listener",
            self.seen,
            self.nodes,
            Schedule(1.0, 1.0),
            scope=scope or Scope(Patterns((".*",), ("master",)), None, {}, named=True),
            window=10.0,
            give_up_after=60.0,
            tolerance=1,
            clock=lambda: self.now,
        )
        self.good = True
        self.problem: ProbeError | None = None
        self.samples: Sequence[Sample] = ()
        self.totals: dict[tuple[Metric, tuple[str, ...]], float] = {}

    @property
    def wall(self) -> float:
        """Keycloak's clock."""
        return self.begin + self.now

    def happen(
        self, type_: str = "LOGIN", realm: str = SHOP, *, node: str = "a", arrives: bool = True, counted: bool = True
    ) -> None:
        """Have something happen now."""
        event, outcome = user_event(type_)
        if counted:
            key = (realm, event, "" if outcome is Outcome.SUCCESS else "invalid_user_credentials")
            self.nodes[node].events[key] = self.nodes[node].events.get(key, 0) + 1
        if arrives:
            self.arrive(event, outcome, realm, realm)

    def arrive(self, event: str, outcome: Outcome, realm_id: str, name: str | None) -> None:
        """Have an event arrive now."""
        self.seen.hand_on([SeenEvent(realm_id, name, event, outcome, EventKind.USER, self.wall - 0.01, self.now)])

    async def run(self, seconds: int) -> None:
        """Let seconds pass, with a run each."""
        for _ in range(seconds):
            self.now += 1.0
            self.seen.judge(self.now, self.now if self.good else None, caught_up=self.good, leaders_live=self.good)
            self.problem = None
            try:
                self.samples = await self.probe.run(1.0)
            except ProbeError as error:
                self.problem, self.samples = error, list(error.samples)
            for metric, labels, value, _ in self.samples:
                if metric.name.endswith("_total"):
                    self.totals[metric, labels[2:]] = self.totals.get((metric, labels[2:]), 0.0) + value

    def values(self, metric: Metric) -> Mapping[tuple[str, ...], float]:
        """Return a metric's values by the labels after cluster and listener."""
        return {sample.labels[2:]: sample.value for sample in self.samples if sample.metric is metric}


async def test_a_loss_is_missing_by_realm_event_and_outcome_and_then_lost() -> None:
    bed = Bed()
    await bed.run(3)
    bed.happen()
    bed.happen("LOGIN_ERROR", arrives=False)
    bed.happen("LOGIN_ERROR", arrives=False)
    await bed.run(14)
    assert bed.values(cat.EVENTS_MISSING) == {(SHOP, "login", "success"): 0, (SHOP, "login", "error"): 2}
    notes = [sample.note for sample in bed.samples if sample.note]
    assert notes == ["missing: 2 login (error) of realm shop did not arrive"]
    assert bed.values(cat.EVENTS_MISSING_LIMIT) == {(): 1}
    assert bed.totals[cat.EVENTS_COUNTED_TOTAL, (SHOP, "login", "error")] == 2
    assert bed.totals[cat.EVENTS_LOST_TOTAL, (SHOP, "login", "error")] == 0
    await bed.run(70)
    assert bed.values(cat.EVENTS_MISSING)[SHOP, "login", "error"] == 0
    assert bed.totals[cat.EVENTS_LOST_TOTAL, (SHOP, "login", "error")] == 2


async def test_one_that_is_missing_within_the_tolerance_is_told_without_words() -> None:
    bed = Bed()
    await bed.run(3)
    bed.happen(arrives=False)
    await bed.run(14)
    assert bed.values(cat.EVENTS_MISSING) == {(SHOP, "login", "success"): 1}
    assert not [sample.note for sample in bed.samples if sample.note]


async def test_realms_that_are_excluded_and_types_that_are_not_sent_are_not_missed() -> None:
    scope = Scope(Patterns((".*",), ("master",)), frozenset({user_event("LOGIN")}), {}, named=True)
    bed = Bed(scope)
    await bed.run(3)
    for type_, realm in (("LOGIN", "master"), ("LOGOUT", SHOP), ("LOGIN_ERROR", SHOP), ("NEW_TYPE", SHOP)):
        bed.happen(type_, realm, arrives=False)
    bed.happen()
    await bed.run(14)
    assert bed.values(cat.EVENTS_MISSING) == {(SHOP, "login", "success"): 0}


async def test_of_a_listener_that_writes_ids_the_configured_realms_are_compared_by_name() -> None:
    bed = Bed(Scope(Patterns(), None, {ID: SHOP}, named=False))
    await bed.run(3)
    bed.happen(arrives=False)
    bed.happen("LOGIN", "another", arrives=False)
    bed.arrive("login", Outcome.SUCCESS, ID, None)
    bed.arrive("login", Outcome.SUCCESS, "unknown id", None)
    bed.happen("LOGOUT", arrives=False)
    await bed.run(14)
    assert bed.values(cat.EVENTS_MISSING) == {(SHOP, "login", "success"): 0, (SHOP, "logout", "success"): 1}


async def test_of_a_listener_that_writes_ids_nobody_knows_all_realms_are_compared_together() -> None:
    bed = Bed(Scope(Patterns((".*",), ("master",)), None, {}, named=False))
    await bed.run(3)
    for realm in ("one", "two"):
        bed.happen("LOGIN", realm, arrives=False)
        bed.arrive("login", Outcome.SUCCESS, f"id of {realm}", None)
    bed.happen("LOGIN", "two", arrives=False)
    await bed.run(14)
    assert bed.values(cat.EVENTS_MISSING) == {("all", "login", "success"): 1}


async def test_admin_events_are_not_compared_because_keycloak_counts_none() -> None:
    bed = Bed()
    await bed.run(3)
    bed.seen.hand_on([SeenEvent(ID, SHOP, "admin_create", Outcome.SUCCESS, EventKind.ADMIN, bed.wall, bed.now)])
    await bed.run(14)
    assert bed.values(cat.EVENTS_MISSING) == {}


async def test_while_a_node_is_gone_all_waits_for_it_and_then_goes_on_without() -> None:
    bed = Bed(nodes=("a", "b"))
    await bed.run(3)
    bed.nodes["b"].gone = True
    bed.happen(node="b", counted=False)  # counted there, but nobody can see it
    bed.happen(arrives=False)
    bed.happen(arrives=False)
    await bed.run(30)
    assert bed.problem is not None
    assert bed.problem.reason is Reason.REFUSED
    assert "b: connection refused" in bed.problem.detail
    assert bed.values(cat.EVENTS_MISSING) == {(SHOP, "login", "success"): 0}, "nothing was sampled since"
    await bed.run(45)
    assert bed.problem is not None
    assert "gone on without" in bed.problem.detail
    assert bed.values(cat.EVENTS_MISSING)[SHOP, "login", "success"] >= 1
    bed.nodes["b"].gone = False
    bed.nodes["b"].events[SHOP, "login", ""] = 1
    await bed.run(20)
    assert bed.problem is None


async def test_a_node_that_restarts_counts_on() -> None:
    bed = Bed()
    bed.nodes["a"].events[SHOP, "login", ""] = 500
    await bed.run(3)
    bed.nodes["a"].events.clear()
    bed.nodes["a"].started = bed.wall
    await bed.run(1)
    bed.happen()
    bed.happen(arrives=False)
    await bed.run(14)
    assert bed.totals[cat.EVENTS_COUNTED_TOTAL, (SHOP, "login", "success")] == 2
    assert bed.values(cat.EVENTS_MISSING) == {(SHOP, "login", "success"): 1}


async def test_while_the_topics_cannot_be_read_nothing_is_judged() -> None:
    bed = Bed()
    await bed.run(15)
    judged = bed.values(cat.EVENTS_JUDGED_TIMESTAMP_SECONDS)[()]
    bed.good = False
    bed.happen(arrives=False)
    await bed.run(30)
    assert bed.values(cat.EVENTS_JUDGED_TIMESTAMP_SECONDS)[()] == judged
    assert sum(bed.values(cat.EVENTS_MISSING).values()) == 0
    bed.good = True
    await bed.run(12)
    assert bed.values(cat.EVENTS_JUDGED_TIMESTAMP_SECONDS)[()] > judged
    assert bed.values(cat.EVENTS_MISSING) == {(SHOP, "login", "success"): 1}


async def test_records_that_were_skipped_begin_the_balance_anew() -> None:
    bed = Bed()
    await bed.run(3)
    bed.happen(arrives=False)
    bed.seen.interrupt()
    await bed.run(20)
    assert bed.values(cat.EVENTS_MISSING) == {(SHOP, "login", "success"): 0}
    bed.happen(arrives=False)
    await bed.run(14)
    assert bed.values(cat.EVENTS_MISSING) == {(SHOP, "login", "success"): 1}


async def test_keycloaks_clock_is_compared_with_the_own() -> None:
    bed = Bed()
    bed.begin += 30
    await bed.run(1)
    (skew,) = (sample.value for sample in bed.samples if sample.metric is cat.KEYCLOAK_CLOCK_SKEW_SECONDS)
    assert skew == pytest.approx(31, abs=1)


async def test_a_keycloak_that_counts_nothing_although_events_arrive_is_named() -> None:
    bed = Bed()
    await bed.run(3)
    bed.happen(counted=False)
    await bed.run(5)
    assert bed.problem is None
    await bed.run(10)
    assert bed.problem is not None
    assert bed.problem.reason is Reason.UNSUPPORTED
    assert "event-metrics-user-enabled=true" in bed.problem.detail


async def test_closing_lets_go_of_the_tail_and_the_nodes() -> None:
    bed = Bed()
    assert bed.seen.wanted
    await bed.probe.close()
    assert not bed.seen.wanted
    assert bed.nodes["a"].closed


@pytest.mark.parametrize("quiet", [True, False])
async def test_what_was_written_before_the_reading_began_and_is_counted_later_is_not_missed(*, quiet: bool) -> None:
    bed = Bed()
    bed.nodes["a"].requests = 3
    await bed.run(2)
    bed.happen(arrives=False)  # it did, before the tail began
    bed.nodes["a"].requests = 1 if quiet else 3
    await bed.run(30)
    assert set(bed.values(cat.EVENTS_MISSING).values()) == {0}
    bed.happen(arrives=False)
    await bed.run(14)
    assert bed.values(cat.EVENTS_MISSING) == {(SHOP, "login", "success"): 1}


async def test_what_is_counted_before_the_reading_begins_is_not_missed() -> None:
    bed = Bed()
    bed.good = False
    await bed.run(3)
    bed.happen(arrives=False)
    await bed.run(1)
    bed.good = True
    await bed.run(20)
    assert set(bed.values(cat.EVENTS_MISSING).values()) == {0}


async def test_after_more_arrived_than_is_remembered_the_balance_begins_anew() -> None:
    bed = Bed()
    await bed.run(3)
    bed.nodes["a"].gone = True
    bed.happen(arrives=False)
    await bed.run(2)
    bed.probe._balance.overrun = True
    bed.nodes["a"].gone = False
    await bed.run(2)
    assert not bed.probe._balance.overrun
    await bed.run(14)
    assert not any(bed.values(cat.EVENTS_MISSING).values())
    bed.happen(arrives=False)
    await bed.run(14)
    assert bed.values(cat.EVENTS_MISSING) == {(SHOP, "login", "success"): 1}


async def test_realms_beyond_those_that_have_series_of_their_own_are_compared_together() -> None:
    bed = Bed()
    bed.probe._kinds = Kinds(Scope(Patterns(), None, {}, named=True), bed.probe._balance.knows, 3)
    for number in range(10):
        bed.nodes["a"].events[f"realm-{number}", "login", ""] = 0
    await bed.run(3)
    for number in range(10):
        bed.happen(realm=f"realm-{number}")
    bed.happen(realm="realm-8", arrives=False)
    await bed.run(14)
    own = {(f"realm-{number}", "login", "success"): 0.0 for number in range(3)}
    assert bed.values(cat.EVENTS_MISSING) == {**own, ("other", "login", "success"): 1}


async def test_several_processes_that_answer_in_turn_are_named_and_nothing_is_lost() -> None:
    bed = Bed()
    node = bed.nodes["a"]
    node.events[SHOP, "login", ""] = 500
    await bed.run(3)
    for _ in range(6):
        node.started = bed.begin - (50 if node.started == bed.begin - 100 else 100)
        await bed.run(1)
        assert bed.problem is not None
        assert bed.problem.reason is Reason.PROTOCOL
        assert "in turn" in bed.problem.detail
    await bed.run(30)
    assert bed.problem is None
    assert not any(bed.values(cat.EVENTS_MISSING).values())
    assert bed.totals[cat.EVENTS_COUNTED_TOTAL, (SHOP, "login", "success")] == 0
