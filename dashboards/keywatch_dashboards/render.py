"""Turns the dashboards into the text of their JSON, and writes it: all files or none."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path

import attr

from keywatch_dashboards import consumers, dead_letters, events, exporter, kafka, logs, overview, runtime
from keywatch_dashboards.grafana import Dashboard, plain

MODULES = (overview, kafka, consumers, events, dead_letters, runtime, logs, exporter)
"""One for each dashboard, in the order in which one looks."""


def dashboards() -> list[Dashboard]:
    """Make every dashboard."""
    return [module.build() for module in MODULES]


def texts(datasource: str | None = None) -> dict[str, str]:
    """Return each file's name with its text; with `datasource` that Prometheus is chosen at first."""
    found = {}
    for dashboard in dashboards():
        data = plain(attr.evolve(dashboard, datasource=datasource))
        found[f"{dashboard.uid}.json"] = json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    return found


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files into the folder; raises `OSError` before any is changed when one cannot be written."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".keywatch-") as beside:
        for name, text in files.items():
            (Path(beside) / name).write_text(text, encoding="utf-8")
        for name in files:
            (Path(beside) / name).replace(folder / name)


def drift(folder: Path, files: Mapping[str, str]) -> list[str]:
    """Name the files of the folder that are not what they should be: stale, missing, or of no dashboard."""
    there = {
        path.name: path.read_text(encoding="utf-8") for path in folder.iterdir() if path.suffix in {".json", ".yml"}
    }
    stale = [
        f"{folder / name}: {'differs' if name in there else 'is missing'}"
        for name in files
        if there.get(name) != files[name]
    ]
    return stale + [f"{folder / name}: belongs to no dashboard" for name in sorted(there) if name not in files]
