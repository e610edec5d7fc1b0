"""Checks rule files together and says of each mistake where it is and whose it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from keywatch.rules import loading
from keywatch.rules.emitted import Emitted, Labels
from keywatch.rules.judge import Judgement, judge, lines
from keywatch.rules.prometheus import Prometheus


@dataclass(slots=True)
class Report:
    """What was found."""

    files: list[Judgement]
    refused: list[str] = field(default_factory=list)
    """What the chosen Prometheus would refuse: it loads nothing of such a file."""
    found: list[str] = field(default_factory=list)
    """What loads and will not work as meant."""

    @property
    def refused_files(self) -> int:
        """How many files would be refused."""
        return sum(bool(file.refused) for file in self.files)

    def __str__(self) -> str:
        """Sum up what the files hold."""
        rules = [rule for file in self.files for group in file.groups for rule in group.rules]
        alerts = len({rule.alert.text for rule in rules if rule.alert})
        recorded = sum(1 for rule in rules if rule.record)
        manifests = sum(file.manifest for file in self.files)
        kinds = f", {manifests} of them for the Prometheus Operator" if manifests else ""
        return f"{len(self.files)} files{kinds}, {alerts} alerts, {recorded} recorded series"


def lint(paths: Sequence[Path], prometheus: Prometheus, series: Mapping[str, Labels] | None = None) -> Report:
    """Judge rule files for that Prometheus; raises `ConfigError` for one that cannot be read.

    `series` is what exists, with labels where they are known; none: any series may exist.
    """
    report = Report([judge(path, prometheus) for path in paths])
    if series is not None:
        recorded = [name for file in report.files for name in loading.names(file.groups)]
        emitted = Emitted(series, recorded)
        for file in report.files:
            if not file.refused:
                file.found += emitted.problems(file.groups, file.loader)
    for file in report.files:
        report.refused += lines(file.path, file.refused)
        report.found += lines(file.path, file.found)
    return report
