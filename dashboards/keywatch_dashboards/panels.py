"""The kinds of panel in use, each with all options that Grafana's own editor would write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import attr

from keywatch_dashboards.grafana import Json, Panel

_TOOLTIP: Json = {"mode": "multi", "sort": "desc", "hideZeros": False}
_HIDE_FROM: Json = {"legend": False, "tooltip": False, "viz": False}


# Without it, Grafana draws nothing but zeros on an axis up to 100, or to 10000 %.
_SOFT_MAX = {"suffix": 0.1, "percentunit": 0.1, "reqps": 0.1, "s": 0.1, "short": 1}


def _reduced(calc: str) -> Json:
    return {"calcs": [calc], "fields": "", "values": False}


@attr.s(auto_attribs=True, kw_only=True)
class TimeSeries(Panel):
    """Lines over time; `limit_line` draws the thresholds, `stacked` piles bars up."""

    kind: ClassVar[str] = "timeseries"
    color: str = "palette-classic"
    limit_line: bool = False
    stacked: bool = False
    legend_calcs: Sequence[str] = ()

    def _soft_max(self) -> float | None:
        if self.low != 0 or self.high is not None:
            return None
        return _SOFT_MAX.get(self.unit.partition(":")[0])

    def custom(self) -> Json:
        """Return how lines are drawn."""
        return {
            "axisPlacement": "auto",
            "axisSoftMax": self._soft_max(),
            "drawStyle": "bars" if self.stacked else "line",
            "fillOpacity": 60 if self.stacked else 8,
            "gradientMode": "none",
            "hideFrom": _HIDE_FROM,
            "lineInterpolation": "linear",
            "lineWidth": 1 if self.stacked else 2,
            "scaleDistribution": {"type": "linear"},
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"group": "A", "mode": "normal" if self.stacked else "none"},
            "thresholdsStyle": {"mode": "dashed" if self.limit_line else "off"},
        }

    def options(self) -> Json:
        """Give legend and tooltip."""
        mode = "table" if self.legend_calcs else "list"
        legend = {"calcs": list(self.legend_calcs), "displayMode": mode, "placement": "bottom", "showLegend": True}
        return {"legend": legend, "tooltip": _TOOLTIP}


@attr.s(auto_attribs=True, kw_only=True)
class Stat(Panel):
    """One large value for each series, coloured by its thresholds or its word."""

    kind: ClassVar[str] = "stat"
    calc: str = "lastNotNull"
    background: bool = True
    text_mode: str = "auto"
    sparkline: bool = False

    def options(self) -> Json:
        """Return how values are shown."""
        return {
            "colorMode": "background_solid" if self.background else "value",
            "graphMode": "area" if self.sparkline else "none",
            "justifyMode": "auto",
            "orientation": "auto",
            "percentChangeColorMode": "standard",
            "reduceOptions": _reduced(self.calc),
            "showPercentChange": False,
            "textMode": self.text_mode,
            "wideLayout": True,
        }


@attr.s(auto_attribs=True, kw_only=True)
class Table(Panel):
    """A table; its columns' colours and units come by overrides."""

    kind: ClassVar[str] = "table"
    sort: str = ""
    descending: bool = True

    def custom(self) -> Json:
        """Return how cells are drawn."""
        return {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True, "inspect": False, "minWidth": 80}

    def options(self) -> Json:
        """Return the table's order."""
        order = [{"desc": self.descending, "displayName": self.sort}] if self.sort else []
        return {"cellHeight": "sm", "showHeader": True, "sortBy": order}


@attr.s(auto_attribs=True, kw_only=True)
class Heatmap(Panel):
    """How many answers took how long, over time, from a histogram's buckets."""

    kind: ClassVar[str] = "heatmap"

    def custom(self) -> Json:
        """Return what hides a field."""
        return {"hideFrom": _HIDE_FROM, "scaleDistribution": {"type": "linear"}}

    def options(self) -> Json:
        """Return the colours, which go from dark to light in a way that everybody sees."""
        return {
            "calculate": False,
            "cellGap": 1,
            "color": {
                "exponent": 0.5,
                "fill": "blue",
                "mode": "scheme",
                "reverse": False,
                "scale": "exponential",
                "scheme": "Viridis",
                "steps": 64,
            },
            "exemplars": {"color": "orange"},
            "filterValues": {"le": 1e-9},
            "legend": {"show": True},
            "rowsFrame": {"layout": "auto"},
            "showValue": "never",
            "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": False},
            "yAxis": {"axisPlacement": "left", "reverse": False, "unit": self.unit},
        }


@attr.s(auto_attribs=True, kw_only=True)
class StateTimeline(Panel):
    """Which state each thing was in, and since when."""

    kind: ClassVar[str] = "state-timeline"

    def custom(self) -> Json:
        """Return how states are drawn."""
        return {"fillOpacity": 80, "hideFrom": _HIDE_FROM, "lineWidth": 0}

    def options(self) -> Json:
        """Return how states are named."""
        return {
            "alignValue": "left",
            "legend": {"calcs": [], "displayMode": "list", "placement": "bottom", "showLegend": True},
            "mergeValues": True,
            "rowHeight": 0.85,
            "showValue": "auto",
            "tooltip": {"hideZeros": False, "mode": "single", "sort": "none"},
        }
