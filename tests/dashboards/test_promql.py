"""Every query of every panel can give data: Prometheus' own engine joins and filters series with their real labels."""

from __future__ import annotations

import itertools
import re
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from keywatch.rules import series
from keywatch.rules.expression import Selection, selections
from tests.alerts.promtool import promtool_required
from tests.dashboards.asked import DASHBOARDS, Query, queries

KNOWN = series.known()
# What a series must be for a query that asks for it; the others grow by one with every scrape.
COURSES = {
    "cluster:keywatch_path:up": "0x4",
    "keywatch_elasticsearch_status": "1x60",
    "keywatch_group_lag_records": "1000-1x60",
    "keywatch_group_members": "0x60",
    "keywatch_group_rewound_timestamp_seconds": "700x60",
    "keywatch_group_state": "1x60",
    "keywatch_group_verdict": "1x60",
    "keywatch_log_dir_free_bytes": "9000-1x60",
    "keywatch_topic_as_expected": "0x60",
    "keywatch_topic_retention_seconds": "600x60",
    "up": "1x60",
    "vendor_cluster_size": "1x60",
}
LABELS = {
    "container": ("keycloak",),
    "fstype": ("ext4",),
    "le": ("0.1", "2.5", "+Inf"),
    "persistentvolumeclaim": ("data-kafka-0",),
}
ALERT = {"alertname": ("KafkaBrokerDown",), "severity": ("critical",), "component": ("kafka",), "cluster": ("prod",)}


def inputs(expr: str) -> dict[str, str]:
    """Give promtool's input series for all that an expression selects."""
    return {
        written: COURSES.get(selection.name, "0+1x60")
        for selection in selections(expr)
        for written in _series(selection)
    }


def _series(selection: Selection) -> Iterator[str]:
    own = ALERT if selection.name.startswith("ALERTS") else dict.fromkeys(KNOWN.get(selection.name) or (), ("some",))
    found: dict[str, tuple[str, ...]] = {"job": ("keywatch",), "instance": ("keywatch-0",), **own}
    found |= {label: values for label, values in LABELS.items() if label in found}
    for label, matcher in selection.labels:
        choices = tuple(part for part in matcher[1:].split("|") if re.fullmatch(r"[\w. -]+", part))
        if matcher[0] == "=":
            found[label] = (matcher[1:],)
        elif matcher[0] == "~" and choices:
            found[label] = choices
        else:
            found[label] = LABELS.get(label, found.get(label, ("some",)))
    for values in itertools.product(*found.values()):
        written = ", ".join(f'{label}="{value}"' for label, value in zip(found, values, strict=True))
        yield f"{selection.name}{{{written}}}"


def case(query: Query) -> dict[str, Any]:
    """Give promtool's test that a query gives something."""
    # promtool evaluates a few samples only, and a week by the minute is more.
    expr = query.realized(900).replace("[7d:1m]", "[10m:1m]").replace("[1d:15s]", "[10m:15s]")
    return {
        "name": query.key,
        "interval": "15s",
        "input_series": [{"series": written, "values": values} for written, values in inputs(expr).items()],
        "promql_expr_test": [
            {"expr": f"count({expr}) > bool 0", "eval_time": "14m", "exp_samples": [{"labels": "{}", "value": 1}]}
        ],
    }


def verdict(asked: Sequence[Query], file: Path) -> str:
    """Return what promtool says of queries that give nothing; empty when all give something."""
    promtool = promtool_required()
    file.write_text(yaml.safe_dump({"rule_files": [], "tests": [case(query) for query in asked]}), "utf-8")
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False, timeout=60)
    return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_every_query_can_give_data(uid: str, tmp_path: Path) -> None:
    assert verdict(queries(uid), tmp_path / "queries.yml") == ""


@pytest.mark.parametrize(
    "expr",
    [
        'max by (cluster) (keywatch_cluster_up{job="keywatch-health"}) and keywatch_broker_up{job="keywatch-health"}',
        'keywatch_broker_up{job="keywatch-health"} / keywatch_brokers{job="keywatch-health"}',
        'max by (topic) (keywatch_broker_up{job="keywatch-health"} == 999)',
    ],
)
def test_series_that_do_not_meet_are_noticed(expr: str, tmp_path: Path) -> None:
    assert "got: nil" in verdict([Query("uid", "title", "A", expr, True, {})], tmp_path / "queries.yml")
