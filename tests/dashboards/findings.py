"""What can be wrong with a dashboard's JSON, said in words: none of it needs a Grafana."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

from keywatch.rules import series
from keywatch.rules.expression import ExpressionError, parse, selections
from keywatch.rules.promql.tree import Call, Range, Selector, walk

Json = dict[str, Any]

_SPANS = {"$__rate_interval": "433s", "$__range": "3601s", "$__interval": "17s"}
_CALCS = {"lastNotNull", "last", "max", "mean", "min", "sum"}
_TRANSFORMATIONS = {"merge", "organize"}
_KINDS = {"timeseries", "stat", "bargauge", "table", "heatmap", "state-timeline", "row"}
_PROPERTIES = re.compile(
    r"unit|min|max|decimals|mappings|thresholds|color|links|noValue|displayName"
    r"|custom\.(cellOptions|fillOpacity|lineStyle|width|align)"
)
# What labels can be, where patterns in the names of series speak of it.
_VALUES = {
    "area": ("heap", "nonheap"),
    "broker": tuple("0123456789"),
    "outcome": ("SUCCESS", "REDIRECTION", "CLIENT_ERROR", "SERVER_ERROR", "UNKNOWN"),
    "state": ("runnable", "timed-waiting", "blocked", "waiting", "new", "terminated"),
}
# A rate names what it counts: "3 c/s" says nothing. Source: Grafana's own units, `suffix:`.
_RATE = re.compile(r"suffix:(?:[a-z ]+/s|per s)")
_UNITS = {
    "short", "s", "ms", "bytes", "Bps", "reqps", "percentunit",
    "string", "dtdurations", "dateTimeFromNow", "dateTimeAsIso",
}  # fmt: skip


def panels(dashboard: Json) -> Iterator[Json]:
    """Return every panel that is no row, those in closed rows too."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel


def queries(dashboard: Json) -> Iterator[tuple[str, str]]:
    """Return every expression with where it stands."""
    for panel in panels(dashboard):
        for target in panel.get("targets", []):
            yield f"panel {panel['title']!r} {target.get('refId')}", target["expr"]
    for note in dashboard["annotations"]["list"]:
        if "expr" in note:
            yield f"annotation {note['name']!r}", note["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((.+), \w+\)", variable["definition"])
            yield f"variable {variable['name']!r}", found[1] if found else variable["definition"]


def expanded(expr: str) -> str:
    """Put values in the place of variables, as Grafana does before it asks."""
    for name, value in _SPANS.items():
        expr = expr.replace(name, value)
    return re.sub(r"\$\w+", ".+", expr)


def of_series(dashboard: Json, known: series.Known) -> Iterator[str]:
    """Say which queries are no PromQL, or name series and labels that nothing emits."""
    for where, expr in queries(dashboard):
        try:
            asked = selections(expanded(expr))
        except ExpressionError as error:
            yield f"{where}: is no PromQL: {error}"
            continue
        for selection in asked:
            if problem := series._problem(selection, known):
                yield f"{where}: {problem}"


def of_panels(dashboard: Json) -> Iterator[str]:
    """Say which panels lack what a reader needs, or have what Grafana does not know."""
    titles: set[str] = set()
    for panel in panels(dashboard):
        where = f"panel {panel.get('title')!r}"
        if not panel.get("title") or panel["title"] in titles:
            yield f"{where}: has no title, or one that another panel has"
        titles.add(panel.get("title", ""))
        for check in (_words, _targets, _known, _overrides):
            for problem in check(panel):
                yield f"{where}: {problem}"


def _words(panel: Json) -> Iterator[str]:
    defaults = panel["fieldConfig"]["defaults"]
    if "?" not in panel.get("description", ""):
        yield "its description asks no question"
    if defaults.get("unit") not in _UNITS and not _RATE.fullmatch(str(defaults.get("unit"))):
        yield f"unit {defaults.get('unit')!r} is unknown"
    if not defaults.get("noValue"):
        yield "has no noValue, so that nobody knows what an empty panel means"
    if (defaults.get("thresholds", {}).get("steps") or [{}])[0].get("value", 0) is not None:
        yield "its first threshold must have the value null"


def _targets(panel: Json) -> Iterator[str]:
    if not panel.get("targets"):
        yield "has no targets"
    letters = [target.get("refId") for target in panel.get("targets", [])]
    if len(set(letters)) != len(letters) or not all(letters):
        yield "its targets' refIds are not unique"
    for holder in (panel, *panel.get("targets", [])):
        if holder.get("datasource") != {"type": "prometheus", "uid": "${datasource}"}:
            yield "a datasource is not the variable"


def _known(panel: Json) -> Iterator[str]:
    if panel["type"] not in _KINDS:
        yield f"type {panel['type']!r} is not among {sorted(_KINDS)}"
    for calc in panel["options"].get("reduceOptions", {}).get("calcs", []):
        if calc not in _CALCS:
            yield f"calc {calc!r} is unknown"
    for step in panel.get("transformations", []):
        if step["id"] not in _TRANSFORMATIONS:
            yield f"transformation {step['id']!r} is unknown"


def _overrides(panel: Json) -> Iterator[str]:
    steps = panel.get("transformations", [])
    there = {
        "byName": {name for step in steps for name in step["options"].get("renameByName", {}).values()},
        "byFrameRefID": {target.get("refId") for target in panel.get("targets", [])},
    }
    for override in panel["fieldConfig"].get("overrides", []):
        kind, option = override["matcher"]["id"], override["matcher"]["options"]
        if kind == "byRegexp":
            yield from _pattern(panel, option)
        elif option not in there.get(kind, ()):
            yield f"an override by {kind} is for {option!r}, which is not there"
        for entry in override["properties"]:
            if not _PROPERTIES.fullmatch(entry["id"]):
                yield f"property {entry['id']!r} is unknown"


def _pattern(panel: Json, written: str) -> Iterator[str]:
    if not re.fullmatch(r"/.+/", written):
        yield f"a pattern must stand between slashes, not {written!r}"
    elif not any(re.search(written[1:-1], name) for name in _names(panel)):
        yield f"the pattern {written!r} fits no name that a legend of the panel can give"


def _names(panel: Json) -> Iterator[str]:
    for target in panel["targets"]:
        labels = re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])
        for values in itertools.product(*(_VALUES.get(label, ("x",)) for label in labels)):
            name = target["legendFormat"]
            for label, value in zip(labels, values, strict=True):
                name = name.replace(f"{{{{{label}}}}}", value)
            yield name


def of_layout(dashboard: Json) -> Iterator[str]:
    """Say which panels overlap, leave gaps or stick out of the 24 columns."""
    open_panels = dashboard["panels"]
    for group in (open_panels, *(panel["panels"] for panel in open_panels if panel.get("panels"))):
        taken: dict[tuple[int, int], str] = {}
        for panel in group:
            place = panel["gridPos"]
            for y in range(place["y"], place["y"] + place["h"]):
                for x in range(place["x"], place["x"] + place["w"]):
                    if x >= 24 or (x, y) in taken:
                        yield f"panel {panel['title']!r}: overlaps {taken.get((x, y), 'the edge')!r}"
                    taken[x, y] = panel["title"]
        rows = {y for _, y in taken}
        for y in range(min(rows), max(rows) + 1):
            if missing := [x for x in range(24) if (x, y) not in taken]:
                yield f"line {y}: columns {missing} are empty"


def of_lint(dashboard: Json) -> Iterator[str]:
    """Hold the dashboard against the rules of Grafana's dashboard-linter, with `cluster` in the place of `job`."""
    if dashboard.get("editable") is not False:
        yield "is editable: what somebody changes in Grafana would be lost"
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    if variables.get("datasource", {}).get("type") != "datasource":
        yield "has no datasource variable"
    for name, variable in variables.items():
        if variable["type"] == "query":
            if (variable["refresh"], variable["multi"], variable["allValue"]) != (2, True, ".+"):
                yield f"variable {name!r}: wants refresh 2, multi and allValue .+"
            if variable["label"] != name.title():
                yield f"variable {name!r}: its label is not its name"
    for where, expr in queries(dashboard):
        for used in re.findall(r"\$\{?(\w+)", expr):
            if used not in variables and f"${used}" not in _SPANS:
                yield f"{where}: the variable ${used} does not exist"
        yield from _functions(where, expr)


def _functions(where: str, expr: str) -> Iterator[str]:
    try:
        nodes = list(walk(parse(expanded(expr))))
    except ExpressionError as error:
        yield f"{where}: is no PromQL: {error}"
        return
    inside: set[str] = set()
    for node in nodes:
        if isinstance(node, Call) and node.name in {"rate", "irate", "increase"}:
            for argument in node.arguments:
                if isinstance(argument, Range):
                    if node.name != "increase" and argument.seconds != 433:
                        yield f"{where}: {node.name} is not over $__rate_interval"
                    inside.add(argument.selector.name)
    ranged = {id(node.selector) for node in nodes if isinstance(node, Range)}
    selectors = (node for node in nodes if isinstance(node, Selector) and id(node) not in ranged)
    bare = {node.name for node in selectors if node.name.endswith("_total")}
    for name in sorted(bare - inside):
        yield f"{where}: the counter {name} is not inside rate or increase"
