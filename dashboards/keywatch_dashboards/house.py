"""The style that all dashboards share: colours, words, variables, links, marks of alerts and the grid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attr

from keywatch.metrics.cluster import CLUSTER_UP
from keywatch_dashboards.grafana import DATASOURCE, Dashboard, Json, Panel, Row, Step, Variable, place

# Blue, orange and red stay apart for every kind of colour blindness, as green and red do not; words stand beside them.
GOOD, ATTENTION, BAD, UNKNOWN = "blue", "orange", "red", "text"

UP_DOWN = {0: ("down", BAD), 1: ("up", GOOD)}
YES_NO = {0: ("no", BAD), 1: ("yes", GOOD)}


def words(meaning: Mapping[int, tuple[str, str]]) -> list[Json]:
    """Show values as words in colours."""
    options = {
        str(value): {"color": color, "index": index, "text": text}
        for index, (value, (text, color)) in enumerate(meaning.items())
    }
    return [{"options": options, "type": "value"}]


def reason_words(reasons: Sequence[str]) -> list[Json]:
    """Show the numbers of `queries.coded` as words."""
    named = {number: (name.replace("_", " "), BAD) for number, name in enumerate(reasons, start=1)}
    return words({0: ("up", GOOD), **named, len(reasons) + 1: ("down", BAD)})


def above(*, attention: float | None = None, bad: float | None = None) -> list[Step]:
    """Colour values that are too high."""
    steps = [Step(GOOD)]
    if attention is not None:
        steps.append(Step(ATTENTION, attention))
    return [*steps, Step(BAD, bad)] if bad is not None else steps


def below(*, attention: float, bad: float) -> list[Step]:
    """Colour values that are too low."""
    return [Step(BAD), Step(ATTENTION, bad), Step(GOOD, attention)]


def column(name: str, **properties: Any) -> Json:
    """Set properties of one column or series; double underscores in keys stand for a dot."""
    return _override("byName", name, properties)


def by_query(letter: str, **properties: Any) -> Json:
    """Set properties of all series that a query of the panel gives: A is the first."""
    return _override("byFrameRefID", letter, properties)


def matching(pattern: str, **properties: Any) -> Json:
    """Set properties of all series whose names match a regular expression."""
    return _override("byRegexp", f"/{pattern.replace('/', chr(92) + '/')}/", properties)


def _override(matcher: str, option: str, properties: Mapping[str, Any]) -> Json:
    found = [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()]
    return {"matcher": {"id": matcher, "options": option}, "properties": found}


def fixed(color: str) -> Json:
    """Return one colour as a series' own."""
    return {"fixedColor": color, "mode": "fixed"}


def coloured(name: str, **properties: Any) -> Json:
    """Set properties of a column and colour its cells by its thresholds or words."""
    return column(name, **properties, custom__cellOptions={"mode": "basic", "type": "color-background"})


def renamed(names: Mapping[str, str], *hidden: str) -> list[Json]:
    """Show a table's columns in this order and under these names; the time and `hidden` ones are left out."""
    options: Json = {
        "excludeByName": dict.fromkeys(["Time", *hidden], True),
        "indexByName": {name: index for index, name in enumerate(names)},
        "renameByName": dict(names),
    }
    return [{"id": "organize", "options": options}]


def joined(labels: Mapping[str, str], values: Sequence[str]) -> list[Json]:
    """Make one row of all queries' values that have the same labels; the values' columns are named in their order."""
    columns = {f"Value #{chr(ord('A') + index)}": name for index, name in enumerate(values)}
    return [{"id": "merge", "options": {}}, *renamed({**labels, **columns})]


def limits(steps: Sequence[Step]) -> Json:
    """Give thresholds as an override wants them."""
    return {"mode": "absolute", "steps": list(steps)}


def to(uid: str, title: str) -> Json:
    """Link a value to a dashboard, with the time range and the cluster."""
    return {"targetBlank": False, "title": title, "url": f"/d/{uid}?${{__url_time_range}}&${{cluster:queryparam}}"}


CLUSTER = Variable(name="cluster", query=f"label_values({CLUSTER_UP}, cluster)", label="Cluster")


def label_variable(name: str, selector: str) -> Variable:
    """Make a drop-down of a label's values, named as the label."""
    return Variable(name=name, query=f"label_values({selector}, {name})", label=name.title())


@attr.s(auto_attribs=True)
class Band:
    """Panels side by side, of one height, that fill the 24 columns."""

    height: int
    panels: Sequence[Panel]


@attr.s(auto_attribs=True)
class Section:
    """A heading and what stands below it; a closed one is opened by a click, and asks nothing before."""

    title: str
    bands: Sequence[Band]
    closed: bool = False


def _laid(bands: Sequence[Band], top: int) -> tuple[list[Panel], int]:
    found: list[Panel] = []
    for band in bands:
        left = 0
        for panel in band.panels:
            found.append(attr.evolve(panel, gridPos=place(left, top, panel.width, band.height)))
            left += panel.width
        if left != 24:
            names = ", ".join(panel.title for panel in band.panels)
            raise ValueError(f"panels {names}: their widths make {left}; a band fills 24 columns")
        top += band.height
    return found, top


def grid(sections: Sequence[Section]) -> list[Panel | Row]:
    """Return every panel its place, section below section."""
    found: list[Panel | Row] = []
    top = 0
    for section in sections:
        row = Row(title=section.title, collapsed=section.closed, gridPos=place(0, top, 24, 1))
        panels, below_panels = _laid(section.bands, top + 1)
        if section.closed:
            found.append(attr.evolve(row, panels=panels))
            top += 1
        else:
            found += [row, *panels]
            top = below_panels
    return found


def _marks(component: str, cluster: bool) -> Json:
    where = f'alertstate="firing", component=~"{component}"' + (', cluster=~"$cluster|"' if cluster else "")
    return {
        "datasource": DATASOURCE,
        "enable": True,
        "expr": f"ALERTS{{{where}}}",
        "hide": False,
        "iconColor": BAD,
        "name": "Alerts",
        "step": "15s",
        "textFormat": "{{summary}}",
        "titleFormat": "{{alertname}}",
    }


_BUILT_IN: Json = {
    "builtIn": 1,
    "datasource": {"type": "grafana", "uid": "-- Grafana --"},
    "enable": True,
    "hide": True,
    "iconColor": "rgba(0, 211, 255, 1)",
    "name": "Annotations & Alerts",
    "type": "dashboard",
}
_LINK: Json = {
    "asDropdown": True,
    "icon": "external link",
    "includeVars": True,
    "keepTime": True,
    "tags": ["keywatch"],
    "targetBlank": False,
    "title": "keywatch",
    "tooltip": "The other dashboards, with this time range",
    "type": "dashboards",
    "url": "",
}


def dashboard(
    uid: str,
    title: str,
    description: str,
    sections: Sequence[Section],
    *,
    component: str,
    variables: Sequence[Variable] = (CLUSTER,),
    refresh: str = "10s",
) -> Dashboard:
    """Make a dashboard in the house's style; alerts of `component` are marked in its graphs."""
    return Dashboard(
        title=f"keywatch / {title}",
        uid=uid,
        description=description,
        panels=grid(sections),
        variables=variables,
        notes=[_BUILT_IN, _marks(component, cluster=CLUSTER in variables)],
        links=[_LINK],
        refresh=refresh,
        tags=["keywatch"],
    )
