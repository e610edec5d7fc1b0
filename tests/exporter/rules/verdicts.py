"""The verdicts that Prometheus gave on files, expressions and templates, and what keywatch says of the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from keywatch.rules.judge import judged
from keywatch.rules.prometheus import Prometheus

CASES: Final = Path(__file__).parent / "cases"
OLD: Final = Prometheus((2, 42))
NEW: Final = Prometheus((3, 16))
EXPERIMENTAL: Final = Prometheus((3, 16), experimental=True)
FOR_THE_OPERATOR: Final = frozenset({"k8s"})
"""Manifests: Prometheus refuses them as files, and the Operator gives it what stands below `spec`."""


def read(name: str) -> Any:
    """Return what a file of cases holds."""
    return json.loads((CASES / f"{name}.json").read_text(encoding="utf-8"))


def handed() -> Iterator[tuple[str, bytes, Prometheus, bool]]:
    """Return each file with its name, for which Prometheus, and whether that one loads it."""
    for name in ("files", "expressions"):
        for case in read(name):
            data = case["file"].encode()
            yield case["name"], data, OLD, case["prometheus_2_42"] == "OK"
            yield case["name"], data, NEW, case["prometheus_3_16"] == "OK"
            experimental = case.get("prometheus_3_16_experimental", case["prometheus_3_16"])
            yield case["name"], data, EXPERIMENTAL, experimental == "OK"


def refusals(data: bytes, prometheus: Prometheus) -> list[str]:
    """Return why that Prometheus would refuse a file; nothing when it would not."""
    return [problem.words for problem in judged(Path("rules.yml"), data, prometheus).refused]
