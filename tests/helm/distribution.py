"""Builds Helm once from Go's module proxy and installs the schemas of Kubernetes, or says why neither can be had."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.exporter.documents.tree import ROOT

HELM = "4.3.1"
_LOCK = ROOT / "requirements" / "chart.lock"
_SECONDS = 900.0


class DistributionError(Exception):
    """One of them could not be fetched."""


def cache() -> Path:
    """Return the folder that both lie in, or will lie in."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "keywatch"


def requirements_missing() -> str | None:
    """Say in a sentence why the chart cannot be rendered here; `None` when it can."""
    if not (cache() / f"helm-{HELM}").is_dir() and shutil.which("go") is None:
        return "Helm is built by Go, and there is no go on the PATH."
    return None


def helm() -> Path:
    """Return the program, after building it when the cache lacks it (a minute and a half, 300 MB of modules).

    Raises `DistributionError`.
    """

    def build(folder: Path) -> None:
        environment = {**os.environ, "GOBIN": str(folder), "GOFLAGS": "-trimpath"}
        _run(["go", "install", f"helm.sh/helm/v{HELM[0]}/cmd/helm@v{HELM}"], environment)

    return once(f"helm-{HELM}", build) / "helm"


def validator() -> Path:
    """Return a Python that has kubernetes-validate, after installing it from the lock when the cache lacks it."""
    digest = hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:8]

    def install(folder: Path) -> None:
        # Not in the developers' lock: two hundred megabytes of schemas that only these tests read.
        _run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
        pip = [sys.executable, "-m", "pip", f"--python={folder / 'bin' / 'python'}", "install", "--quiet"]
        _run([*pip, "--disable-pip-version-check", "--require-hashes", "-r", str(_LOCK)])

    return once(f"kubernetes-schemas-{digest}", install) / "bin" / "python"


def once(name: str, make: Callable[[Path], None]) -> Path:
    """Fill a folder beside the one of this name and rename it, so that it never exists half full."""
    folder = cache() / name
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (folder.parent / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.is_dir():
                with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as temporary:
                    make(Path(temporary) / "made")
                    (Path(temporary) / "made").rename(folder)
    return folder


def _run(command: list[str], environment: dict[str, str] | None = None) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=_SECONDS, check=False)
    if done.returncode:
        raise DistributionError(f"{' '.join(command)} (exit {done.returncode}):\n{done.stderr[-2000:]}")
