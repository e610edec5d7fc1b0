"""What the dashboards in dashboards/json ask of Prometheus."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.dashboards import findings

Json = dict[str, Any]

_RATE_INTERVAL = "60s"
DASHBOARDS: dict[str, Json] = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((Path(__file__).parents[2] / "dashboards" / "json").glob("*.json"))
}
"""All dashboards by their uids."""


@dataclass(frozen=True)
class Query:
    """A query of a panel."""

    uid: str
    title: str
    letter: str
    expr: str
    instant: bool
    panel: Json

    @property
    def key(self) -> str:
        """Name it: dashboard, panel and letter."""
        return f"{self.uid} / {self.title} / {self.letter}"

    def realized(self, span: float) -> str:
        """Put values in the place of variables, for a dashboard that shows `span` seconds."""
        text = self.expr.replace("$__rate_interval", _RATE_INTERVAL).replace("$__range", f"{span:.0f}s")
        return re.sub(r"\$\w+", ".+", text)


def queries(uid: str) -> list[Query]:
    """Return every query of every panel of a dashboard."""
    return [
        Query(uid, panel["title"], target["refId"], target["expr"], target["instant"], panel)
        for panel in findings.panels(DASHBOARDS[uid])
        for target in panel["targets"]
    ]
