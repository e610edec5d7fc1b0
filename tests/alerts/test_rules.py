"""Every case of the tables holds, as promtool evaluates the rules that are shipped."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.alerts import table
from tests.alerts.promtool import amtool_required, promtool_required, verdicts

CASES = list(table.cases())
_OF_NOTHING = {"Watchdog", "KeywatchAbsent"}
"""Alerts that are about no object, only about there being none."""


@pytest.fixture(scope="session")
def verdict(tmp_path_factory: pytest.TempPathFactory) -> dict[table.Case, str]:
    """Run all cases at once: a process for each would cost more than what it evaluates."""
    promtool_required()
    folder = tmp_path_factory.mktemp("cases")
    files = {folder / f"{number}.yml": case for number, case in enumerate(CASES)}
    for path, case in files.items():
        path.write_text(table.render([case.test()], _rules_for(case, folder), case.evaluated), encoding="utf-8")
    return {files[path]: words for path, words in verdicts(list(files)).items()}


def _rules_for(case: table.Case, folder: Path) -> list[Path]:
    """Return the files that are shipped where all that fires counts, otherwise only the rule and what it builds on."""
    if case.firing:
        return [table.RULES / name for name in case.rule_files]
    path = folder / f"{case.subject}.rules"
    return [table.write_rules([table.rules()[name] for name in table.needed([case.subject])], path)]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: table.Case, verdict: dict[table.Case, str]) -> None:
    assert verdict[case] == ""


@pytest.mark.parametrize("name", [name for name, rule in table.rules().items() if "alert" in rule])
def test_numbers_and_names_are_for_people(name: str) -> None:
    rule = table.rules()[name]
    summary, description = (str(rule["annotations"][key]) for key in ("summary", "description"))
    assert not re.search(r"\{\{-? *\$value *-?\}\}", summary + description), (
        "as it is, a number may have fifteen digits"
    )
    without = name in _OF_NOTHING
    assert ("$labels" in summary) != without, "a summary names what it is about"
    for noun in re.findall(r"\$value \}\}(?:\{\{ \. \}\})? ([a-z]+s)\b", description):
        pytest.fail(f"{noun} would be said of one as well")


def test_prometheus_loads_every_rule_file() -> None:
    files = [str(path) for path in sorted(table.RULES.glob("*.yml"))]
    done = subprocess.run(
        [promtool_required(), "check", "rules", *files], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("SUCCESS") == len(files)


def test_prometheus_loads_the_configuration_that_is_shipped() -> None:
    path = table.ROOT / "alerts" / "prometheus.yml"
    done = subprocess.run(
        [promtool_required(), "check", "config", str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(list(table.RULES.glob('*.yml')))} rule files found" in done.stdout


def test_a_wrong_expectation_is_seen(tmp_path: Path) -> None:
    promtool_required()
    case = next(case for case in CASES if case.subject == "Watchdog")
    good, bad = tmp_path / "good.yml", tmp_path / "bad.yml"
    text = table.render([case.test()], [table.RULES / name for name in case.rule_files], case.evaluated)
    good.write_text(text, encoding="utf-8")
    bad.write_text(text.replace("severity: info", "severity: critical"), encoding="utf-8")
    found = verdicts([good, bad, good])
    assert found[good] == ""
    assert 'severity="critical"' in found[bad]


def test_every_hard_fault_of_the_catalogue_is_in_the_scenes() -> None:
    scenes = {case.subject for case in CASES if case.kind == "scene"}
    assert {f"H{number:02}" for number in range(1, 23)} <= scenes


def test_alertmanager_loads_the_configuration_that_is_shipped() -> None:
    path = table.ROOT / "alerts" / "alertmanager.yml"
    done = subprocess.run(
        [amtool_required(), "check-config", str(path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_what_alertmanager_inhibits_and_routes_are_alerts_that_exist() -> None:
    text = (table.ROOT / "alerts" / "alertmanager.yml").read_text(encoding="utf-8")
    alerts = [name for name, rule in table.rules().items() if "alert" in rule]
    patterns = re.findall(r'alertname (?:=|!=|=~) "?([A-Za-z.+()|]+)"?', text)
    assert len(patterns) > 15
    for pattern in patterns:
        for part in pattern.split("|") if "(" not in pattern else [pattern]:
            assert any(re.fullmatch(part, name) for name in alerts), part
