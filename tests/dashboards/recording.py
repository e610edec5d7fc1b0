"""The recording that `record.py` made, beside series of what its bed lacks, in a Prometheus of today."""

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

from tests.dashboards.prometheus import Prometheus
from tests.dashboards.record import BLOCKS, MOMENTS

Json = dict[str, Any]

STEP = 5.0
_ELSEWHERE = Path(__file__).with_name("elsewhere.yml")
_SCRAPE = 15.0


@functools.cache
def moments() -> dict[str, tuple[float, float]]:
    """Give when each scene was, and `all` and the `calm` at first."""
    return {name: (begin, end) for name, (begin, end) in json.loads(MOMENTS.read_text(encoding="utf-8")).items()}


@contextlib.contextmanager
def playing(*, written: bool) -> Iterator[Prometheus]:
    """Start a Prometheus that has the recording, and with `written` the series of elsewhere.yml beside it."""
    prometheus = Prometheus()
    with contextlib.ExitStack() as stack:
        stack.callback(prometheus.__exit__, None, None, None)
        with tarfile.open(BLOCKS) as archive:
            archive.extractall(prometheus.folder / "series", filter="data")
        if written:
            page = Path(stack.enter_context(tempfile.NamedTemporaryFile("w", suffix=".om", encoding="utf-8")).name)
            page.write_text(elsewhere(*moments()["all"]), encoding="utf-8")
            command = [
                "promtool",
                "tsdb",
                "create-blocks-from",
                "openmetrics",
                str(page),
                str(prometheus.folder / "series"),
            ]
            subprocess.run(command, check=True, capture_output=True, timeout=60)
        prometheus.start()
        yield prometheus


def elsewhere(start: float, end: float) -> str:
    """Write the series of elsewhere.yml as OpenMetrics, every 15 seconds from start to end."""
    lines = []
    data: Json = yaml.safe_load(_ELSEWHERE.read_text(encoding="utf-8"))
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
