"""Holds a dashboard against JSON schemas, made of the types that Grafana publishes for each of its versions."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

Json = dict[str, Any]

_SOURCE = Path(__file__).with_name("grafana_types")
_FILES = ("package.json", "package-lock.json", "schemas.cjs")
_SECONDS = 300.0
# Legitimate, and written by Grafana itself, but missing in its types: what a Prometheus annotation and a drop-down ask.
_UNTYPED = {"expr", "step", "textFormat", "titleFormat", "definition"}


def npm_required() -> None:
    """Skip the test where npm is missing, and fail it where everything is required."""
    if not _cache().is_dir() and not (shutil.which("npm") and shutil.which("node")):
        words = "Grafana's types come from npm, and node and npm are not on the PATH (make deps)"
        if os.environ.get("KEYWATCH_REQUIRE") == "all":
            pytest.fail(words)
        pytest.skip(words)


def _cache() -> Path:
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keywatch"
    digest = hashlib.sha256(b"".join((_SOURCE / name).read_bytes() for name in _FILES)).hexdigest()
    return base / f"grafana-types-{digest[:8]}"


@functools.cache
def versions() -> dict[str, Mapping[str, Draft7Validator]]:
    """Give for each of Grafana's versions its types' validators, made when the cache lacks them (seconds, 10 MB)."""
    folder = _cache()
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (folder.parent / f"{folder.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.is_dir():
                _make(folder)
    return {
        path.stem: {name: Draft7Validator(schema) for name, schema in json.loads(path.read_text("utf-8")).items()}
        for path in sorted(folder.glob("*.json"))
    }


def _make(folder: Path) -> None:
    """Fill a folder beside `folder` and rename it, so that `folder` never exists half full."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as temporary:
        work, target = Path(temporary) / "work", Path(temporary) / "schemas"
        work.mkdir()
        target.mkdir()
        for name in _FILES:
            shutil.copy(_SOURCE / name, work)
        install = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        for command in (install, ["node", "schemas.cjs", str(target)]):
            done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False, timeout=_SECONDS)
            assert done.returncode == 0, (
                f"{command[0]} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-2000:]}"
            )
        target.rename(folder)


def problems(dashboard: Json, types: Mapping[str, Draft7Validator]) -> Iterator[str]:
    """Say what one version of Grafana does not know, or wants otherwise; what it fills in itself may be missing."""
    yield from _errors("dashboard", {**dashboard, "panels": []}, types["Dashboard"])
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from _errors(f"row {panel.get('title')!r}", {**panel, "panels": []}, types["RowPanel"])
        for one in panel.get("panels", [panel]):
            yield from _of_panel(one, types)


def _of_panel(panel: Json, types: Mapping[str, Draft7Validator]) -> Iterator[str]:
    where, kind = f"panel {panel.get('title')!r}", panel["type"]
    yield from _errors(where, panel, types["Panel"])
    if kind == "row":
        return
    if f"{kind}.Options" not in types:
        yield f"{where}: no schema was made for the kind {kind!r}"
        return
    yield from _errors(f"{where} options", panel["options"], types[f"{kind}.Options"])
    if f"{kind}.FieldConfig" in types:
        yield from _errors(
            f"{where} custom", panel["fieldConfig"]["defaults"].get("custom", {}), types[f"{kind}.FieldConfig"]
        )


def _errors(where: str, instance: Json, validator: Draft7Validator) -> Iterator[str]:
    for error in validator.iter_errors(instance):
        if error.validator == "required":
            continue
        if error.validator == "additionalProperties":
            unknown = sorted(set(error.instance) - set(error.schema.get("properties", {})) - _UNTYPED)
            if unknown:
                yield f"{where}.{error.json_path}: unknown to Grafana: {', '.join(unknown)}"
            continue
        yield f"{where}.{error.json_path}: {error.message[:300]}"
