"""deploy/kustomize says what the chart says, and Kubernetes takes it."""

from __future__ import annotations

import pytest
import yaml

from tests.exporter.documents.tree import ROOT
from tests.helm.chart import judged, required
from tests.helm.kustomize import write

pytestmark = [pytest.mark.helm, pytest.mark.timeout(1200)]
FOLDER = ROOT / "deploy" / "kustomize"


@pytest.fixture(autouse=True)
def _helm() -> None:
    required()


def test_it_is_the_chart_as_it_is_now() -> None:
    assert write(FOLDER, check=True) == []


def test_every_object_is_listed_and_taken() -> None:
    listed = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))["resources"]
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(listed) == files
    manifests = [yaml.safe_load((FOLDER / name).read_text(encoding="utf-8")) for name in listed]
    assert len(manifests) >= 6
    assert judged(manifests) == []
    assert not any("helm" in str(one["metadata"]["labels"]).lower() for one in manifests)
