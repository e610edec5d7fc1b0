"""A day of churn in minutes: what keywatch holds must not follow what has been, only what is."""

from __future__ import annotations

import argparse
import sys
import time

from tests.kafka.exporter_process import ExporterProcess
from tests.soak.churn import Churn
from tests.soak.footprint import Footprint, grown, typical

_WARM_UP = 0.34


def main() -> int:
    """Run it and return 0 when nothing grew, 1 otherwise."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=420.0, help="how long [420]")
    options = parser.parse_args()
    began = time.monotonic()
    found: list[tuple[float, Footprint]] = []
    churn = Churn()
    try:
        with ExporterProcess(churn.config()) as exporter:
            exporter.until(lambda s: s.total("keywatch_broker_up", cluster="steady") == 3, 60, "all is up")
            while (passed := time.monotonic() - began) < options.seconds:
                churn.round(exporter)
                found.append((passed, Footprint.of(exporter)))
                print(f"{passed:6.0f} s  {found[-1][1]}", flush=True)
            page, log = exporter.scrape(), exporter.log.read_text(encoding="utf-8")
            defects = {str(labels): n for labels, n in page.all("keywatch_defects_total").items() if n}
            lost = page.value("keywatch_log_lines_lost_total")
            ended = exporter.stop(deadline=20)
    finally:
        churn.close()
    warm = [one for passed, one in found if passed > options.seconds * _WARM_UP]
    half = len(warm) // 2
    complaints = grown(warm[:half], warm[half:]) if half else ["too short to tell anything"]
    complaints += [f"defects: {defects}"] if defects else []
    complaints += [f"lines of the log were lost: {lost}"] if lost else []
    complaints += ["the log has a trace"] if "Traceback" in log else []
    complaints += [f"it ended with {ended}"] if ended else []
    print(f"{churn.changes} changes in {len(found)} rounds")
    if half:
        print(f"before: {typical(warm[:half])}\nafter:  {typical(warm[half:])}")
    for complaint in complaints:
        print(f"grew: {complaint}", file=sys.stderr)
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
