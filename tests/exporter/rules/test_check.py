"""`keywatch rules check` for the user's own rules: exit codes, messages with line and rule, how many of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from keywatch.cli.command import main
from keywatch.cli.exit_codes import BAD_CONFIGURATION, OK
from keywatch.rules.judge import MOST_TOLD
from tests.alerts import table

FOUND = 1
RECORDING = "{record: a, expr: up, labels: {x: '{{ $value }}'}}"
GOOD = """groups:
- name: kafka2
  interval: 1m
  rules:
  - alert: Lag
    expr: |
      sum by (team) (node_lag{env="prod"})
        > 5
    for: 1m30s
    labels: {severity: page, team: x}
    annotations:
      note: '{{ $labels.team }} is {{ $value | humanize }} behind'
"""


def checked(tmp_path: Path, text: str, *flags: str) -> int:
    path = tmp_path / "mine.yml"
    path.write_text(text, encoding="utf-8")
    return main(["rules", "check", *flags, str(path)])


def test_what_prometheus_loads_is_good_whatever_its_style(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(tmp_path, GOOD) == OK
    assert capsys.readouterr().out == "good: 1 files, 1 alerts, 0 recorded series\n"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("> 5", "> (5", "8: groups[0].rules[0].expr (Lag): is no PromQL: "),
        ("by (team)", "by team", "7: groups[0].rules[0].expr (Lag): is no PromQL: 1:8: unexpected team in a list"),
        (
            'node_lag{env="prod"}',
            "foo(up)",
            "7: groups[0].rules[0].expr (Lag): is no PromQL: 1:16: unknown function foo",
        ),
        (
            "humanize",
            "humanise",
            "12: groups[0].rules[0].annotations.note (Lag): is no template: 1:35: the function humani",
        ),
        ("$labels", "$lables", "is no template: 1:4: undefined variable $lables"),
        (
            "severity: page",
            "__name__: page",
            "10: groups[0].rules[0].labels.__name__ (Lag): '__name__' may",
        ),
        (
            "interval: 1m",
            "interval: 1M",
            "3: groups[0].interval: '1M' has the unit 'M'; units are y, w",
        ),
        ("1m30s", "90", "9: groups[0].rules[0].for: '90' is no duration"),
        ("  interval: 1m\n", "  rules: []\n", "4: groups[0].rules: is given twice, first in line 3"),
        ("alert: Lag", "name: Lag", "5: groups[0].rules[0]: alert or record is missing"),
        ("- alert: Lag", "- alert: Lag\n    record: a", "a rule has alert or record, not both"),
        ("- alert: Lag", "- record: lag", "a recording rule has no annotations"),
        ("- name: kafka2", "- name: a\n- name: a", "3: groups[1].name: the group a stands already in line 2"),
        ("kafka2", '""', "the group has no name"),
        ('env="prod"', 'env=~"(?=a)"', "is no regular expression of RE2: invalid or unsupported Perl syntax: (?=a"),
    ],
)
def test_what_prometheus_refuses_is_named_with_line_and_rule(
    old: str, new: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert old in GOOD
    assert checked(tmp_path, GOOD.replace(old, new)) == BAD_CONFIGURATION
    told = capsys.readouterr()
    assert says in told.err
    assert told.err.endswith("Prometheus 3.16 would refuse a file\n")
    assert told.out == ""


def test_the_release_and_its_flags_can_be_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = GOOD.replace("interval: 1m", "query_offset: 1m")
    assert checked(tmp_path, new) == OK
    assert checked(tmp_path, new, "--prometheus", "3.x") == OK
    assert checked(tmp_path, new, "--prometheus", "2.42") == BAD_CONFIGURATION
    assert "Prometheus 2.42 would refuse a file" in capsys.readouterr().err
    experimental = GOOD.replace("sum by (team) (node_lag", "info(node_lag").replace('"prod"}', '"prod"}, {a="b"}')
    assert checked(tmp_path, experimental) == BAD_CONFIGURATION
    assert "the function info is experimental and not enabled" in capsys.readouterr().err
    assert checked(tmp_path, experimental, "--experimental-functions") == OK
    for wrong in ("2.41", "4.0", "newest"):
        with pytest.raises(SystemExit):
            checked(tmp_path, GOOD, "--prometheus", wrong)
        assert "allowed: 2.42" in capsys.readouterr().err


def test_no_more_messages_than_anybody_reads(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rules = "".join(f"  - alert: A{number}\n    expr: up ==\n" for number in range(300))
    assert checked(tmp_path, f"groups:\n- name: a\n  rules:\n{rules}") == BAD_CONFIGURATION
    said = capsys.readouterr().err.splitlines()
    assert len(said) == MOST_TOLD + 2
    assert said[-2].endswith("mine.yml: and 280 more")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('sum by (team) (node_lag{env="prod"})\n        > 5', "node_lag[5m]"), "this is a range vector"),
        (('sum by (team) (node_lag{env="prod"})\n        > 5', '"a"'), "this is a string"),
        (('node_lag{env="prod"}', 'label_replace(up, "a", "$1", "b", "(")'), "'(' is no regular expression of RE2"),
        (('node_lag{env="prod"}', 'label_replace(up, "", "$1", "b", "(.)")'), "'' may be no label"),
        (("$value | humanize", 'template "x"'), "the template 'x' is defined nowhere"),
        (("$value | humanize", 'query "rate(up)" | first | value'), "the query is no PromQL"),
        (("$value | humanize", 'match "(" "a"'), "'(' is no regular expression of RE2"),
        (("$value | humanize", ".Lables.x"), "there is no .Lables; there are .ExternalLabels"),
        (("$value | humanize", "$.Lables.x"), "there is no .Lables"),
        (("$value | humanize", "$labels.a.b"), "asks for a field of a label"),
        (("$value | humanize", "$value.x"), "$value has no fields"),
        (("$value | humanize", "humanize"), "humanize takes 1 arguments, not 0"),
        (("$value | humanize", "$labels.x $value"), "$labels.x is no function"),
        (("$value | humanize", 'printf "%s" humanize $value'), "put it in parentheses"),
        (("$value | humanize", "nil"), "nil is no command"),
        (("severity: page", "alertname: page"), "has no effect: Prometheus puts the alert's name there"),
        (("groups:", f"groups:\n- {{name: r, rules: [{RECORDING}]}}"), "no templates"),
    ],
)  # fmt: skip
def test_what_loads_and_will_not_work_is_found(
    change: tuple[str, str], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert change[0] in GOOD
    text = GOOD.replace(*change)
    assert checked(tmp_path, text) == FOUND
    told = capsys.readouterr()
    assert says in told.out
    assert told.err == ""


def test_a_rule_that_stands_twice_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    same = "  - {alert: B, expr: up, labels: {a: b}}\n- name: c\n  labels: {a: b}\n  rules: [{alert: B, expr: up}]\n"
    assert checked(tmp_path, GOOD + same) == FOUND
    words = "16: groups[1].rules[0] (B): the same name, labels and expression stand already in line 13"
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    "note",
    [
        "{{ range query `up` }}{{ .Foo }}{{ end }}",
        "{{ with $x := .Labels }}{{ .foo }}{{ end }}",
        '{{ define "x" }}{{ .Foo }}{{ end }}{{ template "x" $labels }}',
        '{{ printf "%.2f" $value }} {{ $labels.a | toUpper | printf "%s" }}',
        '{{ printf "rate(%s)" $labels.x | query | first | value }}',
        '{{ (query "up" | first).Labels.job }} {{ externalURL }} {{ (externalURL) | title }}',
        "{{ if and (gt $value 1.0) (eq $labels.a `b`) }}x{{ end }}",
    ],
)
def test_templates_that_work_are_good(note: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(tmp_path, GOOD.replace("{{ $labels.team }}", note)) == OK, capsys.readouterr()


def test_rules_of_one_name_are_good_where_labels_or_expression_differ(tmp_path: Path) -> None:
    text = GOOD + "".join(f"  - {{alert: Lag, expr: up, labels: {{severity: {name}}}}}\n" for name in ("a", "b"))
    text += "  - {record: r, expr: a}\n  - {record: r, expr: b}\n"
    assert checked(tmp_path, text) == OK


def test_further_documents_are_told_to_be_lost(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert checked(tmp_path, f"{GOOD}---\n{GOOD}") == FOUND
    assert "14: (whole file): Prometheus reads the first document only" in capsys.readouterr().out
    assert checked(tmp_path, f"{GOOD}---\na: [\n") == FOUND


def test_an_alias_that_2_42_takes_for_an_expression_is_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "groups:\n- name: a\n  rules:\n  - {alert: A, expr: &busy up > 1}\n  - {alert: B, expr: *busy}\n"
    assert checked(tmp_path, text) == OK
    assert checked(tmp_path, text, "--prometheus", "2.42") == FOUND
    assert "5: groups[0].rules[1].expr (B): Prometheus 2.42 takes the alias *busy" in capsys.readouterr().out


def test_the_rules_that_are_shipped_load_as_files_and_as_manifests(capsys: pytest.CaptureFixture[str]) -> None:
    files = [str(path) for path in sorted(table.RULES.glob("*.yml"))]
    manifests = [str(table.ROOT / "alerts" / "kubernetes" / Path(file).name) for file in files]
    for release in ("2.42", "3.x"):
        assert main(["rules", "check", "--prometheus", release, *files]) == OK
        assert main(["rules", "check", "--prometheus", release, *manifests]) == OK
    assert f"{len(manifests)} of them for the Prometheus Operator" in capsys.readouterr().out


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["rules", "check", str(tmp_path / "none.yml")]) == BAD_CONFIGURATION
    assert "none.yml: cannot be read" in capsys.readouterr().err
