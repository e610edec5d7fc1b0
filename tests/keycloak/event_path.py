"""The whole path, all of it real: Keycloak, a listener, Kafka, and keywatch that watches them from outside."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from tests.kafka import admin, scene
from tests.kafka.cluster import KafkaCluster
from tests.kafka.exporter_process import ExporterProcess, Scrape
from tests.kafka.ports import PortReservation
from tests.kafka.proxy import Proxy
from tests.keycloak.driver import Driver
from tests.keycloak.server import KeycloakServer

REALM, USER = "shop", "alice"
_OUTSIDE = "OUTSIDE"


@dataclass
class EventPath:
    """The whole path, with a proxy between Keycloak and Kafka alone."""

    kafka: KafkaCluster
    keycloak: KeycloakServer
    link: Proxy
    exporter: ExporterProcess
    driver: Driver

    def received(self, **labels: str) -> float:
        """Return how many events keywatch received."""
        return self.exporter.scrape().total("keywatch_events_received_total", realm=REALM, **labels)

    def missing(self) -> float:
        """Return how many events are missing."""
        return missing(self.exporter.scrape())

    def until(self, condition: Callable[[Scrape], object], deadline: float, what: str) -> float:
        """Wait for a condition and give how many seconds that took."""
        began = time.monotonic()
        self.exporter.until(condition, deadline, what)
        return time.monotonic() - began


@contextmanager
def event_path(window: float, **producer: str) -> Iterator[EventPath]:
    """Start all of it and wait until it is well; `producer` holds settings of the listener's (`_` for each dot)."""
    with ExitStack() as stack:
        ports = stack.enter_context(PortReservation())
        kafka = KafkaCluster(1, listeners=[f"{_OUTSIDE}:PLAINTEXT"])
        stack.callback(kafka.stop)
        (node,) = kafka.nodes
        host, _, target = node.address_of(_OUTSIDE).rpartition(":")
        link = stack.enter_context(Proxy("127.0.0.1", ports.take("127.0.0.1"), (host, int(target))))
        node.advertised[_OUTSIDE] = f"{link.host}:{link.port}"
        kafka.start()
        kafka.wait_ready()
        for topic in ("keycloak-events", "keycloak-admin-events"):
            admin.create_topic(kafka.bootstrap, topic, partitions=3)
        settings = {name.replace("_", "."): value for name, value in producer.items()}
        keycloak = stack.enter_context(
            KeycloakServer(f"{link.host}:{link.port}", profile="snuk87", producer=settings, own_database=True)
        )
        driver = Driver(keycloak)
        stack.callback(driver.close)
        driver.make_realm(REALM)
        driver.make_user(REALM, USER)
        config = scene.config(
            kafka.bootstrap,
            topics={"watch": ["keycloak-events"]},
            keycloaks=[{"name": "kc", "url": keycloak.management_url}],
            events=[{"listener": "snuk87", "reconcile": {"window": window}}],
        )
        exporter = stack.enter_context(ExporterProcess(config))
        path = EventPath(kafka, keycloak, link, exporter, driver)
        driver.login(REALM, USER)
        exporter.until(well, 240, "all is well and judged")
        yield path


def well(scrape: Scrape) -> bool:
    """Return whether everything works, and was judged, and nothing is missing."""
    return (
        scrape.value("keywatch_keycloak_ready") == 1
        and scrape.value("keywatch_events_up") == 1
        and scrape.value("keywatch_broker_up") == 1
        and scrape.value("keywatch_events_judged_timestamp_seconds") is not None
        and missing(scrape) == 0
    )


def missing(scrape: Scrape) -> float:
    """Sum the events that are missing."""
    return scrape.total("keywatch_events_missing", realm=REALM)


def unarrived(scrape: Scrape) -> float:
    """Sum the events that are missing and those that were given up meanwhile."""
    return missing(scrape) + scrape.total("keywatch_events_lost_total", realm=REALM)
