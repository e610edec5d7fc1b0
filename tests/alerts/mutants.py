"""Changes each rule in one place at a time and runs its tests: what no test notices is named (`make rules-mutants`)."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tests.alerts import table
from tests.alerts.promtool import verdicts
from tests.alerts.survivors import explanation

_FLIPPED = {"==": "!=", "!=": "==", ">": "<", "<": ">"}
_JOINED = {"unless": "and", "and": "unless", "or": "and"}
_OTHER = {"critical": "warning", "warning": "critical", "info": "warning"}
_AGGREGATIONS = {"max": "min", "min": "max", "sum": "max", "count": "max"}
# Strings, ranges and lists of labels are no place for numbers and operators.
_APART = re.compile(r"\"(?:[^\"\\]|\\.)*\"|\[[^\]]*\]|\b(?:by|on)\s*\([^)]*\)|\boffset\s+\w+")


@dataclass(frozen=True)
class Mutant:
    """One changed rule."""

    rule: str
    kind: str
    change: str
    data: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What was changed where."""
        return f"{self.rule} {self.kind}: {self.change}"


def mutants(name: str, rule: Mapping[str, Any]) -> Iterator[Mutant]:
    """Return every mutant of a rule."""
    expression = str(rule["expr"])
    for kind, change, text in _expressions(expression):
        yield Mutant(name, kind, change, {**rule, "expr": text})
    if "alert" not in rule:
        return
    labels = rule["labels"]
    yield Mutant(name, "label", "severity", {**rule, "labels": {**labels, "severity": _OTHER[labels["severity"]]}})
    yield Mutant(name, "label", "component", {**rule, "labels": {**labels, "component": "other"}})
    seconds = _seconds(rule["for"])
    yield Mutant(name, "for", "doubled", {**rule, "for": f"{2 * seconds + 60}s"})
    if seconds:
        yield Mutant(name, "for", "0s", {**rule, "for": "0s"})
    if "keep_firing_for" in rule:
        yield Mutant(name, "for", "keep_firing_for 0s", {**rule, "keep_firing_for": "0s"})


def _larger(number: str) -> str:
    return f"{2 * float(number) + 1:g}"


def _smaller(number: str) -> str:
    return f"({float(number) / 2 - 1:g})"


_SERIES = r"\b(?:keywatch|keycloak|jvm|process|http|agroal|vendor|container|kube|kubelet|node)_\w+|\bup(?=\{)"
_NUMBER = r"(?<![\w.:])\d+(?:\.\d+)?(?![\w.])"
# kind, what is changed, into what; only outside of strings and lists.
_CHANGES: tuple[tuple[str, str, Callable[[str], str]], ...] = (
    ("threshold", _NUMBER, _larger),
    ("threshold", _NUMBER, _smaller),
    ("comparison", r"==|!=|(?<![=<>!])[<>](?!=)", _FLIPPED.__getitem__),
    ("set", r"\b(?:unless|and|or)\b", _JOINED.__getitem__),
    ("aggregation", r"\b(?:max|min|sum|count)(?= by)", _AGGREGATIONS.__getitem__),
    ("metric", rf"{_SERIES}|\bcluster:keywatch\w+:\w+", "{}_x".format),
)


def _expressions(text: str) -> Iterator[tuple[str, str, str]]:
    """Give kind, description and text of every change of an expression."""
    apart = [found.span() for found in _APART.finditer(text)]
    for kind, pattern, into in _CHANGES:
        for found in re.finditer(pattern, text):
            if not any(start <= found.start() < end for start, end in apart):
                yield _changed(kind, text, found, into(found[0]))
    for listed in re.finditer(r"\b(by|on)\s*\(([^)]*)\)", text):
        labels = [label.strip() for label in listed[2].split(",")]
        for label in labels:
            kept = ", ".join(other for other in labels if other != label)
            yield _changed("label", text, listed, f"{listed[1]} ({kept})")
    for matcher in re.finditer(r"\b(\w+)(!=|=~|!~|=)\"([^\"]*)\",? ?", text):
        yield _changed("label", text, matcher, f'{matcher[1]}{matcher[2]}"mutated", ')
        yield _changed("label", text, matcher, "")


def _changed(kind: str, text: str, found: re.Match[str], new: str) -> tuple[str, str, str]:
    start, end = found.span()
    line, column = text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)
    return kind, f"{line}:{column} {found[0].strip()} → {new.strip() or 'nothing'}", text[:start] + new + text[end:]


def _seconds(duration: str) -> int:
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600}[duration[-1]]


def _concerned(name: str) -> set[str]:
    """Name the alerts that build on a rule, over any number of recorded series."""
    rules = table.rules()
    found, new = {name}, {name}
    while new:
        new = {other for other, rule in rules.items() for one in new if one in str(rule["expr"])} - found
        found |= new
    return {one for one in found if "alert" in rules[one]}


def plan(mutant: Mutant, folder: Path, number: int) -> list[Path]:
    """Write what promtool needs to try a mutant: the changed rule, the recorded series, and the cases it concerns."""
    concerned = _concerned(mutant.rule)
    rules = {**table.rules(), mutant.rule: mutant.data}
    path = table.write_rules([rules[name] for name in table.needed(concerned)], folder / f"{number}.rules")
    cases = [replace(case, firing={}) for case in CASES if case.subject in concerned]
    intervals = dict.fromkeys(case.evaluated for case in cases)
    files = []
    for interval in intervals:
        tests = [case.test() for case in cases if case.evaluated == interval]
        target = folder / f"{number}-{interval}.yml"
        target.write_text(table.render(tests, [path], interval), encoding="utf-8")
        files.append(target)
    return files


CASES = [case for case in table.cases() if case.expect]


def survivors(chosen: Sequence[Mutant]) -> list[Mutant]:
    """Try mutants and give those that no case notices."""
    with tempfile.TemporaryDirectory(prefix="keywatch-mutants-") as folder:
        plans = [plan(mutant, Path(folder), number) for number, mutant in enumerate(chosen)]
        found = verdicts([path for files in plans for path in files])
        return [mutant for mutant, files in zip(chosen, plans, strict=True) if all(found[path] == "" for path in files)]


def every() -> list[Mutant]:
    """Return all mutants of all rules."""
    return [mutant for name, rule in table.rules().items() for mutant in mutants(name, rule)]


def main() -> int:
    """Try all mutants, or those of the rules named, and report.

    Exits with 1 when fewer than 95 in 100 are noticed of those that change what a rule means.
    """
    if shutil.which("promtool") is None:
        print("promtool is missing; on Debian it comes with the package prometheus (make deps)", file=sys.stderr)
        return 2
    started = time.monotonic()
    chosen = [mutant for mutant in every() if not sys.argv[1:] or mutant.rule in sys.argv[1:]]
    left = survivors(chosen)
    tried, lived = Counter(mutant.kind for mutant in chosen), Counter(mutant.kind for mutant in left)
    for mutant in left:
        print(f"survives: {mutant.name}: {explanation(mutant.name) or 'NOT EXPLAINED'}")
    for kind, count in sorted(tried.items()):
        print(f"{kind}: {count - lived[kind]} of {count} noticed")
    same = sum(1 for mutant in left if explanation(mutant.name))
    share = (len(chosen) - len(left)) / (len(chosen) - same)
    seconds = time.monotonic() - started
    print(f"{len(chosen) - len(left)} of {len(chosen)} mutants noticed in {seconds:.0f} s; {same} mean the same")
    print(f"of those that do not, {share:.1%} are noticed")
    return 0 if share >= 0.95 else 1


if __name__ == "__main__":
    sys.exit(main())
