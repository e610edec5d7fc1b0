"""keywatch and promtool agree on thousands of rules that were changed at random; needs Debian's promtool 2.42."""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.alerts.promtool import promtool_required
from tests.exporter.rules.verdicts import OLD, handed, read, refusals

_TOKEN: Final = re.compile(r"\{\{-?|-?\}\}|[$.]?\w+|\s+|.", re.DOTALL)
_TOLD: Final = re.compile(r'group "g", rule (\d+), "\w+": (.*)')
_SEED: Final = 20261129
_MANY: Final = 1500


def changed(texts: Sequence[str], number: int) -> list[str]:
    """Return that many texts with tokens that were left out, doubled, put elsewhere or taken from others."""
    choice = random.Random(_SEED)  # noqa: S311 - what is drawn is no secret
    tokens = [_TOKEN.findall(text) for text in texts]
    found: set[str] = set()
    while len(found) < number:
        words = list(choice.choice(tokens))
        for _ in range(choice.choice((1, 1, 2, 3))):
            at = choice.randrange(len(words) + 1)
            other = choice.choice(tokens)
            new = [choice.choice(other)] if other else []
            words[at : at + choice.choice((0, 1, 1))] = choice.choice((new, new, []))
        found.add("".join(words))
    return sorted(found)


def told(rules: Sequence[object], tmp_path: Path) -> list[str]:
    """Return what promtool says of each rule."""
    path = tmp_path / "rules.yml"
    path.write_text(json.dumps({"groups": [{"name": "g", "rules": rules}]}), encoding="utf-8")
    done = subprocess.run(
        [promtool_required(), "check", "rules", "--lint=none", str(path)],
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    found = [""] * len(rules)
    for number, words in _TOLD.findall(done.stderr):
        found[int(number) - 1] = words
    assert done.returncode == (1 if any(found) else 0), done.stderr[-2000:]
    return found


def disagreements(rules: Sequence[dict[str, object]], theirs: Sequence[str]) -> list[str]:
    """Return on which rules keywatch says something else."""
    found = []
    for rule, words in zip(rules, theirs, strict=True):
        ours = refusals(json.dumps({"groups": [{"name": "g", "rules": [rule]}]}).encode(), OLD)
        if bool(ours) != bool(words):
            found.append(f"{rule}: keywatch: {ours}, promtool: {words}")
    return found


def test_expressions_that_were_changed_get_promtools_verdict(tmp_path: Path) -> None:
    rules: list[dict[str, object]] = [
        {"record": "a", "expr": text} for text in changed(list(read("more-expressions")), _MANY)
    ]
    assert disagreements(rules, told(rules, tmp_path)) == []


def test_templates_that_were_changed_get_promtools_verdict(tmp_path: Path) -> None:
    rules: list[dict[str, object]] = [
        {"alert": "A", "expr": "up", "annotations": {"a": text}} for text in changed(list(read("templates")), _MANY)
    ]
    assert disagreements(rules, told(rules, tmp_path)) == []


def test_files_whose_lines_were_changed_get_promtools_verdict(tmp_path: Path) -> None:
    choice = random.Random(_SEED)  # noqa: S311 - what is drawn is no secret
    files = sorted({data.decode() for _, data, _, _ in handed()})
    paths = []
    for number in range(300):
        lines = choice.choice(files).split("\n")
        for _ in range(choice.choice((1, 1, 2))):
            at = choice.randrange(len(lines))
            other = choice.choice(choice.choice(files).split("\n"))
            lines[at : at + choice.choice((0, 1))] = choice.choice(([other], [], [f" {lines[at]}"], [lines[at][1:]]))
            lines = lines or [""]
        path = tmp_path / f"{number}.yml"
        path.write_text("\n".join(lines), encoding="utf-8")
        paths.append(path)
    done = subprocess.run(
        [promtool_required(), "check", "rules", "--lint=none", *map(str, paths)],
        capture_output=True, text=True, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == 1
    refused = {path for path in paths if f"{path}: " in done.stderr}
    assert {path for path in paths if refusals(path.read_bytes(), OLD)} == refused
    assert 50 < len(refused) < 290
