"""What a running Keycloak tells of a listener is judged, and what it may answer otherwise is told in a sentence."""

from __future__ import annotations

import json
from typing import Any

import pytest

from keywatch.net.http_peer import HttpPeer
from keywatch.provider.admin import Admin, AdminError
from keywatch.provider.in_use import attribute_mistake, in_use
from keywatch.provider.journal import ChangeError
from keywatch.provider.real_event import failed_login, ready
from tests.exporter.fakes.http_server import reply, serving

TOKEN = "/realms/master/protocol/openid-connect/token"  # noqa: S105 - an address
LOADED: dict[str, Any] = {"providers": {"eventsListener": {"providers": {"audit-kafka": {}, "jboss-logging": {}}}}}


def pages(**more: Any) -> dict[str, bytes | None]:
    """Return a Keycloak's answers; `more` are others, by the end of their path."""
    found: dict[str, Any] = {
        TOKEN: {"access_token": "t"},
        "/admin/serverinfo": LOADED,
        "/admin/realms?briefRepresentation=true": [{"realm": "shop"}, {"realm": "plain"}, "odd", {}],
        "/admin/realms/shop/events/config": {"eventsListeners": ["audit-kafka", "gone"]},
        "/admin/realms/shop": {
            "attributes": {"kafka.enable.user.events": "false", "kafka.included.event.types": "LOGIN"}
        },
        "/admin/realms/plain/events/config": {"eventsListeners": ["jboss-logging"]},
        "/admin/realms/plain": {},
    }
    return {path: reply(json.dumps(value)) for path, value in {**found, **more}.items()}


async def judged(answers: dict[str, bytes | None], *ids: str, realms: tuple[str, ...] = ()) -> list[str]:
    async with serving(answers) as server:
        peer = HttpPeer(server.url)
        try:
            admin = Admin(peer)
            await admin.log_in("master", {"grant_type": "client_credentials"})
            found = await in_use(admin, ids, realms)
        finally:
            await peer.close()
        assert {headers.get("authorization") for path, headers in server.asked if path != TOKEN} == {"Bearer t"}
    return [f"{one.severity}: {one.words}" for one in found]


async def test_all_realms() -> None:
    assert await judged(pages(), "audit-kafka") == [
        "note: audit-kafka is loaded",
        "note: realm plain does not name it among its event listeners (jboss-logging)",
        "broken: realm shop names gone, which is not loaded (KC-SERVICES0083)",
        "note: realm shop: only events of these types are sent: LOGIN",
        "warning: realm shop: attribute kafka.enable.user.events is false: none of these events is sent",
    ]
    found = await judged(pages(), "other")
    assert found[0].startswith("broken: other is not loaded: Keycloak has audit-kafka, jboss-logging")
    assert found[-1] == "broken: no realm names it among its event listeners: it gets no event"


async def test_a_realm_that_must_name_it() -> None:
    found = await judged(pages(), "audit-kafka", realms=("plain",))
    assert "broken: realm plain does not name it among its event listeners (jboss-logging)" in found


@pytest.mark.parametrize(
    ("path", "answer", "words"),
    [
        (
            TOKEN,
            reply('{"error_description": "Invalid user credentials"}', "401 Unauthorized"),
            "status 401: Invalid user",
        ),
        (TOKEN, reply("[]"), "refused with status 200"),
        ("/admin/serverinfo", reply("{}"), "does not tell the providers"),
        ("/admin/serverinfo", reply("[" * 100_000), "does not tell the providers"),
        ("/admin/serverinfo", reply("", "403 Forbidden"), "what is loaded cannot be read: status 403"),
        ("/admin/realms/shop", reply("", "500 Oh"), "realm shop cannot be read: status 500"),
    ],
)
async def test_answers_that_are_none(path: str, answer: bytes, words: str) -> None:
    with pytest.raises(AdminError, match=words):
        await judged({**pages(), path: answer}, "audit-kafka")


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("bootstrap.servers", "kafka-1:9092,kafka-2:9092", ""),
        ("bootstrap.servers", "kafka-1", "is malformed"),
        ("bootstrap.servers", "", "is malformed"),
        ("included.event.types", "LOGIN, LOGIN_ERROR", ""),
        ("included.event.types", "NONSENSE", "no user event is sent"),
        ("included.event.types", "login", "no user event is sent"),
        ("included.event.types", "LOGIN,NONSENSE", "these are not sent"),
        ("enable.admin.events", "yes", "allowed: true, false"),
        ("client.id", "anything", ""),
    ],
)
def test_attributes(key: str, value: str, words: str) -> None:
    found = attribute_mistake(key, value)
    assert words in found
    assert bool(found) == bool(words)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (reply('{"error": "invalid_grant"}', "401 Unauthorized"), ""),
        (reply('{"error": "unknown_error"}', "500 Internal Server Error"), "logins in realm shop fail: HTTP 500"),
        (reply("<html>", "400 Bad Request"), "is there such a realm?"),
        (reply('{"error": "Realm does not exist"}', "404 Not Found"), "is there such a realm?"),
        (reply('{"access_token": "x"}'), "is there such a realm?"),
    ],
)
async def test_a_login_of_nobody_must_be_refused(answer: bytes, words: str) -> None:
    async with serving({"/realms/shop/protocol/openid-connect/token": answer}) as server:
        peer = HttpPeer(server.url)
        try:
            if not words:
                await failed_login(peer, "shop", "nobody")
                return
            with pytest.raises(ChangeError) as refused:
                await failed_login(peer, "shop", "nobody")
            assert words in str(refused.value)
        finally:
            await peer.close()


async def test_a_keycloak_that_never_gets_ready() -> None:
    async with serving({"/health/ready": reply("{}", "503 Service Unavailable")}) as server:
        peer = HttpPeer(server.url)
        with pytest.raises(ChangeError, match=r"was not ready within 0\.5 s: .*/health/ready: status 503"):
            await ready(peer, 0.5)
        server.pages["/health/ready"] = reply("{}")
        await ready(peer, 30)
        await peer.close()
