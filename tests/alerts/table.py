"""Reads the tables of rule tests beside this file, and renders each case as a file for `promtool test rules`.

A table is plain YAML: which rule files, how often, and for each alert its cases. A case `fires`, stays `silent`, has
data `missing`, or is the `scene` of a fault; `series` are promtool's input series, `expect` the alerts at moments, with
all labels and the description, `firing` the names of all alerts that fire. What is the same everywhere is added here:
job and instance, as alerts/prometheus.yml gives them; the component; and of annotations the summary, with the alert's
labels in it, and the two addresses, as the rule has them. Beside each series that rules select by its job come two of
the same object from another job, 0 and a million: nobody may take notice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from keywatch.metrics import catalogue

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RULES = ROOT / "alerts" / "rules"
KINDS = ("fires", "silent", "missing")
_HEALTH = frozenset(metric.name for metric in catalogue.METRICS if metric.health)
_ANY_JOB = frozenset(metric.name for metric in catalogue.METRICS if not metric.health)
_BY_JOB = re.compile(r"keywatch_|keycloak_|jvm_|process_|http_|agroal_|vendor_")
_CONSTANT = ("runbook_url", "dashboard_url")
_LABEL = re.compile(r"\{\{ \$labels\.(\w+) \}\}")


@dataclass(frozen=True, eq=False)
class Case:
    """One case of one alert."""

    table: str
    subject: str
    kind: str
    words: str
    rule_files: tuple[str, ...]
    component: str
    interval: str
    evaluated: str
    """How often rules are evaluated; as often as samples come where the table says nothing."""
    series: Mapping[str, str]
    expect: Mapping[str, list[dict[str, str]]]
    firing: Mapping[str, list[str]]

    @property
    def name(self) -> str:
        """The case's name in reports."""
        return f"{self.subject} {self.kind}: {self.words}"

    def test(self) -> dict[str, Any]:
        """Return the case as promtool's test."""
        test: dict[str, Any] = {
            "name": self.name,
            "interval": self.interval,
            "input_series": [
                *({"series": _labelled(series), "values": values} for series, values in self.series.items()),
                *({"series": series, "values": values} for series, values in self._bystanders()),
            ],
            "alert_rule_test": [
                {"eval_time": moment, "alertname": self.subject, "exp_alerts": [self._alert(alert) for alert in alerts]}
                for moment, alerts in self.expect.items()
            ],
        }
        if self.firing:
            test["promql_expr_test"] = [_firing(moment, names) for moment, names in self.firing.items()]
        return test

    def _bystanders(self) -> Iterator[tuple[str, str]]:
        """Return what other jobs may tell of the same objects, where rules say which job counts: 0, and a million."""
        for series in dict.fromkeys(re.sub(r',? ?(job|instance)="[^"]*"', "", written) for written in self.series):
            if _BY_JOB.match(series) and series.partition("{")[0] not in _ANY_JOB:
                labelled = series if "{" in series else f"{series}{{}}"
                for value in ("0", "1e6"):
                    yield f'{labelled[:-1]}, job="elsewhere", instance="{value}"}}'.replace("{, ", "{"), f"{value}x600"

    def _alert(self, alert: Mapping[str, str]) -> dict[str, dict[str, str]]:
        labels = {"component": self.component, **alert}
        annotations = {"description": labels.pop("description"), **constants()[self.subject]}
        annotations["summary"] = summary(self.subject, labels)
        return {"exp_labels": labels, "exp_annotations": annotations}


def render(tests: list[dict[str, Any]], rule_files: list[Path], evaluated: str) -> str:
    """Write a file for promtool, in which all tests have rules evaluated this often: it knows one interval a file."""
    return yaml.safe_dump(
        {
            "rule_files": [str(file) for file in rule_files],
            "evaluation_interval": evaluated,
            # Without it promtool takes any order, and what builds on a recorded series is a step late now and then.
            "group_eval_order": [name for file in rule_files for name in _groups(file)],
            "tests": tests,
        },
        sort_keys=False,
    )


def _groups(file: Path) -> list[str]:
    """Name the groups of a rule file."""
    return re.findall(r"^ *- name: (\S+)$", file.read_text(encoding="utf-8"), re.MULTILINE)


def _labelled(series: str) -> str:
    """Add the job and instance that the series would have by prometheus.yml, where the table does not write them."""
    name, _, rest = series.partition("{")
    written = rest.rstrip("}").strip()
    labels = [written] if written else []
    if name.startswith(("keywatch_", "process_")) and not re.search(r"\bjob=", written):
        labels.append(f'job="{"keywatch-health" if name in _HEALTH else "keywatch"}"')
    if not re.search(r"\binstance=", written):
        labels.append('instance="a:9877"')
    return f"{name}{{{', '.join(labels)}}}"


def _firing(moment: str, names: list[str]) -> dict[str, Any]:
    expected = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in names]
    return {
        "expr": 'group by (alertname) (ALERTS{alertstate="firing", alertname!="Watchdog"})',
        "eval_time": moment,
        "exp_samples": expected,
    }


@cache
def rules() -> dict[str, dict[str, Any]]:
    """Return every rule by its alert's or recorded series' name, with the file it stands in under `file`."""
    return {
        rule.get("alert") or rule["record"]: {**rule, "file": path.name}
        for path in sorted(RULES.glob("*.yml"))
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
    }


def needed(names: Iterable[str]) -> list[str]:
    """Name these rules and the recorded series that they build on, in the order in which they are evaluated."""
    known = rules()
    found, new = set(names), set(names)
    while new:
        texts = [str(known[name]["expr"]) for name in new]
        new = {name for name in known if ":" in name and any(name in text for text in texts)} - found
        found |= new
    recorded = [name for name in known if name in found and ":" in name]
    return [*recorded, *(name for name in known if name in found and ":" not in name)]


def write_rules(chosen: Iterable[Mapping[str, Any]], path: Path) -> Path:
    """Write rules as a file of one group."""
    kept = [{key: value for key, value in rule.items() if key != "file"} for rule in chosen]
    path.write_text(yaml.safe_dump({"groups": [{"name": "chosen", "rules": kept}]}, sort_keys=False), encoding="utf-8")
    return path


@cache
def constants() -> dict[str, dict[str, str]]:
    """Return the annotations of each alert that are the same whenever it fires."""
    return {
        name: {key: rule["annotations"][key] for key in _CONSTANT} for name, rule in rules().items() if "alert" in rule
    }


def summary(alert: str, labels: Mapping[str, str]) -> str:
    """Return the summary of an alert with these labels, in which a label that it lacks is nothing."""
    written = str(rules()[alert]["annotations"]["summary"])
    return _LABEL.sub(lambda match: labels.get(match[1], ""), written)


def cases() -> Iterator[Case]:
    """Return every case of every table."""
    for path in sorted(HERE.glob("*.yml")):
        # As text: to YAML 0x10 is the number 16, to promtool it is a 0 and ten more.
        table = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)  # noqa: S506 - makes only text
        for subject, entries in table["tests"].items():
            for entry in entries:
                kind = next(key for key in (*KINDS, "scene") if key in entry)
                interval = entry.get("interval", table["interval"])
                yield Case(
                    table=path.stem,
                    subject=subject,
                    kind=kind,
                    words=entry[kind],
                    rule_files=tuple(table["rules"]),
                    component=table.get("component", ""),
                    interval=interval,
                    evaluated=entry.get("evaluated", interval),
                    series=entry.get("series", {}),
                    expect=entry.get("expect", {}),
                    firing=entry.get("firing", {}),
                )
