"""Answers a dashboard's queries from the recording, in the form in which a picture of it can be drawn.

`python -m tests.dashboards.draw FOLDER` writes DASHBOARD.json and DASHBOARD.data.json, and both for a phone's width.
"""

from __future__ import annotations

import copy
import json
import re
import sys
import time
from pathlib import Path
from typing import Any

from tests.dashboards.asked import DASHBOARDS, Query, queries
from tests.dashboards.recording import moments, playing
from tests.prometheus.server import Prometheus, Series

Json = dict[str, Any]

_SPAN = 900.0
_POINTS = 300
_MOMENTS_UNITS = ("dateTimeFromNow", "dateTimeAsIso")
_SCENES = {
    "keywatch-overview": ("broker killed", 45.0),
    "keywatch-kafka": ("broker killed", 45.0),
    "keywatch-consumers": ("group behind", 60.0),
    "keywatch-events": ("Keycloak cut off", 165.0),
    "keywatch-dead-letters": ("dead letters", 45.0),
    "keywatch-runtime": ("broker killed", 45.0),
    "keywatch-logs": ("documents held back", 50.0),
    "keywatch-exporter": ("broker killed", 45.0),
}
"""The scene in which each dashboard is looked at, and how many seconds after it began."""


def answers(recorded: Prometheus, uid: str) -> list[Json]:
    """Return what each query gives at the dashboard's moment, moved to the present."""
    scene, after = _SCENES[uid]
    at = moments(uid)[scene][0] + after
    moved = time.time() - at
    start = max(at - _SPAN, moments(uid)["all"][0])
    found = []
    for query in queries(uid):
        expr = query.realized(at - start)
        if query.instant:
            series = recorded.instant(expr, at)
        else:
            step = (at - start) / _POINTS
            series = recorded.range(expr, at - _POINTS * step, at, step)
        shift = 1000 * moved if _tells_a_moment(query) else 0.0
        rows = [] if not series else _rows(query, series, moved, shift)
        found.append({"panelId": query.panel["id"], "refId": query.letter, "series": rows})
    return found


def _tells_a_moment(query: Query) -> bool:
    config = query.panel["fieldConfig"]
    if config["defaults"]["unit"] in _MOMENTS_UNITS:
        return True
    units = [
        (override["matcher"]["options"], entry["value"])
        for override in config["overrides"]
        for entry in override["properties"]
        if entry["id"] == "unit"
    ]
    organize = [step for step in query.panel.get("transformations", []) if step["id"] == "organize"]
    shown = organize[0]["options"]["renameByName"] if organize else {}
    own = {shown.get(f"Value #{query.letter}"), shown.get("Value")} - {None}
    return any(name in own and unit in _MOMENTS_UNITS for name, unit in units)


def _rows(query: Query, series: Series, moved: float, shift: float) -> list[Json]:
    times = sorted({at for _, points in series for at, _ in points})
    target = next(t for t in query.panel["targets"] if t["refId"] == query.letter)
    found = []
    for labels, points in series:
        there = dict(points)
        legend = target["legendFormat"]
        name = re.sub(r"\{\{(\w+)\}\}", lambda label: labels.get(label[1], ""), legend)  # noqa: B023 - used at once
        values = [there.get(at) for at in times]
        found.append(
            {
                "name": name,
                "labels": {key: value for key, value in labels.items() if key != "__name__"},
                "t": [round(1000 * (at + moved)) for at in times],
                "v": [None if value is None else value + shift for value in values],
            }
        )
    return found


def phone(dashboard: Json) -> Json:
    """Return the dashboard as Grafana shows it on a phone: one panel below the other."""
    found = copy.deepcopy(dashboard)
    top = 0
    for panel in sorted(found["panels"], key=lambda panel: (panel["gridPos"]["y"], panel["gridPos"]["x"])):
        panel["gridPos"] = {"x": 0, "y": top, "w": 24, "h": panel["gridPos"]["h"]}
        top += panel["gridPos"]["h"]
    return found


def main() -> int:
    """Write the files into the folder that is given."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    with playing(written=False) as recorded:
        for uid, data in DASHBOARDS.items():
            answered = json.dumps(answers(recorded, uid))
            for name, dashboard in ((uid, data), (f"{uid}-phone", phone(data))):
                (folder / f"{name}.json").write_text(json.dumps(dashboard), encoding="utf-8")
                (folder / f"{name}.data.json").write_text(answered, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
