"""The scans: what each looks at, and what came of it. One that could not look has not passed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import distribution
from pathlib import Path
from typing import Final

from packaging.markers import default_environment
from packaging.requirements import Requirement

from tests.exporter.documents.tree import ROOT
from tests.scan.tools import gitleaks, tool


class Outcome(StrEnum):
    """What came of a scan."""

    PASSED = "passed"
    FAILED = "FAILED"
    COULD_NOT_LOOK = "COULD NOT LOOK"


@dataclass(frozen=True)
class Result:
    """An outcome, and what was found or what kept it from looking."""

    outcome: Outcome
    words: str = ""


def _judged(code: int, words: str) -> Result:
    return Result(Outcome.FAILED, words.strip()[-4000:]) if code else Result(Outcome.PASSED)


def code(tree: Path = ROOT) -> Result:
    """Look through the code for what is dangerous, with bandit."""
    folders = [
        str(path)
        for path in (tree / "exporter" / "keywatch", tree / "dashboards" / "keywatch_dashboards")
        if path.is_dir()
    ]
    # Listening everywhere (B104) is ruff's S104 as well, which has its reason at each place.
    done = tool(
        "bandit", "--quiet", "--recursive", "--skip", "B104", "--severity-level", "medium", "--format", "txt", *folders
    )
    return _judged(done.returncode, done.stdout + done.stderr)


def secrets(tree: Path = ROOT) -> Result:
    """Look through every commit for secrets, with gitleaks."""
    own = tree / ".gitleaks.toml"
    flags = ["--config", str(own)] if own.exists() else []
    done = gitleaks("git", "--no-banner", "--redact", "--verbose", *flags, str(tree))
    return _judged(done.returncode, done.stdout + done.stderr)


def vulnerabilities(lock: Path = ROOT / "requirements" / "runtime.lock") -> Result:
    """Ask for known holes of the locked dependencies, with pip-audit; one that it skipped is one not looked at."""
    done = tool("pip-audit", "--disable-pip", "--require-hashes", "--requirement", str(lock), "--format", "json")
    return read_audit(done.stdout, done.stderr)


def read_audit(report: str, complaint: str) -> Result:
    """Judge a report of pip-audit; it exits 0 for what it has not looked at."""
    try:
        found = json.loads(report)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return Result(Outcome.COULD_NOT_LOOK, complaint.strip()[-1000:])
    holes = [f"{one['name']} {one['version']}: {hole['id']}" for one in found for hole in one.get("vulns", [])]
    skipped = [f"{one['name']}: {one['skip_reason']}" for one in found if "skip_reason" in one]
    if holes:
        return Result(Outcome.FAILED, "\n".join(holes))
    if skipped or not found:
        shown = "\n".join(skipped[:3]) or "nothing was looked at"
        return Result(Outcome.COULD_NOT_LOOK, f"{len(skipped)} of {len(found)} skipped\n{shown}")
    return Result(Outcome.PASSED)


def dockerfiles(tree: Path = ROOT) -> Result:
    """Judge the Dockerfiles, with hadolint."""
    files = sorted(map(str, (tree / "deploy").rglob("Dockerfile")))
    done = tool("hadolint", "--no-color", "--failure-threshold", "warning", *files)
    return _judged(done.returncode, done.stdout + done.stderr)


ALLOWED: Final = re.compile(
    r"Apache|MIT|BSD|PSF|Python Software Foundation|Mozilla Public License 2\.0|MPL-2\.0|ISC|Unlicense", re.IGNORECASE
)
"""Licences under which dependencies may be shipped beside Apache-2.0."""


def licences(lock: Path = ROOT / "requirements" / "runtime.lock") -> Result:
    """Read each locked dependency's licence from what is installed."""
    found = licences_of(lock)
    refused = [f"{name}: {words or 'none is told'}" for name, words in found.items() if not ALLOWED.search(words)]
    return _judged(len(refused), "\n".join(refused))


def licences_of(lock: Path) -> Mapping[str, str]:
    """Return what each dependency of this platform says of its licence."""
    found = {}
    for line in re.findall(r"(?m)^([A-Za-z0-9][^\\\n]*?) \\$", lock.read_text(encoding="utf-8")):
        wanted = Requirement(line)
        environment = {key: str(value) for key, value in default_environment().items()}
        if wanted.marker is None or wanted.marker.evaluate(environment):
            about = distribution(wanted.name).metadata
            kinds = [
                one.rpartition(" :: ")[2] for one in about.get_all("Classifier", []) if one.startswith("License ::")
            ]
            said = (
                " ".join((*about.get_all("License-Expression", []), *kinds))
                or "".join(about.get_all("License", []))[:100]
            )
            found[wanted.name] = said
    return found


def inside(
    lock: Path = ROOT / "requirements" / "runtime.lock", out: Path = ROOT / "dist" / "keywatch.cdx.json"
) -> Result:
    """Write the list of what is inside (CycloneDX 1.6), and see that each locked dependency is in it."""
    out.parent.mkdir(exist_ok=True)
    done = tool("cyclonedx-py", "requirements", "--spec-version", "1.6", "--output-file", str(out), str(lock))
    if done.returncode:
        return _judged(done.returncode, done.stdout + done.stderr)
    listed = {one["name"]: one for one in json.loads(out.read_text(encoding="utf-8")).get("components", [])}
    names = re.findall(r"(?m)^([\w.-]+)==", lock.read_text(encoding="utf-8"))
    missing = [name for name in names if name not in listed]
    return _judged(len(missing) + (not names), f"not in the list: {', '.join(missing)}")


SCANS: Final[Mapping[str, Callable[[], Result]]] = {
    "code (bandit)": code,
    "secrets (gitleaks)": secrets,
    "vulnerabilities (pip-audit)": vulnerabilities,
    "Dockerfiles (hadolint)": dockerfiles,
    "licences": licences,
    "list of what is inside (CycloneDX)": inside,
}
"""What `make scan` does, by the words that it says."""
