"""The dashboards ask for what exists, lay it out well, and answer for every alert."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from keywatch.rules import series
from keywatch.rules.expression import selections
from keywatch.rules.rule_file import Rule, RuleFile
from keywatch_dashboards import cli, queries, render
from tests.dashboards import findings, schemas, sdk

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "dashboards" / "json").glob("*.json"))
DASHBOARDS: dict[str, dict[str, Any]] = {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in FILES}
RULES: list[Rule] = [
    rule for path in sorted((ROOT / "alerts" / "rules").glob("*.yml")) for rule in RuleFile(path).rules()
]
ALERTS = [rule for rule in RULES if rule.alert]
each = pytest.mark.parametrize("uid", DASHBOARDS)


def known() -> series.Known:
    return {**series.known(), **{rule.record: None for rule in RULES if rule.record}}


@each
def test_queries_name_only_what_somebody_emits(uid: str) -> None:
    assert list(findings.of_series(DASHBOARDS[uid], known())) == []


@each
def test_panels_have_what_a_reader_needs(uid: str) -> None:
    assert list(findings.of_panels(DASHBOARDS[uid])) == []


@each
def test_layout_has_no_overlap_and_no_gap(uid: str) -> None:
    assert list(findings.of_layout(DASHBOARDS[uid])) == []


@each
def test_rules_of_the_linter_hold(uid: str) -> None:
    assert list(findings.of_lint(DASHBOARDS[uid])) == []


@each
def test_nothing_vanishes_in_grafanas_own_models(uid: str) -> None:
    assert list(sdk.problems(DASHBOARDS[uid])) == []


@each
def test_every_version_of_grafana_knows_all_that_is_set(uid: str) -> None:
    schemas.npm_required()
    versions = schemas.versions()
    assert [version.split(".")[0] for version in versions] == ["11", "12", "13"]
    assert {version: list(schemas.problems(DASHBOARDS[uid], types)) for version, types in versions.items()} == {
        version: [] for version in versions
    }


@each
def test_ids_are_unique_and_files_small(uid: str) -> None:
    ids = [panel["id"] for panel in (*DASHBOARDS[uid]["panels"], *findings.panels(DASHBOARDS[uid]))]
    assert len({*ids}) == len(
        {json.dumps(panel) for panel in (*DASHBOARDS[uid]["panels"], *findings.panels(DASHBOARDS[uid]))}
    )
    assert (ROOT / "dashboards" / "json" / f"{uid}.json").stat().st_size < 150_000


def test_uids_and_titles_are_unique() -> None:
    assert [data["uid"] for data in DASHBOARDS.values()] == list(DASHBOARDS)
    assert len({data["title"] for data in DASHBOARDS.values()}) == len(DASHBOARDS)


def test_jobs_are_those_of_the_rules() -> None:
    assert queries.HEALTH_JOB == series.HEALTH_JOB


def shown(panel: dict[str, Any]) -> set[str]:
    """Name the series that a panel shows; a histogram is shown by its buckets."""
    exprs = [findings.expanded(target["expr"]) for target in panel["targets"]]
    found = {selection.name for expr in exprs for selection in selections(expr)}
    return found | {name.removesuffix("_bucket") + "_count" for name in found if name.endswith("_bucket")}


def asked(rule: Rule) -> set[str]:
    """Name the series that an alert asks for; recordings of what was a moment ago only hold others back."""
    names = {selection.name for selection in selections(str(rule.data["expr"]))}
    return {name for name in names if not name.endswith((":recent", ":fresh"))}


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: str(rule.alert))
def test_every_series_of_an_alert_is_on_some_panel(rule: Rule) -> None:
    everywhere = [shown(panel) for data in DASHBOARDS.values() for panel in findings.panels(data)]
    assert asked(rule) <= set().union(*everywhere)


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: str(rule.alert))
def test_an_alert_leads_to_the_panel_that_shows_it(rule: Rule) -> None:
    link = re.fullmatch(r"/d/([a-z-]+)\?viewPanel=(\d+)", rule.data["annotations"]["dashboard_url"])
    assert link, "its dashboard_url is not /d/<uid>?viewPanel=<number of a panel>"
    there = {panel["id"]: panel for panel in findings.panels(DASHBOARDS[link[1]])}
    fitting = {number: panel["title"] for number, panel in there.items() if asked(rule) & shown(panel)}
    assert int(link[2]) in (fitting or there), f"dashboard {link[1]} shows it on these panels: {fitting}"


def test_the_files_are_those_of_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--out", str(ROOT / "dashboards" / "json"), "--check"]) == cli.OK
    assert capsys.readouterr() == ("", "")


def test_a_datasource_can_be_chosen() -> None:
    data = json.loads(render.texts("prom-1")["keywatch-kafka.json"])
    assert data["templating"]["list"][0]["current"] == {"text": "prom-1", "value": "prom-1"}
