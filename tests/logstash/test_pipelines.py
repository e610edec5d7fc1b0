"""Our pipelines make the documents that are written down, run every plugin, and start only with a key."""

from __future__ import annotations

import hmac
import json
from typing import Any

import pytest

from keywatch.logstash.language import parse
from keywatch.logstash.variables import UndefinedError
from tests.logstash import goldens
from tests.logstash.ours import ENVIRONMENT, FILES, FOLDER, SAMPLES, event, pipeline, samples
from tests.logstash.ruby import NoRuby, Ruby, ScriptError


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_become_the_documents_that_are_written_down(name: str, ruby: Ruby) -> None:
    wanted = json.loads((goldens.FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    _, found = goldens.documents(name, ruby)
    assert len(found) == len(samples(name))
    for number, (one, other) in enumerate(zip(found, wanted, strict=True)):
        assert one == other, f"{name}, sample {number}"


def test_every_plugin_runs_at_least_once(ruby: Ruby) -> None:
    ran: set[str] = set()
    for name in SAMPLES:
        ran |= goldens.documents(name, ruby)[0].ran
    broken = pipeline("keycloak-events", ruby)
    ruby.out_of_order("redact.rb")
    broken.run(event(samples("user-events")[0]))
    ruby.out_of_order(None)
    configs = [parse(file.read_text(encoding="utf-8")) for file in FILES]
    have = {
        plugin.text("id") for config in configs for kind in ("filter", "output") for _, plugin in config.plugins(kind)
    }
    assert have == ran | broken.ran


def test_the_same_record_read_twice_is_one_document(ruby: Ruby) -> None:
    ran = pipeline("keycloak-events", ruby)
    for name in ("user-events", "admin-events", "unparsed-records"):
        for sample in samples(name):
            first, second = ran.run(event(sample)), ran.run(event(sample))
            assert first == second
            assert len(first) == 1
            assert first[0]["_id"]


def test_every_document_has_what_lag_and_routing_need(ruby: Ruby) -> None:
    for name in SAMPLES:
        for documents in goldens.documents(name, ruby)[1]:
            for document in documents:
                assert document["data_stream"]["type"] == "logs"
                assert document["event"]["dataset"] == document["data_stream"]["dataset"]
                if name in {"user-events", "admin-events", "unparsed-records", "dead-letters"}:
                    assert document["kafka"].keys() == {"topic", "partition", "offset", "timestamp"}


def test_a_script_that_breaks_lets_nothing_of_the_event_out(ruby: Ruby) -> None:
    ran = pipeline("keycloak-events", ruby)
    ruby.out_of_order("redact.rb")
    [document] = ran.run(event(samples("user-events")[0]))
    ruby.out_of_order(None)
    assert document.keys() == {"@timestamp", "_id", "data_stream", "event", "kafka", "tags"}
    assert document["tags"] == ["_redaction_failed"]
    assert document["event"] == {"id": document["_id"]}


@pytest.mark.parametrize("key", ["", "short", "x" * 31])
def test_without_a_key_worth_the_name_no_pipeline_starts(key: str, ruby: Ruby) -> None:
    for name in set(SAMPLES.values()):
        with pytest.raises(ScriptError, match="PII_HASH_KEY must have 32 bytes at least"):
            pipeline(name, ruby, PII_HASH_KEY=key)


@pytest.mark.parametrize("name", ["PII_HASH_KEY"])
def test_a_variable_that_is_not_defined_keeps_a_pipeline_from_starting(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(ENVIRONMENT, name)
    for one in set(SAMPLES.values()):
        with pytest.raises(UndefinedError, match=name):
            pipeline(one, NoRuby())


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"PII_IP_MODE": "blur"}, "ip_mode must be one of keep, truncate, hash, drop"),
        ({"PII_USER_NAME_MODE": ""}, "user_name_mode must be one of keep, hash, drop"),
        ({"PII_SESSION_MODE": "drop"}, "session_mode must be one of keep, hash"),
    ],
)
def test_a_mode_that_does_not_exist_keeps_a_pipeline_from_starting(
    parameters: dict[str, str], says: str, ruby: Ruby
) -> None:
    with pytest.raises(ScriptError, match=says):
        pipeline("keycloak-events", ruby, **parameters)


def test_a_detail_that_is_a_secret_cannot_be_allowed(ruby: Ruby) -> None:
    parameters: dict[str, Any] = {"hash_key": "k" * 32, "ip_mode": "keep", "user_name_mode": "keep"}
    parameters |= {"session_mode": "keep", "fields": {"[message]": "text"}}
    script = FOLDER / "scripts" / "redact.rb"
    ruby.load(script, {**parameters, "details_allow": ["refresh_token_id", "scope"]})
    for name in ("client_secret", "password", "access_token", "code", "api_key", "Authorization"):
        with pytest.raises(ScriptError, match=f"details_allow names secrets: {name}"):
            ruby.load(script, {**parameters, "details_allow": [name]})


@pytest.mark.parametrize(
    ("environment", "ip", "hashed", "name", "session"),
    [
        ({}, "10.1.2.0", None, "hash", "s-1"),
        ({"PII_IP_MODE": "keep", "PII_USER_NAME_MODE": "keep"}, "10.1.2.3", None, "keep", "s-1"),
        ({"PII_IP_MODE": "drop", "PII_USER_NAME_MODE": "drop"}, None, None, "drop", "s-1"),
        ({"PII_IP_MODE": "hash", "PII_SESSION_MODE": "hash"}, None, 64, "hash", 64),
    ],
)
def test_modes_decide_about_addresses_names_and_sessions(
    environment: dict[str, str], ip: str | None, hashed: int | None, name: str, session: str | int, ruby: Ruby
) -> None:
    record = {"id": "e-1", "time": 1795443900000, "type": "LOGIN", "realmId": "r", "ipAddress": "10.1.2.3"}
    record |= {"sessionId": "s-1", "details": {"username": "Ann", "code_id": "s-1", "reason": "from 10.1.2.3"}}
    sample = {**samples("user-events")[0], "text": json.dumps(record)}
    [document] = pipeline("keycloak-events", ruby, **environment).run(event(sample))
    assert document.get("source", {}).get("ip") == ip
    found = document["keycloak"].get("source", {}).get("ip_hash")
    assert (len(found) if found else None) == hashed
    assert document.get("user", {}).get("name") == ("Ann" if name == "keep" else None)
    assert ("hash" in document.get("user", {})) is (name == "hash")
    details = document["keycloak"]["event"]["details"]
    for value in (document["keycloak"]["session"]["id"], details["code_id"]):
        assert session in {value, len(value)}
    assert details["reason"] == f"from {ip or '[ip]'}"


def test_names_that_differ_in_case_only_have_one_hash_and_another_key_gives_another(ruby: Ruby) -> None:
    def hashed(name: str, key: str) -> str:
        record = {"id": "e-1", "time": 1795443900000, "type": "LOGIN", "realmId": "r", "details": {"username": name}}
        sample = {**samples("user-events")[0], "text": json.dumps(record)}
        [document] = pipeline("keycloak-events", ruby, PII_HASH_KEY=key).run(event(sample))
        return str(document["user"]["hash"])

    first, second = "k" * 32, "l" * 32
    assert hashed("Ann", first) == hashed(" ann", first) != hashed("anna", first)
    assert hashed("ann", first) != hashed("ann", second)


def test_the_hash_of_a_name_is_the_one_that_the_guide_tells_to_search_for(ruby: Ruby) -> None:
    record = {"id": "e-1", "time": 1795443900000, "type": "LOGIN", "realmId": "r", "details": {"username": "Ann"}}
    sample = {**samples("user-events")[0], "text": json.dumps(record)}
    [document] = pipeline("keycloak-events", ruby).run(event(sample))
    # printf %s ann | openssl dgst -sha256 -hmac "$PII_HASH_KEY"
    wanted = hmac.new(ENVIRONMENT["PII_HASH_KEY"].encode(), b"ann", "sha256").hexdigest()
    assert document["user"]["hash"] == wanted


def test_lines_of_the_logger_of_events_come_through_only_on_demand(ruby: Ruby) -> None:
    def loggers(**environment: str) -> set[str]:
        ran = pipeline("keycloak-logs", ruby, **environment)
        found = [ran.run(event(sample)) for sample in samples("keycloak-log-ecs")]
        return {document["log"]["logger"] for documents in found for document in documents if "log" in document}

    assert "org.keycloak.events" not in loggers()
    assert "org.keycloak.events" in loggers(KEYCLOAK_LOG_EVENTS="keep")
