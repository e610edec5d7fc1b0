"""Has the TypeScript compiler hold objects against the types of Elasticsearch's official client."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from keywatch.elastic.objects import ElasticObject, ObjectKind

# The 9 line's types are checked against servers 9; what we use of them is the same in 8.19.
_PACKAGES = ("@elastic/elasticsearch@9.4.3", "typescript@5.9.3")
_SECONDS = 600.0
_TYPES = {
    ObjectKind.LIFECYCLE: "estypes.IlmPutLifecycleRequest",
    ObjectKind.INGEST: "estypes.IngestPutPipelineRequest",
    ObjectKind.COMPONENT: "estypes.ClusterPutComponentTemplateRequest",
    ObjectKind.INDEX: "estypes.IndicesPutIndexTemplateRequest",
}
_ROLE = "estypes.SecurityPutRoleRequest"
_ERROR = re.compile(r"^\S*?([\w-]+)\.ts\(\d+,\d+\): error (TS\d+: .*)$", re.MULTILINE)


def compiler_required() -> Path:
    """Return the folder in which the compiler is installed; skips without npm, or fails where all is required."""
    try:
        return _installed()
    except _MissingError as error:
        if os.environ.get("KEYWATCH_REQUIRE") == "all":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))


class _MissingError(Exception):
    """The compiler cannot be had here."""


@functools.cache
def _installed() -> Path:
    """Install the packages once into the cache, safe against other processes that do the same."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        raise _MissingError("The types of Elasticsearch's client are fetched by npm, and there is none on the PATH.")
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keywatch"
    folder = base / f"elastic-types-{hashlib.sha256(' '.join(_PACKAGES).encode()).hexdigest()[:8]}"
    base.mkdir(parents=True, exist_ok=True)
    with (base / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            with tempfile.TemporaryDirectory(dir=base, prefix=".fetching-") as temporary:
                target = Path(temporary) / "types"
                target.mkdir()
                (target / "package.json").write_text('{"private": true}', encoding="utf-8")
                command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", *_PACKAGES]
                done = subprocess.run(
                    command, cwd=target, capture_output=True, text=True, check=False, timeout=_SECONDS
                )
                if done.returncode:
                    raise _MissingError(f"npm could not fetch {', '.join(_PACKAGES)}:\n{done.stderr[-2000:]}")
                target.rename(folder)
    return folder


def typed_errors(named: Mapping[str, ElasticObject | Mapping[str, Any]], folder: Path) -> dict[str, list[str]]:
    """Compile each object as a literal of its request's type; returns what the compiler says, by the given names.

    A mapping that is no object is a role. Names must do as names of files; `folder` gets the sources.
    """
    installed = compiler_required()
    for name, one in named.items():
        (folder / f"{name}.ts").write_text(_source(one), encoding="utf-8")
    modules = folder / "node_modules"
    if not modules.exists():
        modules.symlink_to(installed / "node_modules")
    options = {
        "strict": True, "noEmit": True, "skipLibCheck": True, "target": "es2022", "module": "nodenext",
        "moduleResolution": "nodenext", "types": [],
    }  # fmt: skip
    config = {"compilerOptions": options, "files": [f"{name}.ts" for name in named]}
    (folder / "tsconfig.json").write_text(json.dumps(config), encoding="utf-8")
    (folder / "package.json").write_text('{"private": true}', encoding="utf-8")
    tsc = installed / "node_modules" / "typescript" / "bin" / "tsc"
    done = subprocess.run(
        ["node", str(tsc), "--pretty", "false", "-p", str(folder)],
        cwd=folder, capture_output=True, text=True, check=False, timeout=_SECONDS,
    )  # fmt: skip
    found: dict[str, list[str]] = {name: [] for name in named}
    for name, words in _ERROR.findall(done.stdout):
        found[name].append(words)
    assert not done.returncode or any(found.values()), done.stdout + done.stderr
    return found


def _source(one: ElasticObject | Mapping[str, Any]) -> str:
    if isinstance(one, ElasticObject):
        body, kind = {"name": one.name, **one.body}, _TYPES[one.kind]
        if one.kind is ObjectKind.INGEST:
            body = {"id": one.name, **one.body}
    else:
        body, kind = {"name": "role", **one}, _ROLE
    literal = json.dumps(body, indent=1)
    return f"import type {{ estypes }} from '@elastic/elasticsearch'\nexport const made: {kind} = {literal}\n"
