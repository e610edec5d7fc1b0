"""The checks notice every kind of damage; they are silent about what is whole (`test_dashboards.py`)."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Callable, Iterator, Mapping

import pytest

from keywatch.rules import series
from keywatch_dashboards import render
from tests.dashboards import findings, schemas, sdk
from tests.dashboards.damages import DAMAGES, OF_TYPES

Json = findings.Json
Checks = Mapping[str, Callable[[Json], Iterator[str]]]

WHOLE: Json = json.loads(render.texts()["keywatch-kafka.json"])
KNOWN = series.known()
CHECKS: Checks = {
    "the catalogue": lambda dashboard: findings.of_series(dashboard, KNOWN),
    "what panels need": findings.of_panels,
    "the layout": findings.of_layout,
    "the linter's rules": findings.of_lint,
    "Grafana's models": sdk.problems,
}


def damaged(damage: Callable[[Json], None]) -> Json:
    """Return the dashboard with one damage."""
    found = copy.deepcopy(WHOLE)
    damage(found)
    assert found != WHOLE
    return found


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_noticed(name: str) -> None:
    dashboard = damaged(DAMAGES[name])
    assert [check for check, problems in CHECKS.items() if list(problems(dashboard))] != []


@pytest.mark.parametrize("name", OF_TYPES)
def test_damage_is_noticed_by_the_types_of_every_version(name: str) -> None:
    schemas.npm_required()
    dashboard = damaged(OF_TYPES[name])
    for version, types in schemas.versions().items():
        assert list(schemas.problems(dashboard, types)) != [], version


def test_each_check_sees_what_no_other_sees() -> None:
    schemas.npm_required()
    newest = list(schemas.versions().values())[-1]
    checks: Checks = {**CHECKS, "Grafana's types": functools.partial(schemas.problems, types=newest)}
    alone = set()
    for damage in (*DAMAGES.values(), *OF_TYPES.values()):
        seen = [check for check, problems in checks.items() if list(problems(damaged(damage)))]
        if len(seen) == 1:
            alone.add(seen[0])
    assert alone == set(checks)
