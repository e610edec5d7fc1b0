"""Renders the chart as `helm template` does, and has Kubernetes' own schemas judge what came of it."""

from __future__ import annotations

import functools
import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.exporter.documents.tree import ROOT
from tests.helm import distribution

CHART: Final = ROOT / "deploy" / "helm" / "keywatch"
RELEASES: Final = tuple(f"1.{minor}" for minor in range(29, 38))
"""The releases of Kubernetes that the chart is for."""
Manifest = dict[str, Any]


class RefusedError(Exception):
    """Helm refused the values; the text is what it said."""


def required() -> None:
    """Skip the test where Helm cannot be had; fail it where `KEYWATCH_REQUIRE` is `all`, as in CI."""
    if reason := _missing():
        if os.environ.get("KEYWATCH_REQUIRE") == "all":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


@functools.cache
def _missing() -> str | None:
    if reason := distribution.requirements_missing():
        return reason
    try:
        distribution.helm()
        distribution.validator()
    except distribution.DistributionError as error:
        return str(error)
    return None


def render(values: Mapping[str, Any] | None = None, *flags: str, name: str = "watch") -> list[Manifest]:
    """Return the objects that an installation with these values makes; raises `RefusedError`."""
    text = rendered(values, *flags, name=name)
    return [found for found in yaml.load_all(text, Loader=yaml.CSafeLoader) if found]


def rendered(values: Mapping[str, Any] | None = None, *flags: str, name: str = "watch") -> str:
    """Return what `helm template` writes; raises `RefusedError`."""
    command: list[str | Path] = [
        distribution.helm(),
        "template",
        name,
        CHART,
        "--namespace",
        "observed",
        "--values",
        "-",
        *flags,
    ]
    done = subprocess.run(
        command, input=json.dumps(values or {}), capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode:
        raise RefusedError(done.stderr)
    return done.stdout


def of(manifests: Sequence[Manifest], kind: str) -> list[Manifest]:
    """Return those of a kind."""
    return [one for one in manifests if one["kind"] == kind]


def only(manifests: Sequence[Manifest], kind: str) -> Manifest:
    """Return the one of a kind."""
    (found,) = of(manifests, kind)
    return found


def judged(manifests: Sequence[Manifest], releases: Sequence[str] = RELEASES) -> list[str]:
    """Have these releases of Kubernetes judge, strictly, the objects of its own kinds; returns what they refuse."""
    own = [one for one in manifests if "." not in one["apiVersion"].partition("/")[0] or "k8s.io" in one["apiVersion"]]
    done = subprocess.run(
        [distribution.validator(), Path(__file__).with_name("judge.py"), *releases],
        input=json.dumps(own),
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    found: list[str] = json.loads(done.stdout)
    return found
