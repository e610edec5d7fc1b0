"""The house's own rules for its rule files: shape, series of its catalogue, one name once, runbooks and tests."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from keywatch.config.yaml_file import ConfigError
from keywatch.rules import companions, series, shape
from keywatch.rules.rule_file import RuleFile


def problems(
    paths: Sequence[Path], pages: Sequence[Path] = (), runbooks: Path | None = None, tests: Path | None = None
) -> Iterator[str]:
    """Say what the house does not want in files that Prometheus would load; raises `ConfigError`.

    `pages` are saved pages of /metrics whose series exist as well; `runbooks` and `tests` are folders in which each
    alert must have its own.
    """
    for folder in (runbooks, tests):
        if folder is not None and not folder.is_dir():
            raise ConfigError(f"{folder}: is not a folder")
    files = [RuleFile(path) for path in paths]
    known = series.known(pages)
    known.update({rule.record: None for file in files for rule in file.rules() if rule.record})
    for file in files:
        found = {*shape.problems(file), *series.problems(file, known)}
        yield from sorted(found, key=lambda words: (file.line_of(words), words))
    yield from _twice(files)
    if runbooks is not None:
        yield from companions.without_runbook(files, runbooks)
    if tests is not None:
        yield from companions.without_test(files, tests)


def _twice(files: Sequence[RuleFile]) -> Iterator[str]:
    """Name alerts that stand twice: when one of the two ends, Alertmanager takes the other for ended as well."""
    first: dict[str, str] = {}
    for file in files:
        for rule in file.rules():
            name = rule.alert or rule.record
            if name is None:
                continue
            here = f"{file.path}:{file.line(rule.place)}"
            if name in first:
                yield file.words(
                    (*rule.place, "alert" if rule.alert else "record"), f"{name} stands already at {first[name]}"
                )
            first.setdefault(name, here)
