"""A day of churn, compressed: what keywatch held in the first half and in the second, and what is wrong with that."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.kafka.exporter_process import ExporterProcess
from tests.soak.churn import Churn
from tests.soak.footprint import Footprint, grown, typical

# Caches fill at first: what counts is what comes after.
_WARM_UP = 0.34


@dataclass(frozen=True)
class Day:
    """What came of it: changes and rounds, what was typical before and after, and what is wrong."""

    changes: int
    rounds: int
    before: Footprint
    after: Footprint
    complaints: list[str]


def live(seconds: float, say: Callable[[str], None]) -> Day:
    """Change everything for so long; raises `RuntimeError` when that is too short to tell anything."""
    began = time.monotonic()
    found: list[tuple[float, Footprint]] = []
    churn = Churn()
    try:
        with ExporterProcess(churn.config()) as exporter:
            exporter.until(lambda s: s.total("keywatch_broker_up", cluster="steady") == 3, 60, "all is up")
            while (passed := time.monotonic() - began) < seconds:
                churn.round(exporter)
                found.append((passed, Footprint.of(exporter)))
                say(f"{passed:6.0f} s  {found[-1][1]}")
            page, log = exporter.scrape(), exporter.log.read_text(encoding="utf-8")
            ended = exporter.stop(deadline=20)
    finally:
        churn.close()
    warm = [one for passed, one in found if passed > seconds * _WARM_UP]
    half = len(warm) // 2
    if not half:
        raise RuntimeError(f"{seconds:g} s are too short: {len(found)} rounds")
    complaints = [f"grew: {words}" for words in grown(warm[:half], warm[half:])]
    defects = {str(labels): count for labels, count in page.all("keywatch_defects_total").items() if count}
    complaints += [f"defects: {defects}"] if defects else []
    lost = page.value("keywatch_log_lines_lost_total")
    complaints += [f"lines of the log were lost: {lost:.0f}"] if lost else []
    complaints += ["the log has a trace"] if "Traceback" in log else []
    complaints += [f"it ended with {ended}"] if ended else []
    return Day(churn.changes, len(found), typical(warm[:half]), typical(warm[half:]), complaints)
