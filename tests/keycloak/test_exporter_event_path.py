"""Keycloak → listener → Kafka → keywatch, all of it real: what arrives, how late, what is missing, and who is down."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

from tests.kafka import admin, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Recorder, Scrape
from tests.kafka.ports import PortReservation
from tests.kafka.proxy import Proxy
from tests.keycloak.driver import Driver
from tests.keycloak.fixtures import keycloak_required
from tests.keycloak.server import KeycloakServer

pytestmark = pytest.mark.keycloak

REALM, USER = "shop", "alice"
OUTSIDE = "OUTSIDE"
WINDOW = 4.0
# The listener's producer gives a record up after this time, in place of two minutes.
GIVES_UP_AFTER = 12
LOGIN, WRONG = {"event": "login", "outcome": "success"}, {"event": "login", "outcome": "error"}


@dataclass
class Bed:
    """The whole path, with a proxy between Keycloak and Kafka alone."""

    kafka: KafkaCluster
    keycloak: KeycloakServer
    link: Proxy
    exporter: ExporterProcess
    driver: Driver

    def received(self, **labels: str) -> float:
        """Give how many events keywatch received."""
        return self.exporter.scrape().total("keywatch_events_received_total", realm=REALM, **labels)

    def missing(self) -> float:
        """Give how many events are missing."""
        return missing(self.exporter.scrape())

    def until(self, condition: Callable[[Scrape], object], deadline: float, what: str) -> float:
        """Wait for a condition and give how many seconds that took."""
        began = time.monotonic()
        self.exporter.until(condition, deadline, what)
        return time.monotonic() - began


def missing(scrape: Scrape) -> float:
    return scrape.total("keywatch_events_missing", realm=REALM)


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    keycloak_required()
    with ExitStack() as stack:
        ports = stack.enter_context(PortReservation())
        kafka = KafkaCluster(1, listeners=[f"{OUTSIDE}:PLAINTEXT"])
        stack.callback(kafka.stop)
        (node,) = kafka.nodes
        host, _, target = node.address_of(OUTSIDE).rpartition(":")
        link = stack.enter_context(Proxy("127.0.0.1", ports.take("127.0.0.1"), (host, int(target))))
        node.advertised[OUTSIDE] = f"{link.host}:{link.port}"
        kafka.start()
        kafka.wait_ready()
        for topic in ("keycloak-events", "keycloak-admin-events"):
            admin.create_topic(kafka.bootstrap, topic, partitions=3)
        producer = {"delivery.timeout.ms": str(GIVES_UP_AFTER * 1000), "request.timeout.ms": "4000"}
        keycloak = stack.enter_context(
            KeycloakServer(f"{link.host}:{link.port}", profile="snuk87", producer=producer, own_database=True)
        )
        driver = Driver(keycloak)
        stack.callback(driver.close)
        driver.make_realm(REALM)
        driver.make_user(REALM, USER)
        config = scene.config(
            kafka.bootstrap,
            topics={"watch": ["keycloak-events"]},
            keycloaks=[{"name": "kc", "url": keycloak.management_url}],
            events=[{"listener": "snuk87", "reconcile": {"window": WINDOW}}],
        )
        exporter = stack.enter_context(ExporterProcess(config))
        bed = Bed(kafka, keycloak, link, exporter, driver)
        driver.login(REALM, USER)
        exporter.until(well, 60, "all is well and judged")
        yield bed


def well(scrape: Scrape) -> bool:
    return (
        scrape.value("keywatch_keycloak_ready") == 1
        and scrape.value("keywatch_events_up") == 1
        and scrape.value("keywatch_broker_up") == 1
        and scrape.value("keywatch_events_judged_timestamp_seconds") is not None
        and missing(scrape) == 0
    )


@pytest.fixture(autouse=True)
def _mended(bed: Bed) -> Iterator[None]:
    """Begin and end each test with a path that is well; what a test lost is given up with the exporter's restart."""
    bed.exporter.until(well, 60, "all is well")
    yield
    bed.keycloak.listener.order()
    bed.link.flow()
    if bed.missing():
        bed.exporter.stop()
        bed.exporter.start()


@contextmanager
def nothing_missing(bed: Bed) -> Iterator[Recorder]:
    """Record what is said while the block runs, and see that nothing was ever missing."""
    with Recorder(bed.exporter, 0.2) as recorder:
        yield recorder
    assert {missing(scrape) for scrape in recorder.scrapes} == {0.0}


def test_what_users_do_arrives_with_its_realm_its_outcome_and_its_delay(bed: Bed) -> None:
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


def test_a_single_event_that_the_listener_loses_is_missing_within_fifteen_seconds(bed: Bed) -> None:
    bed.driver.login(REALM, USER)
    bed.keycloak.listener.order(drop_next=1)
    bed.driver.login_wrongly(REALM, USER)
    took = bed.until(lambda s: s.value("keywatch_events_missing", realm=REALM, **WRONG) == 1, 15, "one is missing")
    print(f"a lost event is missing after {took:.1f} s, with a window of {WINDOW:g} s")
    assert bed.exporter.scrape().value("keywatch_events_missing", realm=REALM, **LOGIN) == 0
    assert "1 login (error) of realm shop did not arrive" in bed.exporter.log.read_text(encoding="utf-8")


def test_doubled_and_garbled_records_are_counted_as_what_they_are(bed: Bed) -> None:
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


def test_an_event_that_is_late_but_within_the_window_is_not_missing(bed: Bed) -> None:
    bed.keycloak.listener.order(delay_ms=int(WINDOW * 1000 * 0.6))
    with nothing_missing(bed):
        received = bed.received(**LOGIN)
        bed.driver.login(REALM, USER)
        bed.until(lambda _: bed.received(**LOGIN) == received + 1, WINDOW, "it arrived")
        bed.keycloak.listener.order()
        time.sleep(WINDOW + 2)  # in which it would be missed


def test_while_kafka_is_away_nothing_is_judged_and_events_that_come_late_were_never_missing(bed: Bed) -> None:
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
        bed.exporter.until(well, 60, "all is well")
        bed.until(lambda _: bed.received(**LOGIN) == received + 3, 30, "they arrived")
        time.sleep(WINDOW + 2)  # in which they would be missed
    assert any(scrape.value("keywatch_events_up") == 0 for scrape in recorder.scrapes)


def test_what_the_producer_gave_up_is_missing_within_fifteen_seconds_after_kafka_is_back(bed: Bed) -> None:
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


def test_a_cut_between_keycloak_and_kafka_alone_is_seen_and_healed(bed: Bed) -> None:
    bed.link.hold()
    for _ in range(3):
        bed.driver.login(REALM, USER)
    took = bed.until(lambda s: missing(s) == 3, 15, "what Keycloak counts does not arrive")
    print(f"a cut is seen after {took:.1f} s, with a window of {WINDOW:g} s")
    assert bed.exporter.scrape().value("keywatch_broker_up") == 1
    bed.link.flow()
    bed.exporter.until(lambda s: missing(s) == 0, 20, "they came after all")


def test_bursts_and_restarts_of_either_side_lose_nothing(bed: Bed) -> None:
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
        bed.exporter.until(well, 60, "all is well")
        time.sleep(WINDOW + 2)  # in which it would be missed


def test_a_killed_keycloak_is_down_refused_and_a_frozen_one_down_by_time_out(bed: Bed) -> None:
    with Recorder(bed.exporter, 0.05, "?collect[]=health") as recorder:
        moment = time.monotonic()
        bed.keycloak.freeze()
        frozen = recorder.first(lambda s: s.value("keywatch_keycloak_up") == 0, moment, 10, "it is down")
        seen = bed.exporter.scrape()
        assert seen.value("keywatch_keycloak_down_reason", reason="timeout_response") == 1
        assert seen.value("keywatch_keycloak_ready") == 0
        moment = time.monotonic()
        bed.keycloak.thaw()
        back = recorder.first(lambda s: s.value("keywatch_keycloak_up") == 1, moment, 10, "it is up")
        moment = time.monotonic()
        bed.keycloak.kill()
        killed = recorder.first(lambda s: s.value("keywatch_keycloak_up") == 0, moment, 10, "it is down")
        assert bed.exporter.scrape().value("keywatch_keycloak_down_reason", reason="refused") == 1
    bed.keycloak.start()
    bed.driver.close()
    print(f"Keycloak frozen: down after {frozen:.2f} s, thawed: up after {back:.2f} s, killed: {killed:.2f} s")
    assert frozen < 4
    assert killed < 3


def test_a_keycloak_without_its_database_is_up_and_not_ready_and_says_which_check(bed: Bed) -> None:
    database = bed.keycloak.database
    assert database is not None
    database.kill()
    check = {"check": "keycloak_database_connections_async_health_check"}
    took = bed.until(lambda s: s.value("keywatch_keycloak_ready") == 0, 60, "it is not ready")
    seen = bed.exporter.until(lambda s: s.value("keywatch_keycloak_check", **check) == 0, 10, "the check is named")
    assert seen.value("keywatch_keycloak_up") == 1
    print(f"not ready {took:.1f} s after its database was killed")
    database.start()
    bed.exporter.until(lambda s: s.value("keywatch_keycloak_ready") == 1, 60, "it is ready again")
