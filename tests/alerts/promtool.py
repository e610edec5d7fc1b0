"""Runs `promtool test rules` over many files in few processes and tells what it says of each."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

_SECONDS = 1000.0  # a batch takes seconds; the rest is for a machine that does other things as well
_BATCH = 40
_HEAD = r"^(?:Unit Testing|Processing test file):\s+"  # as promtool 2 and 3 have it
_VERDICT = re.compile(rf"{_HEAD}(\S+)\n(.*?)(?={_HEAD}|\Z)", re.MULTILINE | re.DOTALL)


def promtool_required() -> str:
    """Give promtool's path; skips the test without it, and fails it where everything is required."""
    return _required("promtool", "prometheus")


def amtool_required() -> str:
    """Give amtool's path; skips the test without it, and fails it where everything is required."""
    return _required("amtool", "prometheus-alertmanager")


def _required(tool: str, package: str) -> str:
    found = shutil.which(tool)
    if found is None:
        words = f"{tool} is missing; on Debian it comes with the package {package} (make deps)"
        if os.environ.get("KEYWATCH_REQUIRE") == "all":
            pytest.fail(words)
        pytest.skip(words)
    return found


def verdicts(files: Sequence[Path]) -> dict[Path, str]:
    """Run every file and give what failed in each; nothing for one that passed."""
    batches = [files[start : start + _BATCH] for start in range(0, len(files), _BATCH)]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        found = {path: words for batch in pool.map(_run, batches) for path, words in batch.items()}
    missing = [str(path) for path in files if path not in found]
    assert not missing, f"promtool says nothing of {missing[:3]}"
    return found


def _run(files: Sequence[Path]) -> dict[Path, str]:
    done = subprocess.run(
        [promtool_required(), "test", "rules", *map(str, files)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,  # what passed and what failed go to different streams, in one order
        text=True,
        check=False,
        timeout=_SECONDS,
    )
    return {
        Path(path): "" if words.strip() == "SUCCESS" else words.strip() for path, words in _VERDICT.findall(done.stdout)
    }
