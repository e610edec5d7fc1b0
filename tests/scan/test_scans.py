"""Each scan finds the fault that is planted for it, and one that could not look does not pass."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.exporter.documents.tree import ROOT
from tests.scan import scans
from tests.scan.scans import ALLOWED, Outcome, licences_of, read_audit

pytestmark = pytest.mark.timeout(900)
LOCK = ROOT / "requirements" / "runtime.lock"


def test_code_that_runs_what_it_is_given_is_found(tmp_path: Path) -> None:
    folder = tmp_path / "exporter" / "keywatch"
    folder.mkdir(parents=True)
    (folder / "a.py").write_text("x = 1\n", encoding="utf-8")
    assert scans.code(tmp_path).outcome is Outcome.PASSED
    (folder / "a.py").write_text("import subprocess\nsubprocess.call(input(), shell=True)\n", encoding="utf-8")
    result = scans.code(tmp_path)
    assert (result.outcome, "B602" in result.words) == (Outcome.FAILED, True), result


@pytest.mark.skipif(shutil.which("go") is None, reason="gitleaks is built by Go")
def test_a_secret_is_found_also_in_a_commit_that_was_mended(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        who = ["-c", "user.name=n", "-c", "user.email=e@example.org"]
        subprocess.run(["git", *who, *words], cwd=tmp_path, check=True, capture_output=True)

    token = "8r7Q6p5O4n3M2l1K0j9I8h7G6f5E4d3C2b1A_phg"[::-1]  # or it would be found here
    git("init", "-q")
    for text in ("nothing\n", f'token = "{token}"\n', "nothing again\n"):
        (tmp_path / "a.txt").write_text(text, encoding="utf-8")
        git("add", "a.txt")
        git("commit", "-q", "-m", "a")
    result = scans.secrets(tmp_path)
    assert result.outcome is Outcome.FAILED
    assert token not in result.words


def test_what_was_skipped_is_no_pass() -> None:
    skipped = {"dependencies": [{"name": "a", "skip_reason": "not found"}, {"name": "b", "version": "1", "vulns": []}]}
    assert read_audit(json.dumps(skipped), "").outcome is Outcome.COULD_NOT_LOOK
    assert read_audit(json.dumps({"dependencies": []}), "").outcome is Outcome.COULD_NOT_LOOK
    assert read_audit("", "no network").outcome is Outcome.COULD_NOT_LOOK
    hole = {"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "PYSEC-1"}]}, *skipped["dependencies"]]}
    result = read_audit(json.dumps(hole), "")
    assert (result.outcome, result.words) == (Outcome.FAILED, "a 1: PYSEC-1")
    good = {"dependencies": [{"name": "b", "version": "1", "vulns": []}]}
    assert read_audit(json.dumps(good), "").outcome is Outcome.PASSED


def test_an_old_package_with_a_known_hole_never_passes(tmp_path: Path) -> None:
    lock = tmp_path / "old.lock"
    lock.write_text(f"jinja2==2.4.1 \\\n    --hash=sha256:{'0' * 64}\n", encoding="utf-8")
    assert scans.vulnerabilities(lock).outcome in {Outcome.FAILED, Outcome.COULD_NOT_LOOK}


def test_a_dockerfile_without_a_version_is_found(tmp_path: Path) -> None:
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / "Dockerfile").write_text("FROM debian\nRUN cd /tmp && sudo ls\n", encoding="utf-8")
    result = scans.dockerfiles(tmp_path)
    assert (result.outcome, "DL3006" in result.words) == (Outcome.FAILED, True), result


def test_a_licence_that_may_not_be_shipped_is_found() -> None:
    found = licences_of(LOCK)
    assert len(found) > 20
    assert not ALLOWED.search("GNU Affero General Public License v3")
    assert not ALLOWED.search("")
    assert all(found.values())


def test_the_list_of_what_is_inside_names_each_locked_dependency(tmp_path: Path) -> None:
    out = tmp_path / "list.json"
    assert scans.inside(out=out).outcome is Outcome.PASSED
    listed = json.loads(out.read_text(encoding="utf-8"))
    assert (listed["bomFormat"], listed["specVersion"]) == ("CycloneDX", "1.6")
    names = re.findall(r"(?m)^([\w.-]+)==", LOCK.read_text(encoding="utf-8"))
    assert {one["name"] for one in listed["components"]} >= set(names)
    empty = tmp_path / "empty.lock"
    empty.write_text("", encoding="utf-8")
    assert scans.inside(empty, out).outcome is Outcome.FAILED
