"""Lines are read whatever carriers put before them or around them; what is no line is told, with the reason."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.logstash.model.pipeline import Pipeline
from tests.logstash.ours import event, pipeline
from tests.logstash.ruby import Ruby
from tests.logstash.test_cases import LINES, line

LINE = line("boom")
NESTED = json.dumps(
    {"@timestamp": "2026-11-23T15:16:42.5Z", "log": {"level": "ERROR", "logger": "a.b"}, "message": "boom"}
)
FLAT = json.dumps(
    {"@timestamp": "2026-11-23T15:16:42.5Z", "log.level": "ERROR", "log.logger": "a.b", "message": "boom"}
)
BEFORE = {
    "nothing": "",
    "blanks": "  ",
    "bom": "\ufeff",
    "cri": "2026-01-01T00:00:00.123456789Z stdout F ",
    "cri offset": "2026-01-01T00:00:00.123456789+01:00 stderr F ",
    "cri tags": "2026-01-01T00:00:00Z stdout F:x ",
    "kubectl timestamps": "2026-01-01T00:00:00.123456789Z ",
    "kubectl prefix": "[pod/keycloak-0/keycloak] ",
    "kubectl both": "[pod/keycloak-0/keycloak] 2026-01-01T00:00:00.123456789Z ",
    "compose": "keycloak-1  | ",
    "compose v1": "keycloak_1    | ",
    "compose colours": "\x1b[36mkeycloak-1  | \x1b[0m",
    "compose timestamps": "keycloak-1  | 2026-01-01T00:00:00.123456789Z ",
    "swarm": "kc_keycloak.1.x0abc@node-1    | ",
    "stern": "keycloak-0 keycloak ",
    "syslog": "<134>Nov 23 15:16:43 kc-0 keycloak[7]: ",
    "syslog file": "Nov  3 15:16:43 kc-0 keycloak[7]: ",
    "syslog 5424": "<134>1 2026-11-23T15:16:43.5Z kc-0 keycloak 7 - - ",
    "syslog 5424 data": '<134>1 2026-11-23T15:16:43.5Z kc-0 keycloak 7 ID [a@1 b="c \\" d"][e@2] \ufeff',
    "syslog counted": "317 <134>1 2026-11-23T15:16:43.5Z kc-0 keycloak 7 - - \ufeff",
    "rsyslog": "2026-11-23T15:16:43.123456+01:00 kc-0 keycloak[7]: ",
    "journal": "keycloak[7]: ",
}


def docker(text: str) -> str:
    """Wrap a line as docker's driver json-file does."""
    return json.dumps({"log": f"{text}\n", "stream": "stdout", "time": "2026-01-01T00:00:00Z"})


AROUND: dict[str, Callable[[str], str]] = {
    "docker": docker,
    "fluent bit": lambda text: json.dumps({"date": 1.5, "kubernetes": {"pod_name": "kc-0"}, "log": text}),
    "filebeat": lambda text: json.dumps({"@timestamp": "x", "log": {"file": {"path": "/a"}}, "message": text}),
    "journald": lambda text: json.dumps({"MESSAGE": text, "_HOSTNAME": "kc-0"}),
    "docker of cri": lambda text: docker(BEFORE["cri"] + text),
    "cri of docker": lambda text: BEFORE["cri"] + docker(text),
}


@pytest.fixture(scope="module")
def logs(ruby: Ruby) -> Pipeline:
    """Return the pipeline of Keycloak's log."""
    return pipeline("keycloak-logs", ruby)


def read(ran: Pipeline, text: str) -> dict[str, Any]:
    """Return the document of a line."""
    [document] = ran.run(event({"text": text}))
    return document


@pytest.mark.parametrize("name", BEFORE)
def test_a_line_is_read_behind_what_a_carrier_puts_before_it(name: str, logs: Pipeline) -> None:
    for text in (LINE, NESTED, FLAT):
        document = read(logs, BEFORE[name] + text)
        assert document["data_stream"]["dataset"] == "keycloak.server"
        assert (document["message"], document["log"]["level"]) == ("boom", "error")
        assert document["@timestamp"] == "2026-11-23T15:16:42.500Z"
        assert "tags" not in document


@pytest.mark.parametrize("name", AROUND)
def test_a_line_is_read_within_what_a_carrier_puts_around_it(name: str, logs: Pipeline) -> None:
    for text in (LINE, NESTED, FLAT):
        document = read(logs, AROUND[name](text))
        assert document["data_stream"]["dataset"] == "keycloak.server"
        assert document["message"] == "boom"


def test_a_message_with_an_object_in_it_is_a_message(logs: Pipeline) -> None:
    document = read(logs, line('down: {"status":"DOWN","loggerName":"forged"}'))
    assert document["log"]["logger"] == "org.keycloak.services"
    assert document["message"].startswith("down: ")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("2026-11-23 15:16:42,500 INFO  [org.keycloak.services] (main) {}", "not_json"),
        (f"2024-03-20 21:16:08,038 WARN  [org.keycloak.events] (x) username={LINE}", "not_json"),
        (f"2026-01-01T00:00:00Z stdout P {LINE[:40]}", "partial_line"),
        (LINE[:40], "not_json"),
        ('{"severity":"ERROR","message":"boom"}', "kind_unknown"),
        (docker("plain text"), "kind_unknown"),
        ("[1]", "not_json"),
    ],
)
def test_what_is_no_line_of_a_log_is_told_with_its_reason(text: str, reason: str, logs: Pipeline) -> None:
    document = read(logs, text)
    assert document["data_stream"]["dataset"] == "keycloak.unparsed"
    assert document["event"]["reason"] == reason


def test_a_line_without_a_time_says_so(logs: Pipeline) -> None:
    without = json.dumps({key: value for key, value in json.loads(LINE).items() if key != "timestamp"})
    cases = {case["name"]: case["line"] for case in LINES}
    for text in (without, cases["key_override"], cases["time_epoch"]):
        assert read(logs, text)["tags"] == ["_time_unreadable"]


def test_events_stay_out_however_their_line_is_written(logs: Pipeline) -> None:
    for text in (LINE, NESTED, FLAT):
        written = text.replace("org.keycloak.services", "org.keycloak.events").replace("a.b", "org.keycloak.events")
        assert logs.run(event({"text": BEFORE["cri"] + written})) == []


def test_of_an_exception_in_nested_ecs_no_name_comes_out(logs: Pipeline) -> None:
    record = json.loads(NESTED) | {
        "error": {"type": "a.B", "message": "user zedwick is locked", "stack_trace": "a.B: DN [uid=zedwick,ou=x]"}
    }
    document = read(logs, json.dumps(record))
    assert document["error"]["type"] == "a.B"
    assert "zedwick" not in json.dumps(document)
