"""`keywatch listener check --keycloak URL` asks a real Keycloak about a listener, and has an event prove it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from keywatch.cli.command import main
from tests.exporter.provider import class_maker
from tests.kafka import admin
from tests.kafka.cluster import KafkaCluster
from tests.keycloak.distribution import ADMIN
from tests.keycloak.driver import Driver
from tests.keycloak.fixtures import keycloak_required
from tests.keycloak.preparation import prepared
from tests.keycloak.server import KeycloakServer

pytestmark = [pytest.mark.keycloak, pytest.mark.timeout(900)]

REALM, TOPIC, ID = "shop", "keycloak.events", "keywatch-kafka"
Bed = tuple[KafkaCluster, KeycloakServer, Driver]
Capsys = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    keycloak_required()
    with ExitStack() as stack:
        kafka = stack.enter_context(KafkaCluster(1))
        admin.create_topic(kafka.bootstrap, TOPIC, partitions=2)
        admin.create_topic(kafka.bootstrap, "silent", partitions=1)
        server = stack.enter_context(KeycloakServer(kafka.bootstrap))
        driver = Driver(server)
        stack.callback(driver.close)
        driver.make_realm(REALM)
        driver.make_realm("plain", listeners=("jboss-logging",))
        yield kafka, server, driver


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYCLOAK_PASSWORD", ADMIN)


def check(capsys: Capsys, server: KeycloakServer, *flags: str, jar: Path | None = None) -> tuple[int, list[str]]:
    """Check the listener that is there, and return the exit code and what is told of its use, with how bad it is."""
    capsys.readouterr()
    jar = jar or prepared() / "providers" / "keywatch-listener.jar"
    user = ("--username", ADMIN, "--password-env", "KEYCLOAK_PASSWORD")
    who = () if "--client-secret-env" in flags else user
    code = main(["listener", "check", str(jar), "--json", "--keycloak", server.url, *who, *flags])
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, [f"{one['severity']}: {one['words']}" for one in report["findings"] if one["check"] == "in use"]


def test_a_listener_in_use_is_proved_by_an_event(capsys: Capsys, bed: Bed) -> None:
    kafka, server, _ = bed
    code, found = check(capsys, server, "--realm", REALM, "--topic", TOPIC, "--kafka", kafka.bootstrap)
    assert (code, found[0]) == (0, f"note: {ID} is loaded")
    assert found[1].startswith(f"note: the event came to {TOPIC} after ")
    flags = ("--topic", "silent", "--kafka", kafka.bootstrap, "--event-within", "2")
    code, found = check(capsys, server, "--realm", REALM, *flags)
    assert code == 1
    assert any("did not come to silent within 2 s" in one for one in found)
    code, found = check(capsys, server, "--realm", REALM, "--topic", "nobody", "--kafka", kafka.bootstrap)
    assert code == 1
    assert any(one.startswith("broken: topic nobody cannot be read") for one in found)


def test_realms_that_do_not_name_it(capsys: Capsys, bed: Bed) -> None:
    _, server, _ = bed
    words = "realm plain does not name it among its event listeners (jboss-logging)"
    code, found = check(capsys, server)
    assert code == 0
    assert f"note: {words}" in found
    code, found = check(capsys, server, "--realm", "plain")
    assert code == 1
    assert f"broken: {words}" in found


def test_a_listener_that_is_not_loaded(capsys: Capsys, bed: Bed, tmp_path: Path) -> None:
    code, found = check(capsys, bed[1], jar=class_maker.listener(tmp_path / "audit.jar"))
    assert code == 1
    assert found[0].startswith("broken: audit-kafka is not loaded: Keycloak has ")


def test_attributes_that_lock_a_realm_out_or_silence_it(capsys: Capsys, bed: Bed) -> None:
    _, server, driver = bed
    attributes = {"kafka.bootstrap.servers": "bad", "kafka.included.event.types": "LOGIN,NONSENSE"}
    realm = {"realm": "odd", "enabled": True, "eventsListeners": [ID], "attributes": attributes}
    driver.admin("POST", "", realm, expect=201)
    try:
        code, found = check(capsys, server, "--realm", "odd")
    finally:
        driver.delete_realm("odd")
    assert code == 1
    assert any("attribute kafka.bootstrap.servers is malformed: 'bad' is not host:port" in one for one in found)
    assert any("names types that Keycloak 26.7 does not have: NONSENSE; these are not sent" in one for one in found)


def test_a_password_that_is_wrong_and_a_keycloak_that_is_not_there(
    capsys: Capsys, bed: Bed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYCLOAK_PASSWORD", "wrong-password")
    code, found = check(capsys, bed[1])
    assert code == 1
    assert "the login in realm master was refused with status 400: Invalid user" in found[0]
    assert "wrong-password" not in str(found)
    jar = str(prepared() / "providers" / "keywatch-listener.jar")
    user = ["--username", ADMIN, "--password-env", "KEYCLOAK_PASSWORD"]
    assert main(["listener", "check", jar, "--keycloak", "http://127.0.0.1:1", *user]) == 1
    assert "refused" in capsys.readouterr().out
    assert main(["listener", "check", jar, "--keycloak", "http://127.0.0.1:1"]) == 2


def test_rights_to_view_are_enough(capsys: Capsys, bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client in the realm `master` that may view one realm, its events, and what the server has loaded."""
    _, server, driver = bed
    monkeypatch.setenv("CHECK_SECRET", "invented-secret")
    client = {
        "clientId": "keywatch-check",
        "secret": "invented-secret",
        "serviceAccountsEnabled": True,
        "standardFlowEnabled": False,
    }
    driver.admin("POST", "/master/clients", client, expect=201)
    own = driver.admin("GET", "/master/clients?clientId=keywatch-check")[0]["id"]
    account = driver.admin("GET", f"/master/clients/{own}/service-account-user")["id"]
    of_realm = driver.admin("GET", f"/master/clients?clientId={REALM}-realm")[0]["id"]
    roles = [driver.admin("GET", f"/master/clients/{of_realm}/roles/{name}") for name in ("view-realm", "view-events")]
    driver.admin("POST", f"/master/users/{account}/role-mappings/clients/{of_realm}", roles, expect=204)
    flags = ("--client-id", "keywatch-check", "--client-secret-env", "CHECK_SECRET", "--realm", REALM)
    code, found = check(capsys, server, *flags)
    assert (code, found) == (0, [f"note: {ID} is loaded"])
    code, found = check(capsys, server, *flags[:-1], "plain")
    assert code == 1
    assert any("status 403 (view-realm and view-events of the realm are needed)" in one for one in found)
