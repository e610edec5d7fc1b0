"""Installs what scans with, once, into the cache: a hashed lock for Python's tools, Go's module proxy for gitleaks."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

from tests.exporter.documents.tree import ROOT
from tests.helm.distribution import once

GITLEAKS: Final = "8.28.0"
_LOCK: Final = ROOT / "requirements" / "scan.lock"
_SECONDS: Final = 900.0


def python_tools() -> Path:
    """Return the folder of bandit, hadolint, pip-audit and cyclonedx-py."""
    digest = hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:8]

    def install(folder: Path) -> None:
        pip = [
            sys.executable,
            "-m",
            "pip",
            "--disable-pip-version-check",
            "install",
            "--quiet",
            "--target",
            str(folder),
        ]
        _run([*pip, "--require-hashes", "--no-deps", "-r", str(_LOCK)])

    return once(f"scan-tools-{digest}", install)


def tool(name: str, *arguments: str, deadline: float = 300.0, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run one of them in a folder, by the name of its program."""
    tools = python_tools()
    return subprocess.run(
        [sys.executable, str(tools / "bin" / name), *arguments]
        if name != "hadolint"
        else [tools / "bin" / name, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=deadline,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(tools), "PYTHONWARNINGS": "ignore"},
    )


def gitleaks(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """Run gitleaks, after building it when the cache lacks it (half a minute)."""

    def build(made: Path) -> None:
        environment = {**os.environ, "GOBIN": str(made), "GOFLAGS": "-trimpath"}
        _run(["go", "install", f"github.com/zricethezav/gitleaks/v8@v{GITLEAKS}"], environment)

    program = once(f"gitleaks-{GITLEAKS}", build) / "gitleaks"
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=300, cwd=folder)


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    subprocess.run(command, check=True, timeout=_SECONDS, env=environment)
