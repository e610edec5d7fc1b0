"""The checks notice every kind of damage; they are silent about what is whole (`test_dashboards.py`)."""

from __future__ import annotations

import copy
import json

import pytest

from keywatch.rules import series
from keywatch_dashboards import render
from tests.dashboards import findings, sdk
from tests.dashboards.damages import DAMAGES

WHOLE = json.loads(render.texts()["keywatch-kafka.json"])
KNOWN = series.known()


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_noticed(name: str) -> None:
    damaged = copy.deepcopy(WHOLE)
    DAMAGES[name](damaged)
    assert damaged != WHOLE
    found = [
        *findings.of_series(damaged, KNOWN),
        *findings.of_panels(damaged),
        *findings.of_layout(damaged),
        *findings.of_lint(damaged),
        *sdk.problems(damaged),
    ]
    assert found != []
