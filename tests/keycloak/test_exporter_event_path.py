"""Keycloak → listener → Kafka → keywatch, all of it real: what arrives, how late, what is missing, and who is down."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.kafka.exporter_process import Recorder, Scrape
from tests.keycloak.event_path import REALM, USER, EventPath, event_path, missing, well
from tests.keycloak.fixtures import keycloak_required

pytestmark = pytest.mark.keycloak

WINDOW = 4.0
# The listener's producer gives a record up after this time, in place of two minutes.
GIVES_UP_AFTER = 12
LOGIN, WRONG = {"event": "login", "outcome": "success"}, {"event": "login", "outcome": "error"}


@pytest.fixture(scope="module")
def bed() -> Iterator[EventPath]:
    keycloak_required()
    with event_path(WINDOW, delivery_timeout_ms=str(GIVES_UP_AFTER * 1000), request_timeout_ms="4000") as path:
        yield path


@pytest.fixture(autouse=True)
def _mended(bed: EventPath) -> Iterator[None]:
    """Begin and end each test with a path that is well; what a test lost is given up with the exporter's restart."""
    bed.exporter.until(well, 180, "all is well")
    yield
    bed.keycloak.listener.order()
    bed.link.flow()
    if bed.missing():
        bed.exporter.stop()
        bed.exporter.start()


@contextmanager
def nothing_missing(bed: EventPath) -> Iterator[Recorder]:
    """Record what is said while the block runs, and see that nothing was ever missing."""
    with Recorder(bed.exporter, 0.2) as recorder:
        yield recorder
    assert {missing(scrape) for scrape in recorder.scrapes} == {0.0}


def test_what_users_do_arrives_with_its_realm_its_outcome_and_its_delay(bed: EventPath) -> None:
    before = bed.exporter.scrape()
    bed.driver.login_wrongly(REALM, USER)
    session = bed.driver.refresh(REALM, bed.driver.login(REALM, USER))
    bed.driver.logout(REALM, session)
    bed.driver.rename_user(REALM, bed.driver.make_user(REALM, "bob"), "Renamed")
    wanted = {("login", "error"), ("login", "success"), ("refresh_token", "success"), ("logout", "success"),
              ("admin_create", "success"), ("admin_update", "success")}  # fmt: skip

    def grown(scrape: Scrape) -> set[tuple[str, str]]:
        found = set()
        for labels, value in scrape.all("keywatch_events_received_total", realm=REALM).items():
            if value > before.all("keywatch_events_received_total").get(labels, 0):
                found.add((dict(labels)["event"], dict(labels)["outcome"]))
        return found

    seen = bed.exporter.until(lambda s: grown(s) == wanted, 10, "all of it arrived")
    count, in_time = (
        seen.total(f"keywatch_event_arrival_delay_seconds_{part}", **labels)
        - before.total(f"keywatch_event_arrival_delay_seconds_{part}", **labels)
        for part, labels in (("count", {}), ("bucket", {"le": "1.0"}))
    )
    assert count == in_time == 6
    last = seen.value("keywatch_event_last_timestamp_seconds", realm=REALM) or 0
    assert abs(time.time() - last) < 10
    assert bed.until(lambda s: s.total("keywatch_events_counted_total", realm=REALM) >= 4, 10, "Keycloak counted") < 10


def test_a_single_event_that_the_listener_loses_is_missing_within_fifteen_seconds(bed: EventPath) -> None:
    bed.driver.login(REALM, USER)
    bed.keycloak.listener.order(drop_next=1)
    bed.driver.login_wrongly(REALM, USER)
    took = bed.until(lambda s: s.value("keywatch_events_missing", realm=REALM, **WRONG) == 1, 15, "one is missing")
    print(f"a lost event is missing after {took:.1f} s, with a window of {WINDOW:g} s")
    assert bed.exporter.scrape().value("keywatch_events_missing", realm=REALM, **LOGIN) == 0
    assert "1 login (error) of realm shop did not arrive" in bed.exporter.log.read_text(encoding="utf-8")


def test_doubled_and_garbled_records_are_counted_as_what_they_are(bed: EventPath) -> None:
    before = bed.exporter.scrape()
    bed.keycloak.listener.order(duplicate_next=2)
    for _ in range(2):
        bed.driver.login(REALM, USER)
    bed.keycloak.listener.order(garble_next=1)
    bed.driver.login(REALM, USER)

    def grown(scrape: Scrape, name: str, **labels: str) -> float:
        return scrape.total(name, **labels) - before.total(name, **labels)

    bed.exporter.until(
        lambda s: (
            grown(s, "keywatch_events_duplicated_total") == 2
            and grown(s, "keywatch_events_malformed_total") == 1
            and grown(s, "keywatch_events_received_total", realm=REALM, **LOGIN) == 2
        ),
        10,
        "two doubles, one that is none, two events",
    )
    bed.exporter.until(lambda s: missing(s) == 1, 20, "the garbled one is missing")


def test_an_event_that_is_late_but_within_the_window_is_not_missing(bed: EventPath) -> None:
    bed.keycloak.listener.order(delay_ms=int(WINDOW * 1000 * 0.6))
    with nothing_missing(bed):
        received = bed.received(**LOGIN)
        bed.driver.login(REALM, USER)
        bed.until(lambda _: bed.received(**LOGIN) == received + 1, WINDOW, "it arrived")
        bed.keycloak.listener.order()
        time.sleep(WINDOW + 2)  # in which it would be missed


def test_while_kafka_is_away_nothing_is_judged_and_events_that_come_late_were_never_missing(bed: EventPath) -> None:
    (node,) = bed.kafka.nodes
    with nothing_missing(bed) as recorder:
        received = bed.received(**LOGIN)
        node.freeze()
        began = time.monotonic()
        for _ in range(3):
            bed.driver.login(REALM, USER)
        bed.exporter.until(lambda s: s.value("keywatch_broker_up") == 0, 10, "the broker is down")
        time.sleep(max(GIVES_UP_AFTER * 0.6 - (time.monotonic() - began), 0))  # how long Kafka is away
        node.thaw()
        bed.exporter.until(well, 180, "all is well")
        bed.until(lambda _: bed.received(**LOGIN) == received + 3, 30, "they arrived")
        time.sleep(WINDOW + 2)  # in which they would be missed
    assert any(scrape.value("keywatch_events_up") == 0 for scrape in recorder.scrapes)


def test_what_the_producer_gave_up_is_missing_within_fifteen_seconds_after_kafka_is_back(bed: EventPath) -> None:
    (node,) = bed.kafka.nodes
    before = bed.keycloak.listener.counts()
    node.kill()  # a frozen one would take what waits in its sockets, though the producer has given it up
    for _ in range(4):
        bed.driver.login(REALM, USER)
    lost = bed.keycloak.listener.until(
        lambda counts: counts.failed - before.failed >= 4, GIVES_UP_AFTER + 30, "the producer gave them up"
    )
    assert bed.missing() == 0, "nobody can know yet"
    node.start()
    bed.exporter.until(lambda s: s.value("keywatch_broker_up") == 1, 20, "the broker is up")
    took = bed.until(lambda s: missing(s) == lost.failed - before.failed, 15, "what was given up is missing")
    print(f"a loss is named {took:.1f} s after Kafka is back")


def test_a_cut_between_keycloak_and_kafka_alone_is_seen_and_healed(bed: EventPath) -> None:
    bed.link.hold()
    for _ in range(3):
        bed.driver.login(REALM, USER)
    took = bed.until(lambda s: missing(s) == 3, 15, "what Keycloak counts does not arrive")
    print(f"a cut is seen after {took:.1f} s, with a window of {WINDOW:g} s")
    assert bed.exporter.scrape().value("keywatch_broker_up") == 1
    bed.link.flow()
    bed.exporter.until(lambda s: missing(s) == 0, 20, "they came after all")


def test_bursts_and_restarts_of_either_side_lose_nothing(bed: EventPath) -> None:
    with nothing_missing(bed):
        for _ in range(40):
            bed.driver.login(REALM, USER)
        bed.keycloak.restart()
        bed.driver.close()
        for _ in range(10):
            bed.driver.login(REALM, USER)
        bed.kafka.nodes[0].restart()
        for _ in range(10):
            bed.driver.login(REALM, USER)
        bed.exporter.until(well, 180, "all is well")
        time.sleep(WINDOW + 2)  # in which it would be missed


def test_a_killed_keycloak_is_down_refused_and_a_frozen_one_down_by_time_out(bed: EventPath) -> None:
    with Recorder(bed.exporter, 0.05, "?collect[]=health") as recorder:
        moment = time.monotonic()
        bed.keycloak.freeze()
        frozen = recorder.first(lambda s: s.value("keywatch_keycloak_up") == 0, moment, 4, "it is down")
        seen = bed.exporter.scrape()
        assert seen.value("keywatch_keycloak_down_reason", reason="timeout_response") == 1
        assert seen.value("keywatch_keycloak_ready") == 0
        moment = time.monotonic()
        bed.keycloak.thaw()
        back = recorder.first(lambda s: s.value("keywatch_keycloak_up") == 1, moment, 10, "it is up")
        moment = time.monotonic()
        bed.keycloak.kill()
        killed = recorder.first(lambda s: s.value("keywatch_keycloak_up") == 0, moment, 3, "it is down")
        assert bed.exporter.scrape().value("keywatch_keycloak_down_reason", reason="refused") == 1
    bed.keycloak.start()
    bed.driver.close()
    print(f"Keycloak frozen: down after {frozen:.2f} s, thawed: up after {back:.2f} s, killed: {killed:.2f} s")


def test_a_keycloak_without_its_database_is_up_and_not_ready_and_says_which_check(bed: EventPath) -> None:
    database = bed.keycloak.database
    assert database is not None
    database.kill()
    check = {"check": "keycloak_database_connections_async_health_check"}
    # Both, for a slow Keycloak is not ready as soon as it does not answer in time, before its check is.
    began = time.monotonic()
    seen = bed.exporter.until(
        lambda s: s.value("keywatch_keycloak_ready") == s.value("keywatch_keycloak_check", **check) == 0,
        60,
        "it is not ready, and the check is named",
    )
    took = time.monotonic() - began
    assert seen.value("keywatch_keycloak_up") == 1
    print(f"not ready {took:.1f} s after its database was killed")
    database.start()
    bed.exporter.until(lambda s: s.value("keywatch_keycloak_ready") == 1, 60, "it is ready again")
