"""Proves the harness itself: Keycloak's events reach a real Kafka in each form, orders work, nothing stays behind."""

from __future__ import annotations

import http.client
import json
import secrets
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from confluent_kafka import Message

from tests.kafka import admin, guard
from tests.kafka.cluster import KafkaCluster
from tests.kafka.waiting import wait_until
from tests.keycloak.driver import Driver, Session
from tests.keycloak.fixtures import keycloak_required
from tests.keycloak.health import status_of
from tests.keycloak.preparation import prepared
from tests.keycloak.records import Tail
from tests.keycloak.server import KeycloakServer, KeycloakStartError
from tests.slowness import Stopwatch

pytestmark = pytest.mark.keycloak

REALM, USER = "shop", "alice"
TOPICS = ("keycloak.events", "keycloak.admin.events", "keycloak-events", "keycloak-admin-events")
# A prepared Keycloak takes 7 s on two idle cores; on busy ones four times that was seen.
START_SECONDS = 90.0


@pytest.fixture(autouse=True)
def _keycloak() -> None:
    keycloak_required()


@pytest.fixture(scope="module")
def kafka() -> Iterator[KafkaCluster]:
    """Return one node with the topics of both forms."""
    keycloak_required()
    with KafkaCluster(1) as cluster:
        for topic in TOPICS:
            admin.create_topic(cluster.bootstrap, topic)
        yield cluster


@pytest.fixture(scope="module")
def server(kafka: KafkaCluster) -> Iterator[KeycloakServer]:
    """Return a Keycloak with a realm and a user."""
    prepared()
    watch = Stopwatch()
    with KeycloakServer(kafka.bootstrap) as server:
        assert watch.excuse("Keycloak is ready", START_SECONDS)
        driver = Driver(server)
        driver.make_realm(REALM)
        driver.make_user(REALM, USER)
        driver.close()
        yield server


@pytest.fixture
def driver(server: KeycloakServer) -> Iterator[Driver]:
    """Return a driver of a Keycloak whose listener does as the real ones do."""
    server.listener.order(profile="scriptonbasestar")
    driver = Driver(server)
    yield driver
    driver.close()


@pytest.fixture
def tail(kafka: KafkaCluster) -> Iterator[Tail]:
    """Return a reader of user events that is past all that came before the test."""
    with Tail(kafka.bootstrap, ["keycloak.events"]) as tail:
        mark = secrets.token_bytes(8)
        admin.produce(kafka.bootstrap, "keycloak.events", 1, value=mark)
        while tail.take(1)[0].value() != mark:
            pass
        yield tail


def live_through(driver: Driver) -> None:
    """Have a user log in wrongly and rightly, refresh and log out."""
    driver.login_wrongly(REALM, USER)
    session: Session = driver.refresh(REALM, driver.login(REALM, USER))
    driver.logout(REALM, session)


def decoded(message: Message) -> dict[str, object]:
    """Return the JSON of a record."""
    value = message.value()
    assert value is not None
    found = json.loads(value)
    assert isinstance(found, dict)
    return found


TYPES = ["LOGIN_ERROR", "LOGIN", "REFRESH_TOKEN", "LOGOUT"]


def test_events_arrive_in_the_form_of_scriptonbasestar(driver: Driver, tail: Tail) -> None:
    live_through(driver)
    records = tail.take(4)
    events = [decoded(record) for record in records]
    assert [event["type"] for event in events] == TYPES
    fields = {"id", "time", "type", "realmId", "clientId", "userId", "sessionId", "ipAddress", "details"}
    assert {frozenset(event) for event in events} == {frozenset(fields)}
    assert len({event["id"] for event in events}) == 4
    keys = [f"{event['realmId']}:{event['type']}:{event['userId']}".encode() for event in events]
    assert [record.key() for record in records] == keys
    assert all(record.headers() is None for record in records)


def test_events_arrive_in_the_form_of_snuk87(driver: Driver, server: KeycloakServer, kafka: KafkaCluster) -> None:
    server.listener.order(profile="snuk87")
    live_through(driver)
    with Tail(kafka.bootstrap, ["keycloak-events"]) as tail:
        records = tail.take(4)
    events = [decoded(record) for record in records]
    assert [event["type"] for event in events] == TYPES
    assert {event["realmName"] for event in events} == {REALM}
    assert [event["error"] for event in events] == ["invalid_user_credentials", None, None, None]
    assert {record.key() for record in records} == {None}


@pytest.mark.parametrize(
    ("profile", "topic", "fields"),
    [
        (
            "scriptonbasestar",
            "keycloak.admin.events",
            {"id", "time", "operationType", "realmId", "authDetails", "resourcePath", "representation"},
        ),
        (
            "snuk87",
            "keycloak-admin-events",
            {"id", "time", "realmId", "realmName", "authDetails", "resourceType", "operationType", "resourcePath",
             "representation", "error", "details", "resourceTypeAsString", "resourceId"},
        ),
    ],
)  # fmt: skip
def test_admin_changes_arrive(
    driver: Driver, server: KeycloakServer, kafka: KafkaCluster, profile: str, topic: str, fields: set[str]
) -> None:
    server.listener.order(profile=profile)
    user = driver.make_user(REALM, f"of-{profile}")
    driver.rename_user(REALM, user, "Renamed")
    driver.delete_user(REALM, user)
    found: list[dict[str, object]] = []
    with Tail(kafka.bootstrap, [topic]) as tail:
        while len(found) < 3:
            event = decoded(tail.take(1)[0])
            if event["resourcePath"] == f"users/{user}":
                found.append(event)
    assert [event["operationType"] for event in found] == ["CREATE", "UPDATE", "DELETE"]
    assert set(found[0]) == fields


def test_keycloak_counts_events_itself(driver: Driver, server: KeycloakServer) -> None:
    driver.login_wrongly(REALM, USER)
    connection = http.client.HTTPConnection("127.0.0.1", server.management_port, timeout=10)
    connection.request("GET", "/metrics", headers={"Accept": "text/plain"})
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    start = 'keycloak_user_events_total{error="invalid_user_credentials",event="login",realm="shop"'
    assert len([line for line in lines if line.startswith(start)]) == 1


def test_ordered_events_are_dropped(driver: Driver, server: KeycloakServer, tail: Tail) -> None:
    before = server.listener.counts()
    server.listener.order(drop_next=2, only="LOGIN_ERROR")
    for _ in range(3):
        driver.login_wrongly(REALM, USER)
    driver.login(REALM, USER)
    assert [decoded(record)["type"] for record in tail.take(2)] == ["LOGIN_ERROR", "LOGIN"]
    after = server.listener.until(lambda counts: counts.acked == counts.sent, 10, "all that was sent was acknowledged")
    assert (after.seen - before.seen, after.dropped - before.dropped, after.sent - before.sent) == (4, 2, 2)


def test_every_third_event_is_dropped(driver: Driver, server: KeycloakServer, tail: Tail) -> None:
    before = server.listener.counts()
    server.listener.order(drop_every=3)
    for _ in range(7):
        driver.login_wrongly(REALM, USER)
    assert len(tail.take(5)) == 5
    assert server.listener.counts().dropped - before.dropped == 2


def test_ordered_events_are_duplicated_with_their_id(driver: Driver, server: KeycloakServer, tail: Tail) -> None:
    server.listener.order(duplicate_next=1)
    driver.login_wrongly(REALM, USER)
    driver.login_wrongly(REALM, USER)
    first, second, third = (decoded(record)["id"] for record in tail.take(3))
    assert first == second != third


def test_ordered_events_are_garbled(driver: Driver, server: KeycloakServer, tail: Tail) -> None:
    server.listener.order(garble_every=2)
    for _ in range(2):
        driver.login_wrongly(REALM, USER)
    good, garbled = tail.take(2)
    decoded(good)
    with pytest.raises(json.JSONDecodeError):
        decoded(garbled)


def test_ordered_events_come_late(driver: Driver, server: KeycloakServer, tail: Tail) -> None:
    server.listener.order(delay_ms=1500)
    watch = Stopwatch()
    driver.login_wrongly(REALM, USER)
    assert watch.excuse("a login", 1.5), "the login itself waits for nothing"
    event = decoded(tail.take(1)[0])
    assert time.monotonic() - watch.began >= 1.5
    assert event["type"] == "LOGIN_ERROR"


def test_unknown_orders_are_refused(server: KeycloakServer) -> None:
    with pytest.raises(ValueError, match="no order drop_some"):
        server.listener.order(drop_some=1)
    with pytest.raises(ValueError, match="no profile nobody"):
        server.listener.order(profile="nobody")


def test_listens_on_loopback_only(server: KeycloakServer) -> None:
    listening = [one.laddr for one in psutil.Process(server.pid).net_connections("inet") if one.status == "LISTEN"]
    assert {address.ip.removeprefix("::ffff:") for address in listening} == {"127.0.0.1"}
    assert {server.port, server.management_port, server.listener.port} <= {address.port for address in listening}


def test_frozen_keycloak_accepts_but_does_not_answer(server: KeycloakServer) -> None:
    url = f"{server.management_url}/health/live"
    server.freeze()
    assert server.frozen
    socket.create_connection(("127.0.0.1", server.management_port), 1).close()
    assert status_of(url) == 0
    server.thaw()
    assert status_of(url) == 200


def test_killed_keycloak_refuses_and_comes_back_with_its_data(driver: Driver, server: KeycloakServer) -> None:
    pid = server.pid
    server.kill()
    assert not psutil.pid_exists(pid)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.management_port), 1)
    server.start()
    driver.close()
    driver.login(REALM, USER)
    assert server.listener.counts().seen == 1


def test_start_error_carries_the_log() -> None:
    server = KeycloakServer(options=["--hostname-strict=perhaps"])
    with pytest.raises(KeycloakStartError, match="perhaps"), server:
        pass
    assert not server.folder.exists()


def test_close_leaves_nothing_behind() -> None:
    server = KeycloakServer(own_database=True)
    server.spawn()
    assert server.database is not None
    pids = [server.pid, server.database.pid]
    # Java starts itself once more under other settings, and for a moment cannot be told by its command.
    wait_until(lambda: sorted(guard.nodes_of(server.folder)) == sorted(pids), 10, "both are known to the guard")
    server.freeze()
    server.close()
    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert not server.folder.exists()
    server.close()


def test_nothing_survives_a_killed_test_process() -> None:
    script = """
        import sys
        from tests.keycloak.server import KeycloakServer
        server = KeycloakServer(own_database=True)
        server.spawn()
        print(server.pid, server.database.pid, server.folder, flush=True)
        sys.stdin.read()
    """
    root = Path(__file__).parents[2]
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        *pids, folder = child.stdout.readline().split()
        assert all(psutil.pid_exists(int(pid)) for pid in pids)
        child.send_signal(signal.SIGKILL)
    wait_until(lambda: not any(psutil.pid_exists(int(pid)) for pid in pids), 15, "the servers are gone")
    wait_until(lambda: not Path(folder).exists(), 15, "the folder is gone")
