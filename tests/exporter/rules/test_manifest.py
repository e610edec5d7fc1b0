"""PrometheusRule manifests are judged by what stands below spec, alone, in lists and in several documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from keywatch.cli.command import main
from keywatch.cli.exit_codes import BAD_CONFIGURATION, OK

FOUND = 1
MANIFEST = """apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: a}
spec:
  groups:
  - name: a
    partial_response_strategy: warn
    rules:
    - alert: A
      expr: up == 0
      labels: {severity: page}
"""
SECOND = MANIFEST.replace("alert: A", "alert: B")
OTHER = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\ndata: {a: 'x: ['}\n"
_INDENTED = MANIFEST.replace("\n", "\n  ").rstrip()
LIST = f"apiVersion: v1\nkind: List\nitems:\n- {_INDENTED}\n"
RULE_LIST = f"apiVersion: monitoring.coreos.com/v1\nkind: PrometheusRuleList\nitems:\n- {_INDENTED}\n"


def checked(tmp_path: Path, text: str, *flags: str) -> int:
    path = tmp_path / "mine.yml"
    path.write_text(text, encoding="utf-8")
    return main(["rules", "check", *flags, str(path)])


@pytest.mark.parametrize(
    ("text", "alerts"),
    [(MANIFEST, 1), (f"{MANIFEST}---\n{OTHER}---\n{SECOND}", 2), (LIST, 1), (RULE_LIST, 1), (OTHER, 0)],
)
def test_manifests_are_judged(text: str, alerts: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(tmp_path, text) == OK
    said = capsys.readouterr().out
    assert said == f"good: 1 files, 1 of them for the Prometheus Operator, {alerts} alerts, 0 recorded series\n"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (MANIFEST.replace("== 0", "=="), "10: spec.groups[0].rules[0].expr (A): is no PromQL"),
        (LIST.replace("== 0", "=="), "13: items[0].spec.groups[0].rules[0].expr (A): is no PromQL"),
        (RULE_LIST.replace("== 0", "=="), "13: items[0].spec.groups[0].rules[0].expr (A): is no PromQL"),
        (f"{MANIFEST}---\n{MANIFEST}".replace("== 0", "== 0", 1) + "---\na: [", "is not YAML"),
        (f"{OTHER}---\n{MANIFEST}".replace("== 0", "=="), "15: [1].spec.groups[0].rules[0].expr (A): is no PromQL"),
        (MANIFEST.replace("  groups:", "  group:"), "5: spec.group: unknown key group"),
    ],
)
def test_mistakes_in_manifests_are_named(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert checked(tmp_path, text) == BAD_CONFIGURATION
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("value", ["1", "yes", "1.5", "~", "on"])
def test_what_kubernetes_alone_refuses_is_found(value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(tmp_path, MANIFEST.replace("severity: page", f"severity: {value}")) == FOUND
    assert "11: spec.groups[0].rules[0].labels.severity: must be a text for Kubernetes" in capsys.readouterr().out
    assert checked(tmp_path, MANIFEST.replace("severity: page", f'severity: "{value}"')) == OK
