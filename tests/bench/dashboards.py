"""What the overview asks of a Prometheus that holds six hours of a cluster of three brokers, second by second."""

from __future__ import annotations

import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from keywatch.rules.expression import selections
from keywatch_dashboards import render
from keywatch_dashboards.queries import HEALTH_JOB
from tests.bench.figures import Figure
from tests.dashboards import findings
from tests.dashboards.asked import queries
from tests.dashboards.recording import moments, playing
from tests.prometheus.server import RECORDED, Prometheus, Series, missing

_UID = "keywatch-overview"
_HOURS = 6
_ROUNDS = 7
_GOAL_MS, _MAKE_GOAL = 300, 2.0
_SLOW_STEP = 15


def measure(say: Callable[[str], None]) -> list[Figure]:
    """Fill a Prometheus with the recording again and again, and ask what the overview asks when it is opened."""
    figures = [_making()]
    if reason := missing():
        say(f"what the overview asks is not measured: {reason}")
        return figures
    end = float(int(time.time()) // 7200 * 7200)
    with tempfile.TemporaryDirectory(prefix="keywatch-bench-") as folder:
        page = Path(folder) / "page.om"
        with playing(written=False) as recorded:
            count = _write(page, _courses(recorded), end)
        say(f"{count:,} samples")
        prometheus = Prometheus("", RECORDED)
        try:
            blocks = str(prometheus.folder / "series")
            command = ["promtool", "tsdb", "create-blocks-from", "openmetrics", str(page), blocks]
            subprocess.run(command, check=True, capture_output=True, timeout=1800)
            prometheus.start()
            for hours in (1, _HOURS):
                figures.append(_asking(prometheus, end, hours))
                say(f"{figures[-1].what}: {figures[-1].measured}")
        finally:
            prometheus.__exit__(None, None, None)
    return figures


def _making() -> Figure:
    rounds = []
    for _ in range(_ROUNDS):
        began = time.process_time()
        made = render.texts()
        rounds.append(time.process_time() - began)
    largest = max(len(text.encode()) for text in made.values()) / 1000
    return Figure(
        f"all {len(made)} dashboards made, CPU; the largest file",
        f"< {_MAKE_GOAL:g} s; < 150 kB",
        f"{statistics.median(rounds):.2f} s; {largest:.0f} kB",
        statistics.median(rounds) < _MAKE_GOAL and largest < 150,
    )


def _courses(recorded: Prometheus) -> list[tuple[str, int, list[float]]]:
    """Return each series that the overview asks for, with the seconds between its values and the values."""
    begin, end = moments()["all"]
    names = {selection.name for query in queries(_UID) for selection in selections(findings.expanded(query.expr))}
    found = []
    for name in sorted(names):
        for step in (1, _SLOW_STEP):
            job = f'job="{HEALTH_JOB}"' if step == 1 else f'job!="{HEALTH_JOB}"'
            series: Series = recorded.range(f"{name}{{{job}}}", begin + 60, end, step)
            for labels, points in series:
                written = ",".join(f'{key}="{value}"' for key, value in sorted(labels.items()) if key != "__name__")
                found.append((f"{name}{{{written}}}", step, [value for _, value in points]))
    return found


def _write(page: Path, courses: list[tuple[str, int, list[float]]], end: float) -> int:
    count = 0
    with page.open("w", encoding="utf-8") as file:
        last = ""
        for series, step, values in courses:
            name = series.partition("{")[0]
            if name != last:
                file.write(f"# TYPE {name} unknown\n")
                last = name
            counts = name.endswith("_total")
            for at, value in _again(values, end - _HOURS * 3600, end, step, counts=counts):
                file.write(f"{series} {value:g} {at:.0f}\n")
                count += 1
        file.write("# EOF\n")
    return count


def _again(values: list[float], start: float, end: float, step: int, *, counts: bool) -> Iterator[tuple[float, float]]:
    """Repeat values until the end; a counter goes on from where it was."""
    for index in range(int((end - start) / step)):
        turn, place = divmod(index, len(values))
        carried = turn * (values[-1] - values[0]) if counts else 0.0
        yield start + index * step, values[place] + carried


def _asking(prometheus: Prometheus, end: float, hours: int) -> Figure:
    start, asked = end - hours * 3600, queries(_UID)
    process = psutil.Process(prometheus.pid)
    walls, costs = [], []
    for _ in range(_ROUNDS):
        before, began = sum(process.cpu_times()[:2]), time.monotonic()
        for query in asked:
            expr = query.realized(end - start)
            if query.instant:
                prometheus.instant(expr, end - 1)
            else:
                prometheus.range(expr, start, end - 1, _SLOW_STEP)
        walls.append(time.monotonic() - began)
        costs.append(sum(process.cpu_times()[:2]) - before)
    wall, cost = (1000 * min(values) for values in (walls, costs))
    return Figure(
        f"the overview of {hours} h opened, its {len(asked)} queries together, CPU of Prometheus / one after the other",
        f"< {_GOAL_MS} ms" if hours == 1 else "",
        f"{cost:.0f} ms / {wall:.0f} ms",
        min(cost, wall) < _GOAL_MS or hours != 1,
    )
