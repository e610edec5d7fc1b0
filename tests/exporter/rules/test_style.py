"""`keywatch rules check --style keywatch` holds rule files to the house: shape, catalogue, runbooks, tests."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from keywatch.cli.command import main
from keywatch.cli.exit_codes import BAD_CONFIGURATION, OK
from keywatch.documents import alerts
from keywatch.rules import shape
from tests.alerts import table

ALERTS = table.ROOT / "alerts"
CHECK = ["rules", "check", "--style", "keywatch"]
FOUND = 1
PHANTOM = table.HERE / "phantom" / "alert-rules.yml"
FILES = [str(path) for path in sorted(table.RULES.glob("*.yml"))]
GOOD = """
groups:
  - name: mine
    interval: 15s
    rules:
      - alert: KafkaBrokerGone
        expr: max by (cluster, broker) (keywatch_broker_up{job="keywatch-health"}) == 0
        for: 5m
        labels: {severity: warning, component: kafka}
        annotations:
          summary: A broker is gone for long.
          description: Broker {{ $labels.broker }} is gone.
          runbook_url: https://runbooks.example/KafkaBrokerGone.md
          dashboard_url: /d/keywatch-kafka
"""


def test_the_rules_that_are_shipped_are_good(capsys: pytest.CaptureFixture[str]) -> None:
    folders = ["--runbooks", str(ALERTS / "runbooks"), "--tests", str(table.HERE)]
    assert main([*CHECK, *folders, *FILES]) == OK
    assert re.fullmatch(r"good: \d+ files, \d+ alerts, \d+ recorded series\n", capsys.readouterr().out)


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(shape.schema())


def test_every_phantom_series_is_named_with_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*CHECK, str(PHANTOM)]) == BAD_CONFIGURATION
    told = capsys.readouterr()
    said = told.out
    found = {
        (int(line), name)
        for line, name in re.findall(r"alert-rules\.yml:(\d+): groups.*nothing emits the series (\w+)", said)
    }
    text = PHANTOM.read_text(encoding="utf-8").splitlines()
    assert all(name in text[line - 1] for line, name in found)
    assert {name for _, name in found} == {
        "keycloak_kafka_events_failed_total",
        "keycloak_kafka_events_sent_total",
        "keycloak_kafka_connection_status",
        "keycloak_kafka_event_processing_duration_bucket",
        "keycloak_kafka_lag",
        "keycloak_circuit_breaker_state",
        "keycloak_kafka_circuit_breaker_state",
        "keycloak_kafka_ssl_certificate_expiry_timestamp",
        "keycloak_dlq_size",
        "keycloak_batch_processor_buffer_size",
    }
    assert "has no label listener; it has: destination, error_type, event_type, listener_type, realm" in said
    assert "30: groups[0].rules[9].expr (HalfWritten): is no PromQL: 1:4: a parenthesis ( is not closed" in told.err
    assert '"page" is not allowed; allowed: critical, warning, info' in said


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("severity: warning", "severity: page", '9: groups[0].rules[0].labels.severity: "page" is not allowed'),
        ("severity: warning, ", "", "groups[0].rules[0].labels: severity is missing"),
        ("        for: 5m\n", "", "groups[0].rules[0]: for is missing"),
        ("for: 5m", "for: 3d", '8: groups[0].rules[0].for: "3d" is not allowed; allowed: 0s to 24h'),
        ("for: 5m", "four: 5m", "8: groups[0].rules[0]: unknown key four (allowed: alert, annotations, "),
        ("alert: KafkaBrokerGone", "alert: broker_gone", '6: groups[0].rules[0].alert: "broker_gone" is not allowed'),
        ("A broker is gone for long.", "Broker {{ $value }} gone.", "one sentence that names its object"),
        ("keywatch_broker_up", "keywatch_brokers_up", "did you mean keywatch_broker_up?"),
        ("keywatch_broker_up{", 'keywatch_broker_up{topic="x", ', "has no label topic; it has: broker, cluster"),
        ("keywatch_broker_up", "keywatch_broker_info", "is not in the set collect[]=health"),
        ("== 0", "==", "7: groups[0].rules[0].expr (KafkaBrokerGone): is no PromQL: "),
        (
            "Broker {{ $labels.broker }} is gone.",
            "Here {{ range query `sum(nothing_here)` }}{{ . }}{{ end }}",
            "12: groups[0].rules[0].annotations.description: nothing emits the series nothing_here",
        ),
        ("interval: 15s", "interval: 7s", '4: groups[0].interval: "7s" is not allowed; allowed: 1s where seconds'),
        ("expr: max", "expr: [max]  #", 'must be string or number, is ["max"]'),
        (
            "keywatch_broker_up{",
            '{__name__=~"keywatch_.*", ',
            "7: groups[0].rules[0].expr: a selector has no name, or a pattern",
        ),
        ("groups:\n", "groups: []\nmore:\n", "3: (whole file): unknown key more (allowed: groups)"),
    ],
)
def test_a_mistake_is_named(old: str, new: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert old in GOOD
    path = tmp_path / "mine.yml"
    path.write_text(GOOD, encoding="utf-8")
    assert main([*CHECK, str(path)]) == OK
    capsys.readouterr()
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    code = main([*CHECK, str(path)])
    told = capsys.readouterr()
    assert says in told.out + told.err
    assert code == (BAD_CONFIGURATION if told.err else FOUND)


def test_an_alert_that_stands_twice_is_named_with_both_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = tmp_path / "one.yml", tmp_path / "two.yml"
    one.write_text(GOOD, encoding="utf-8")
    two.write_text(GOOD, encoding="utf-8")
    assert main([*CHECK, str(one), str(two)]) == FOUND
    assert f"{two}:6: groups[0].rules[0].alert: KafkaBrokerGone stands already at {one}:6" in capsys.readouterr().out


def test_series_of_a_saved_page_are_known(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, page = tmp_path / "mine.yml", tmp_path / "page.prom"
    path.write_text(GOOD.replace("keywatch_broker_up{", 'my_series{colour="red", '), encoding="utf-8")
    page.write_text('my_series{colour="blue",cluster="c"} 1\n', encoding="utf-8")
    assert main([*CHECK, str(path)]) == FOUND
    assert main([*CHECK, "--metrics", str(page), str(path)]) == OK
    page.write_text("{{{\n", encoding="utf-8")
    capsys.readouterr()
    assert main([*CHECK, "--metrics", str(page), str(path)]) == BAD_CONFIGURATION
    assert "is no page of /metrics" in capsys.readouterr().err


def test_what_belongs_to_an_alert_must_be_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, books, tests = tmp_path / "mine.yml", tmp_path / "books", tmp_path / "tests"
    path.write_text(GOOD, encoding="utf-8")
    arguments = [*CHECK, "--runbooks", str(books), "--tests", str(tests), str(path)]
    assert main(arguments) == BAD_CONFIGURATION
    assert "is not a folder" in capsys.readouterr().err
    books.mkdir()
    tests.mkdir()
    (books / "Orphan.md").write_text("# Orphan\n", encoding="utf-8")
    (tests / "a.yml").write_text("tests: {KafkaBrokerGone: [{fires: a}, {silent: b}]}\n", encoding="utf-8")
    assert main(arguments) == FOUND
    said = capsys.readouterr().out
    assert f"{path}:6: groups[0].rules[0].alert: the runbook {books / 'KafkaBrokerGone.md'} is missing" in said
    assert f"{books / 'Orphan.md'}: belongs to no alert" in said
    assert f"{tests} has no test of the kind missing for KafkaBrokerGone" in said
    (books / "KafkaBrokerGone.md").write_text("# Other\n## Meaning\n", encoding="utf-8")
    assert main(arguments) == FOUND
    said = capsys.readouterr().out
    assert "KafkaBrokerGone.md:1: the title must be '# KafkaBrokerGone'" in said
    assert "the sections must be Meaning, Impact, Diagnosis, Mitigation, Whom to tell; they are Meaning" in said


def test_without_the_extra_the_command_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in sys.modules if name.startswith("keywatch.rules")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "jsonschema", None)
    assert main([*CHECK, str(PHANTOM)]) == BAD_CONFIGURATION
    said = capsys.readouterr().err
    assert said.startswith("--style keywatch needs jsonschema: install keywatch with its extra, ")
    assert said.endswith("`pip install '.[rules]'` in its source tree\n")
    assert main(["rules", "check", *FILES]) == OK


def test_what_is_generated_is_fresh_and_a_change_is_seen(tmp_path: Path) -> None:
    assert alerts.write(ALERTS, check=True) == []
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "mine.yml").write_text(GOOD, encoding="utf-8")
    assert len(alerts.write(tmp_path, check=False)) == 3
    assert alerts.write(tmp_path, check=True) == []
    manifest = tmp_path / "kubernetes" / "mine.yml"
    spec = yaml.safe_load(manifest.read_text(encoding="utf-8"))["spec"]
    assert spec == yaml.safe_load(GOOD)
    manifest.write_text("by hand\n", encoding="utf-8")
    (tmp_path / "kubernetes" / "gone.yml").write_text("", encoding="utf-8")
    stale = alerts.write(tmp_path, check=True)
    assert stale == [str(manifest), str(tmp_path / "kubernetes" / "gone.yml")]
    assert alerts.write(tmp_path, check=False) == stale
    assert alerts.write(tmp_path, check=True) == []
