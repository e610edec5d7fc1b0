"""The parts of a dashboard as Grafana 11 to 13 want them, where grafanalib 0.7.1 writes those of Grafana 6."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import attr
from grafanalib import core

Json = dict[str, Any]

DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}
_SCHEMA_VERSION = 41
"""Newest form without migrations of old panels; Grafana 12 and 13 read it as it is."""


@attr.s(auto_attribs=True)
class Step:
    """A threshold: from `value` on the colour holds; the first one has no value and holds below all others."""

    color: str
    value: float | None = None

    def to_json_data(self) -> Json:
        """Give Grafana's form; the first step keeps its null."""
        return {"color": self.color, "value": self.value}


@attr.s(auto_attribs=True)
class Prom(core.Target):
    """A query to Prometheus; `instant` asks for the newest values only."""

    format: str = attr.ib(default="time_series", kw_only=True)
    instant: bool = attr.ib(default=False, kw_only=True)

    def to_json_data(self) -> Json:
        """Give Grafana's form; the panel adds the `refId`."""
        return {
            "datasource": DATASOURCE,
            "editorMode": "code",
            "exemplar": False,
            "expr": self.expr,
            "format": self.format,
            "instant": self.instant,
            "legendFormat": self.legendFormat or "__auto",
            "range": not self.instant,
        }


def query(expr: str, legend: str = "") -> Prom:
    """Ask for a range of values; `legend` may name labels in double braces."""
    return Prom(expr=expr, legendFormat=legend)


def newest(expr: str, legend: str = "", *, table: bool = False) -> Prom:
    """Ask for the newest values, as rows of a table when `table` is set."""
    return Prom(expr=expr, legendFormat=legend, instant=True, format="table" if table else "time_series")


def heat(expr: str) -> Prom:
    """Ask for a histogram's buckets over time."""
    return Prom(expr=expr, legendFormat="{{le}}", format="heatmap")


@attr.s(auto_attribs=True, kw_only=True)
class Panel(core.Panel):
    """What all panels share. `description` is the question that it answers, `no_value` what an empty answer means."""

    kind: ClassVar[str] = ""
    unit: str = "short"
    no_value: str = ""
    width: int = 24
    low: float | None = None
    high: float | None = None
    decimals: int | None = None
    color: str = "thresholds"
    steps: Sequence[Step] = ()
    mappings: Sequence[Json] = ()
    overrides: Sequence[Json] = ()
    data_links: Sequence[Json] = ()

    def number(self) -> int:
        """Return an id that follows from the title, so that a new panel does not renumber the others."""
        return zlib.crc32(self.title.encode()) % 1_000_000 + 1

    def custom(self) -> Json:
        """Return the fields that only this kind of panel has."""
        return {}

    def options(self) -> Json:
        """Return the options that only this kind of panel has."""
        return {}

    def to_json_data(self) -> Json:
        """Give Grafana's form."""
        defaults: Json = {
            "color": {"mode": self.color},
            "custom": self.custom() or None,
            "decimals": self.decimals,
            "links": list(self.data_links),
            "mappings": list(self.mappings),
            "max": self.high,
            "min": self.low,
            "noValue": self.no_value,
            "thresholds": {"mode": "absolute", "steps": list(self.steps) or [Step("text")]},
            "unit": self.unit,
        }
        return {
            "datasource": DATASOURCE,
            "description": self.description,
            "fieldConfig": {"defaults": defaults, "overrides": list(self.overrides)},
            "gridPos": self.gridPos,
            "id": self.number(),
            "options": self.options(),
            "targets": [
                {**target.to_json_data(), "refId": chr(ord("A") + index)} for index, target in enumerate(self.targets)
            ],
            "title": self.title,
            "transformations": self.transformations or None,
            "type": self.kind,
        }


@attr.s(auto_attribs=True, kw_only=True)
class Row(core.RowPanel):
    """A heading over panels; a collapsed one holds them."""

    def to_json_data(self) -> Json:
        """Give Grafana's form."""
        return {
            "collapsed": self.collapsed,
            "gridPos": self.gridPos,
            "id": zlib.crc32(f"row {self.title}".encode()) % 1_000_000 + 1,
            "panels": self.panels,
            "title": self.title,
            "type": "row",
        }


def place(x: int, y: int, width: int, height: int) -> core.GridPos:
    """Return a place in the grid of 24 columns."""
    return core.GridPos(h=height, w=width, x=x, y=y)


@attr.s(auto_attribs=True)
class Variable(core.Template):
    """A drop-down whose values Prometheus knows; all of them are chosen at first."""

    def to_json_data(self) -> Json:
        """Give Grafana's form."""
        return {
            "allValue": ".+",
            "current": {"text": ["All"], "value": ["$__all"]},
            "datasource": DATASOURCE,
            "definition": self.query,
            "hide": 0,
            "includeAll": True,
            "label": self.label,
            "multi": True,
            "name": self.name,
            "options": [],
            "query": {"qryType": 1, "query": self.query, "refId": "PrometheusVariableQueryEditor-VariableQuery"},
            "refresh": 2,
            "regex": "",
            "sort": 1,
            "type": "query",
        }


def _datasource_variable(uid: str | None) -> Json:
    return {
        "current": {"text": uid, "value": uid} if uid else {},
        "hide": 0,
        "includeAll": False,
        "label": "Prometheus",
        "multi": False,
        "name": "datasource",
        "options": [],
        "query": "prometheus",
        "refresh": 1,
        "regex": "",
        "type": "datasource",
    }


@attr.s(auto_attribs=True)
class Dashboard(core.Dashboard):
    """A dashboard; `variables` come after the drop-down of Prometheus servers, which is always the first."""

    variables: Sequence[Variable] = attr.ib(default=(), kw_only=True)
    notes: Sequence[Json] = attr.ib(default=(), kw_only=True)
    span: str = attr.ib(default="now-1h", kw_only=True)
    datasource: str | None = attr.ib(default=None, kw_only=True)

    def to_json_data(self) -> Json:
        """Give Grafana's form."""
        return {
            "annotations": {"list": list(self.notes)},
            "description": self.description,
            "editable": False,
            "graphTooltip": 1,
            "links": self.links,
            "panels": self.panels,
            "refresh": self.refresh,
            "schemaVersion": _SCHEMA_VERSION,
            "tags": self.tags,
            "templating": {"list": [_datasource_variable(self.datasource), *self.variables]},
            "time": {"from": self.span, "to": "now"},
            "timepicker": {},
            "timezone": "browser",
            "title": self.title,
            "uid": self.uid,
        }


def plain(value: Any) -> Any:
    """Turn objects into JSON and leave out nulls, which are noise to Grafana except in a threshold's first step."""
    if hasattr(value, "to_json_data"):
        return plain(value.to_json_data())
    if isinstance(value, Mapping):
        keep_null = set(value) == {"color", "value"}
        return {key: plain(part) for key, part in value.items() if part is not None or keep_null}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value
