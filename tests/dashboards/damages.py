"""Ways to damage a dashboard's JSON, one at a time: each must be noticed by some check."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.dashboards import findings

Json = dict[str, Any]


def _panel(dashboard: Json, kind: str) -> Json:
    return next(panel for panel in findings.panels(dashboard) if panel["type"] == kind)


def _in_panel(kind: str, *path: Any, value: Any) -> Callable[[Json], None]:
    def damage(dashboard: Json) -> None:
        place: Any = _panel(dashboard, kind)
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return damage


def _at_top(*path: Any, value: Any) -> Callable[[Json], None]:
    def damage(dashboard: Json) -> None:
        place: Any = dashboard
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value

    return damage


def _query(expr: str) -> Callable[[Json], None]:
    return _in_panel("timeseries", "targets", 0, "expr", value=expr)


def _override(*path: Any, value: Any) -> Callable[[Json], None]:
    return _in_panel("table", "fieldConfig", "overrides", 0, *path, value=value)


_DEFAULTS = ("fieldConfig", "defaults")
_UP = 'keywatch_broker_up{job="keywatch-health", cluster=~"$cluster"}'

DAMAGES: dict[str, Callable[[Json], None]] = {
    "a metric that does not exist": _query(_UP.replace("up", "upp")),
    "a label that does not exist": _query(_UP.replace("cluster=", "klaster=")),
    "a series that the fast job does not have": _query('keywatch_broker_info{job="keywatch-health"}'),
    "no PromQL": _query(f"max by (broker ({_UP})"),
    "a variable that does not exist": _query(_UP.replace("$cluster", "$klaster")),
    "a counter without rate": _query("keywatch_broker_failures_total"),
    "a rate over a fixed span": _query("rate(keywatch_broker_failures_total[5m])"),
    "an unknown unit": _in_panel("timeseries", *_DEFAULTS, "unit", value="secs"),
    "no description": _in_panel("stat", "description", value=""),
    "a description without a question": _in_panel("stat", "description", value="Brokers."),
    "no title": _in_panel("stat", "title", value=""),
    "a title twice": _in_panel("heatmap", "title", value="Topics"),
    "no targets": _in_panel("stat", "targets", value=[]),
    "no meaning of no data": _in_panel("stat", *_DEFAULTS, "noValue", value=""),
    "a refId twice": _in_panel("table", "targets", 1, "refId", value="A"),
    "no refId": _in_panel("stat", "targets", 0, "refId", value=""),
    "the base threshold as a word": _in_panel("stat", *_DEFAULTS, "thresholds", "steps", 0, "value", value="null"),
    "a fixed datasource": _in_panel("stat", "datasource", "uid", value="prom-1"),
    "a datasource without its type": _in_panel("stat", "datasource", value={"uid": "${datasource}"}),
    "a target's fixed datasource": _in_panel("stat", "targets", 0, "datasource", value="Prometheus"),
    "a kind of panel of long ago": _in_panel("timeseries", "type", value="graph"),
    "a calc that does not exist": _in_panel("stat", "options", "reduceOptions", "calcs", value=["avg"]),
    "a transformation that does not exist": _in_panel("table", "transformations", 0, "id", value="organise"),
    "a matcher that does not exist": _override("matcher", "id", value="byTitle"),
    "an override of a column that is not there": _override("matcher", "options", value="Existence"),
    "a property that does not exist": _override("properties", 0, "id", value="custom.linewidth"),
    "a pattern that fits no series": _in_panel(
        "timeseries", "fieldConfig", "overrides", 0, "matcher", "options", value="/ broker-1$/"
    ),
    "a pattern without slashes": _in_panel(
        "timeseries", "fieldConfig", "overrides", 0, "matcher", "options", value="1$"
    ),
    "a panel too wide": _in_panel("stat", "gridPos", "w", value=30),
    "a panel over another": _in_panel("timeseries", "gridPos", "x", value=1),
    "a gap": _in_panel("heatmap", "gridPos", "w", value=11),
    "an editable dashboard": _at_top("editable", value=True),
    "no drop-down of datasources": _at_top("templating", "list", 0, "type", value="custom"),
    "a drop-down that is not renewed": _at_top("templating", "list", 1, "refresh", value=1),
    "a drop-down with another name": _at_top("templating", "list", 1, "label", value="Kafka"),
    "a drop-down of a series that does not exist": _at_top(
        "templating", "list", 1, "definition", value="label_values(keywatch_clusters_up, cluster)"
    ),
    "an annotation of a series that does not exist": _at_top("annotations", "list", 1, "expr", value="ALARMS"),
    "rows of Grafana 4": _at_top("rows", value=[]),
    "a key of grafanalib's": _in_panel("stat", *_DEFAULTS, "calcs", value=["mean"]),
    "a target's key of grafanalib's": _in_panel("stat", "targets", 0, "step", value=10),
    "a misspelt key": _in_panel("timeseries", *_DEFAULTS, "custom", "linewidth", value=2),
}

OF_TYPES: dict[str, Callable[[Json], None]] = {
    "a value that is none of the allowed": _in_panel("timeseries", "options", "tooltip", "mode", value="multii"),
    "a mode of colours that is misspelt": _in_panel("timeseries", *_DEFAULTS, "color", "mode", value="pallete-classic"),
    "a word for a number": _in_panel("timeseries", *_DEFAULTS, "custom", "lineWidth", value="1"),
    "a word for the version of the form": _at_top("schemaVersion", value="41"),
    "a number for a word": _in_panel("stat", *_DEFAULTS, "noValue", value=0),
    "a kind of cell that does not exist": _in_panel(
        "table", *_DEFAULTS, "custom", "cellOptions", "type", value="color-bg"
    ),
    "an option of another kind of panel": _in_panel("stat", "options", "showHeader", value=True),
    "no list where one is wanted": _in_panel("table", "options", "sortBy", value={"displayName": "Offline"}),
    "a way to share the cursor that does not exist": _at_top("graphTooltip", value=3),
    "a unit of a heatmap's axis as a number": _in_panel("heatmap", "options", "yAxis", "unit", value=5),
}
"""Damages that need the types which Grafana publishes: only the schemas made of them must see these."""
