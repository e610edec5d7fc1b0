"""Messages, lines and records as people reported them: nothing that was planted comes out, and what helps stays."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.logstash.model.pipeline import Pipeline
from tests.logstash.ours import HERE, event, pipeline
from tests.logstash.ruby import Ruby

PLANTED = re.compile(r"zedwick|zq@corp|hunter2|dbpw123|10\.1\.2\.3(?!\d)")
# What nobody can tell from the name of something else; the guide says so.
UNTELLABLE = {
    "host_name_user": "a host that is named after its user",
    "realmid_name": "a realm that is named after a person",
    "error_pii_code": "an error code of one word",
    "admin_path_client": "a client that is named after a person",
}
MESSAGES: list[dict[str, str]] = json.loads((HERE / "cases" / "log-messages.json").read_text(encoding="utf-8"))
LINES: list[dict[str, str]] = json.loads((HERE / "cases" / "log-lines.json").read_text(encoding="utf-8"))
RECORDS: list[dict[str, Any]] = json.loads((HERE / "cases" / "event-records.json").read_text(encoding="utf-8"))
OWN: list[dict[str, str]] = json.loads((HERE / "cases" / "own-messages.json").read_text(encoding="utf-8"))


def line(message: str, logger: str = "org.keycloak.services") -> str:
    """Write a line of Keycloak's log in its default JSON."""
    return json.dumps(
        {"timestamp": "2026-11-23T15:16:42.5Z", "loggerName": logger, "level": "ERROR", "message": message}
    )


@pytest.fixture(scope="module")
def logs(ruby: Ruby) -> Pipeline:
    """Return the pipeline of Keycloak's log."""
    return pipeline("keycloak-logs", ruby)


@pytest.fixture(scope="module")
def events(ruby: Ruby) -> Pipeline:
    """Return the pipeline of events."""
    return pipeline("keycloak-events", ruby)


def seen(ran: Pipeline, sample: dict[str, Any]) -> str:
    """Return all that comes out of a sample."""
    return json.dumps(ran.run(event(sample)), ensure_ascii=False)


@pytest.mark.parametrize("case", [*MESSAGES, *OWN], ids=lambda case: case["name"])
def test_of_a_message_nothing_comes_out_that_must_not(case: dict[str, str], logs: Pipeline) -> None:
    [document] = logs.run(event({"text": line(case["message"], case.get("logger", "org.keycloak.services"))}))
    assert not re.search(case["must_not_remain"], json.dumps(document, ensure_ascii=False)), document["message"]
    for kept in case.get("must_remain", "").split("|"):
        assert kept in document["message"]


@pytest.mark.parametrize(
    "case", [case for case in LINES if case["name"] not in UNTELLABLE], ids=lambda case: case["name"]
)
def test_of_a_line_nothing_comes_out_that_was_planted(case: dict[str, str], logs: Pipeline) -> None:
    assert not PLANTED.search(seen(logs, {"text": case["line"]}))


def record(value: Any, topic: str = "keycloak.events") -> dict[str, Any]:
    """Make a sample of a record."""
    text = value if isinstance(value, str) else json.dumps(value)
    return {"topic": topic, "partition": 0, "offset": 7, "timestamp": 1758791787999, "key": None, "text": text}


@pytest.mark.parametrize(
    "case", [case for case in RECORDS if case["name"] not in UNTELLABLE], ids=lambda case: case["name"]
)
def test_of_a_record_nothing_comes_out_that_was_planted(case: dict[str, Any], events: Pipeline) -> None:
    assert not PLANTED.search(seen(events, record(case["record"])))


# Sentences of Keycloak, Infinispan, Hibernate and others: whoever reads them needs each of their words.
KEPT = [
    "Keycloak 26.0.5.1 on JVM (powered by Quarkus 3.33.3.1) started in 12.169s. Listening on: http://127.0.0.1:8080",
    "Infinispan 15.0.8.12, JGroups 5.3.4.11.Final and postgresql-42.7.4.1.jar; Chrome/118.0.0.0 OPR/76.1.2.3",
    "KC-SERVICES0095: Client is not allowed to initiate browser login with given response_type",
    "org.keycloak.models.ModelException: could not find realm 6a5b1e0c-0000-4000-8000-000000000001, error=not_found",
    "java.lang.IllegalStateException: at org.keycloak.services.util.UserSessionUtil.find(UserSessionUtil.java:12)",
    "at a::b and 12:34:56 and :: and 2026-11-29T09:12:01Z f:abc",
    "User session not found. User is disabled, user has no email; user profile is enabled",
    "OTP is always skipped if user has the given Role. Token is not active, password is expired",
    "Invalid token issuer. Expected 'https://kc.example/realms/shop', token_type=Bearer, accessTokenLifespan=300",
    "HTTP 401 Unauthorized: Basic authentication failed, Bearer token required, digest algorithm missing",
    "passwordPolicy=hashIterations(27500) credentialType=password grant_type=refresh_token code=404 state=RUNNING",
    'SRHCK01001: {"status":"DOWN","checks":[{"name":"Keycloak database health check","status":"DOWN"}]}',
    "ISPN000078: Starting channel `ISPN` with stack `jdbc-ping`; local_addr: 00000000-0000-0000-0000-000000000001",
    "Connection pool: max 100, username=null, password=********, user=6a5b1e0c-0000-4000-8000-000000000001",
    "List<Token> is empty, Map<User> too; org.keycloak.Foo@1a2b3c",
]


@pytest.mark.parametrize("message", KEPT)
def test_what_helps_stays_as_it_is(message: str, logs: Pipeline) -> None:
    [document] = logs.run(event({"text": line(message)}))
    assert document["message"] == message


def test_a_long_message_is_cut_and_says_so(logs: Pipeline) -> None:
    for message in ("x" * 70_000, "word " * 14_000, "password=" + "y" * 70_000):
        [document] = logs.run(event({"text": line(message)}))
        assert document["tags"] == ["_text_cut"]
        assert document["message"][:9] == message[:9]
        assert "y" not in document["message"]
    [document] = logs.run(event({"text": line("short")}))
    assert "tags" not in document


def test_half_a_secret_at_the_end_of_what_is_read_does_not_come_out(logs: Pipeline) -> None:
    # Keys shrink, so that the end of what is read comes to stand within what is kept.
    keys = "-----BEGIN KEY-----" + "k" * 600 + "-----END KEY-----\n"
    message = (keys * 110)[: 65_536 - 12] + " zedwick.quux@corp.example"
    [document] = logs.run(event({"text": line(message)}))
    assert "zedwick" not in document["message"]


@pytest.mark.parametrize("mode", ["hash", "drop"])
def test_a_version_is_no_address_in_any_mode(mode: str, ruby: Ruby) -> None:
    agent = "Mozilla/5.0 (X11) AppleWebKit/537.36 Chrome/118.0.0.0 Safari/537.36 okhttp3/10.1.2.3"
    said = "Keycloak 26.0.5.1 (Chrome/118.0.0.0), v1.2.3.4, version: 4.4.0.7"
    value = {"time": 1758791787360, "type": "LOGIN", "realmId": "r", "details": {"user_agent": agent, "reason": said}}
    [document] = pipeline("keycloak-events", ruby, PII_IP_MODE=mode).run(event(record(value)))
    assert document["user_agent"]["original"] == agent
    assert document["keycloak"]["event"]["details"]["reason"] == said
