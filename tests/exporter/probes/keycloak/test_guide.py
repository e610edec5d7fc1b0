"""What the guides to Keycloak and to losses show is taken as it stands there, and names series that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from keywatch.config.model import Config
from keywatch.config.yaml_file import tree, validated
from keywatch.engine.probe import Reason
from keywatch.metrics import catalogue

GUIDES = Path(__file__).parents[4] / "docs" / "guides"
GUIDE = (GUIDES / "keycloak.md").read_text(encoding="utf-8")
LOSSES = (GUIDES / "nothing-lost.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```yaml\n(.*?)```", GUIDE + LOSSES, re.DOTALL)


@pytest.mark.parametrize("text", BLOCKS)
def test_its_configurations_are_good(text: str) -> None:
    data, lines = tree(text, "guide")
    cluster = validated(Config, data, "guide", lines).clusters[0]
    assert cluster.keycloaks or cluster.topics.expect


def test_its_series_and_reasons_exist() -> None:
    assert len(BLOCKS) == 4
    named = set(re.findall(r"keywatch_[a-z_]+", GUIDE + LOSSES))
    assert named <= {str(metric) for metric in catalogue.METRICS}
    assert len(named) > 10
    reasons = set(re.findall(r'reason="(\w+)"', GUIDE))
    assert reasons <= {str(reason) for reason in Reason}
