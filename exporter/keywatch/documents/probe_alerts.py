"""Which alerts fire on which probe's series, or on what is recorded from them, and which keep silent by these."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from keywatch.metrics import catalogue
from keywatch.rules.expression import Selection, grounds, selections
from keywatch.rules.rule_file import Rule, RuleFile

EVERY = "probe"
"""The collector of the series that every probe has."""
_SERIES: Mapping[str, str] = {
    f"{metric}{suffix}": metric.probe for metric in catalogue.METRICS for suffix in ("", "_bucket", "_count", "_sum")
}


def read(folder: Path) -> list[Rule]:
    """Return the rules of a folder's files; raises `ConfigError` for a file that is none."""
    return [rule for path in sorted(folder.glob("*.yml")) for rule in RuleFile(path).rules()]


def alerts(rules: Sequence[Rule], probe: str) -> list[Rule]:
    """Return the alerts that fire on series of the probe, or on its part of those that every probe has."""
    recorded = _recorded(rules)
    return [rule for rule in rules if rule.alert and _concern(grounds(_expression(rule)), probe, recorded)]


def silenced(rules: Sequence[Rule], probe: str) -> list[Rule]:
    """Return the alerts that ask for series of the probe only to keep silent."""
    recorded, firing = _recorded(rules), alerts(rules, probe)
    asking = [rule for rule in rules if rule.alert and _concern(selections(_expression(rule)), probe, recorded)]
    return [rule for rule in asking if rule not in firing]


def _expression(rule: Rule) -> str:
    """Return the rule's own expression; what its annotations show beside is no reason to fire."""
    return str(rule.data.get("expr", ""))


def _recorded(rules: Iterable[Rule]) -> Mapping[str, tuple[Selection, ...]]:
    """Return what each recorded series is made from; several rules may record one."""
    found: dict[str, tuple[Selection, ...]] = {}
    for rule in rules:
        if rule.record:
            found[rule.record] = (*found.get(rule.record, ()), *grounds(_expression(rule)))
    return found


def _concern(asked: Iterable[Selection], probe: str, recorded: Mapping[str, tuple[Selection, ...]]) -> bool:
    todo, seen = list(asked), set[str]()
    while todo:
        one = todo.pop()
        collector = _SERIES.get(one.name)
        if collector == EVERY:
            matched = _of_all(one) if probe == EVERY else not _of_all(one) and _fits(one, probe)
        else:
            matched = collector == probe
        if matched:
            return True
        if one.name not in seen:
            seen.add(one.name)
            todo += recorded.get(one.name, ())
    return False


def _of_all(selection: Selection) -> bool:
    """Return whether the selection asks for whatever probe there is."""
    return all(label != "probe" for label, _ in selection.labels)


def _fits(selection: Selection, probe: str) -> bool:
    """Return whether the selection's matchers of the label `probe` let this one pass."""
    return all(_matches(written, probe) for label, written in selection.labels if label == "probe")


def _matches(written: str, probe: str) -> bool:
    """Return whether a value fits what is written after a label: =value, !=value, ~pattern or !~pattern."""
    if written.startswith("!"):
        return not _matches(written[1:], probe)
    if written.startswith("~"):
        return re.fullmatch(written[1:], probe) is not None
    return written == f"={probe}"
