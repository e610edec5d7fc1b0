"""The recordings of the bed of faults and of the path of logs, beside what both lack, in a Prometheus of today."""

from __future__ import annotations

import contextlib
import functools
import json
import subprocess
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.dashboards.record import BLOCKS, MOMENTS
from tests.prometheus.server import RECORDED, Prometheus

Json = dict[str, Any]

STEP = 5.0
_LOGS = "keywatch-logs"
_ELSEWHERE = {"": Path(__file__).with_name("elsewhere.yml"), _LOGS: Path(__file__).with_name("elsewhere-logs.yml")}
_SCRAPE = 15.0
_LOGS_BLOCKS = BLOCKS.with_name("recording-logs.tar.xz")


@functools.cache
def moments(uid: str = "") -> dict[str, tuple[float, float]]:
    """Return when each scene was that a dashboard is looked at in, and `all` and the `calm` at first."""
    file = MOMENTS.with_name("recording-logs.json") if uid == _LOGS else MOMENTS
    return {name: (begin, end) for name, (begin, end) in json.loads(file.read_text(encoding="utf-8")).items()}


@contextlib.contextmanager
def playing(*, written: bool) -> Iterator[Prometheus]:
    """Start a Prometheus that has the recordings, and with `written` the series of elsewhere*.yml beside them."""
    prometheus = Prometheus("", RECORDED)
    with contextlib.ExitStack() as stack:
        stack.callback(prometheus.__exit__, None, None, None)
        series = prometheus.folder / "series"
        for blocks in (BLOCKS, _LOGS_BLOCKS):
            with tarfile.open(blocks) as archive:
                archive.extractall(series, filter="data")
        for uid, file in _ELSEWHERE.items() if written else ():
            page = Path(stack.enter_context(tempfile.NamedTemporaryFile("w", suffix=".om", encoding="utf-8")).name)
            page.write_text(elsewhere(file, *moments(uid)["all"]), encoding="utf-8")
            command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(page), str(series)]
            subprocess.run(command, check=True, capture_output=True, timeout=60)
        prometheus.start()
        yield prometheus


def elsewhere(file: Path, start: float, end: float) -> str:
    """Write the series of a file as OpenMetrics, every 15 seconds from start to end."""
    lines = []
    data: Json = yaml.safe_load(file.read_text(encoding="utf-8"))
    for written, course in data.items():
        name, _, labels = written.replace(", ", ",").partition("{")
        if f"# TYPE {name} unknown" not in lines:
            lines.append(f"# TYPE {name} unknown")
        first, grows = (course, 0.0) if isinstance(course, int | float) else (0.0, float(course["grows"]))
        at = start
        while at <= end:
            lines.append(f"{name}{{{labels} {first + grows * (at - start):g} {at:.3f}")
            at += _SCRAPE
    return "\n".join([*lines, "# EOF", ""])
