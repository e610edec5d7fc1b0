"""Which series exist: keywatch's own by its catalogue, and others by a list recorded from real systems."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families

from keywatch.config.yaml_file import ConfigError, read
from keywatch.metrics import catalogue
from keywatch.metrics.metric import MetricKind
from keywatch.rules.expression import ExpressionError, Selection, selections
from keywatch.rules.rule_file import RuleFile

# Prometheus gives these to every series that it scrapes; the others are what scrape configurations usually add.
_ADDED = frozenset({"job", "instance", "namespace", "pod", "container", "node", "service", "endpoint", "prometheus"})
# The job that asks for `collect[]=health` only.
HEALTH_JOB = "keywatch-health"

Known = Mapping[str, frozenset[str] | None]
"""Series → its labels; none when they are not known."""


def own() -> Iterator[str]:
    """Return the series of keywatch's catalogue, which some faults alone bring about."""
    for metric in catalogue.METRICS:
        kinds = ("_bucket", "_count", "_sum") if metric.kind is MetricKind.HISTOGRAM else ("",)
        yield from (f"{metric.name}{kind}" for kind in kinds)


def known(pages: Iterable[Path] = ()) -> dict[str, frozenset[str] | None]:
    """Return all series that somebody emits, with those of saved pages of /metrics; raises `ConfigError`."""
    found: dict[str, frozenset[str] | None] = {}
    for name, labels in _foreign():
        found[name] = (found.get(name) or frozenset()) | labels
    for metric in catalogue.METRICS:
        own = frozenset(metric.labels)
        if metric.kind is MetricKind.HISTOGRAM:
            found[f"{metric}_bucket"] = own | {"le"}
            found[f"{metric}_count"] = found[f"{metric}_sum"] = own
        else:
            found[metric.name] = own
    for page in pages:
        try:
            for family in text_string_to_metric_families(read(page)):
                for sample in family.samples:
                    found[sample.name] = (found.get(sample.name) or frozenset()) | frozenset(sample.labels)
        except ValueError as error:
            raise ConfigError(f"{page}: is no page of /metrics: {error}") from None
    return found


def _foreign() -> Iterator[tuple[str, frozenset[str]]]:
    data: dict[str, Any] = yaml.safe_load(
        files("keywatch.rules").joinpath("foreign_series.yml").read_text(encoding="utf-8")
    )
    for source in data.values():
        for name, labels in source["series"].items():
            yield name, frozenset(labels)


_HEALTH = frozenset(metric.name for metric in catalogue.METRICS if metric.health)


def problems(file: RuleFile, series: Known) -> Iterator[str]:
    """Say which series or labels of expressions nothing emits."""
    for rule in file.rules():
        for place, text in rule.expressions():
            try:
                asked = selections(text)
            except ExpressionError:  # of a template whose text is put together; others were refused before
                continue
            told: set[str] = set()
            for selection in asked:
                problem = _problem(selection, series)
                if problem and problem not in told:
                    told.add(problem)
                    yield file.words(place, problem, selection.name or None)


def _problem(selection: Selection, series: Known) -> str:
    name = selection.name
    if not name:
        return "a selector has no name, or a pattern of names: nobody can tell whether anything emits its series"
    if name.startswith("ALERTS"):  # Prometheus' own
        return ""
    if name not in series:
        close = difflib.get_close_matches(name, series, n=1, cutoff=0.85)
        hint = f"; did you mean {close[0]}?" if close else ""
        return f"nothing emits the series {name}{hint}"
    labels = series[name]
    if labels is not None and ":" not in name:
        unknown = sorted({label for label, _ in selection.labels} - labels - _ADDED)
        if unknown:
            return f"the series {name} has no label {unknown[0]}; it has: {', '.join(sorted(labels)) or 'none'}"
    if selection.fixed("job") == HEALTH_JOB and name.startswith("keywatch_") and name not in _HEALTH:
        return f"the series {name} is not in the set collect[]=health, so the job {HEALTH_JOB} does not have it"
    return ""
