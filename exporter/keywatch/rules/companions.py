"""Does each alert have what belongs to it: a runbook with its sections, and tests of each kind?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from keywatch.config.yaml_file import read, tree
from keywatch.rules.rule_file import Rule, RuleFile

SECTIONS = ("Meaning", "Impact", "Diagnosis", "Mitigation", "Whom to tell")
KINDS = ("fires", "silent", "missing")


def without_runbook(files: Sequence[RuleFile], folder: Path) -> Iterator[str]:
    """Say which alerts lack a runbook or a section of it, and which runbooks belong to no alert."""
    named: dict[str, tuple[RuleFile, Rule]] = _alerts(files)
    for alert, (file, rule) in named.items():
        page = folder / f"{alert}.md"
        if not page.is_file():
            yield file.words((*rule.place, "alert"), f"the runbook {page} is missing")
            continue
        lines = read(page).splitlines()
        if lines[:1] != [f"# {alert}"]:
            yield f"{page}:1: the title must be '# {alert}'"
        found = tuple(line.removeprefix("## ") for line in lines if line.startswith("## "))
        if found != SECTIONS:
            yield f"{page}: the sections must be {', '.join(SECTIONS)}; they are {', '.join(found) or 'none'}"
        url = str((rule.data.get("annotations") or {}).get("runbook_url", ""))
        if re.sub(r"(\.md|\.html|/)$", "", url).rpartition("/")[2] != alert:
            yield file.words((*rule.place, "annotations", "runbook_url"), f"does not end with {alert}.md")
    for page in sorted(folder.glob("*.md")):
        if page.stem not in named and page.stem != "README":
            yield f"{page}: belongs to no alert"


def without_test(files: Sequence[RuleFile], folder: Path) -> Iterator[str]:
    """Say which alerts lack a test that they fire, that they stay silent, or of missing data."""
    kinds: dict[str, set[str]] = {}
    for path in sorted(folder.glob("*.yml")):
        tests = tree(read(path), str(path)).data.get("tests", {})
        for alert, cases in tests.items() if isinstance(tests, Mapping) else ():
            kinds.setdefault(alert, set()).update(key for case in cases for key in KINDS if key in case)
    for alert, (file, rule) in _alerts(files).items():
        missing = [kind for kind in KINDS if kind not in kinds.get(alert, ())]
        if missing:
            yield file.words(
                (*rule.place, "alert"), f"{folder} has no test of the kind {', '.join(missing)} for {alert}"
            )


def _alerts(files: Sequence[RuleFile]) -> dict[str, tuple[RuleFile, Rule]]:
    return {rule.alert: (file, rule) for file in files for rule in file.rules() if rule.alert}
