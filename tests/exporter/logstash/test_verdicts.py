"""The lint gives each file the verdict of Logstash's own grammar and compiler, those of 9 and of 8.14."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from keywatch.cli.command import main
from keywatch.cli.exit_codes import BAD_CONFIGURATION
from keywatch.logstash.regex import flaw

HERE = Path(__file__).parent / "cases"
# Each with what Logstash's grammar and compiler said of it: OK, REFUSED by the grammar, or COMPILE.
FILES: list[dict[str, str]] = json.loads((HERE / "pipelines.json").read_text(encoding="utf-8"))
# Each with whether Ruby reads it.
PATTERNS: list[dict[str, Any]] = json.loads((HERE / "patterns.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", FILES, ids=lambda case: case["name"])
@pytest.mark.parametrize("release", ["9", "8.14", None])
def test_what_logstash_refuses_is_refused_and_nothing_else(
    case: dict[str, str], release: str | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pipeline.conf"
    path.write_bytes(case["file"].encode())
    chosen = ["--logstash", release] if release else []
    refused = main(["logs", "lint", str(path), *chosen, "--severity", "style"]) == BAD_CONFIGURATION
    verdict = case["logstash_8_14" if release == "8.14" else "logstash_9"]
    assert refused == (verdict != "OK")
    out, err = capsys.readouterr()
    assert err.startswith(str(path)) == refused
    differs = case["logstash_8_14"] != case["logstash_9"]
    assert ("older-logstash" in out) == (differs and release is None)


def test_there_are_verdicts_of_each_kind() -> None:
    assert len(FILES) > 150
    assert {case["logstash_9"] for case in FILES} == {"OK", "REFUSED", "COMPILE"}
    assert sum(case["logstash_9"] != case["logstash_8_14"] for case in FILES) >= 5


@pytest.mark.parametrize("case", PATTERNS, ids=lambda case: str(case["pattern"]))
def test_a_pattern_that_ruby_refuses_is_refused_and_no_other(case: dict[str, Any]) -> None:
    assert (flaw(case["pattern"]) is None) == case["ruby"]


def test_a_pattern_without_end_is_judged_all_the_same() -> None:
    assert flaw("(" * 5000) is not None
    assert flaw("[" * 5000) is not None
    assert flaw("a{9999999999999}" + "\\9" * 3) is not None
