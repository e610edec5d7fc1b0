"""Keeps docs/faults.json, and docs/faults.md and docs/faults.svg that are made from it."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.faults.catalogue import catalogue
from tests.faults.picture import draw
from tests.faults.report import complaints, matrix, notes, rows, table
from tests.faults.run import Outcome

_DOCS = Path(__file__).parents[2] / "docs"
_DOCUMENT, _RECORD, _PICTURE = (_DOCS / f"faults.{ending}" for ending in ("md", "json", "svg"))
_BEGIN, _END = "<!-- Written by `make faults` from faults.json. -->", "<!-- End of what `make faults` writes. -->"


def write(outcomes: Sequence[Outcome], seed: int, hold: float) -> None:
    """Put a run in place of the one before."""
    record: dict[str, Any] = {
        "measured": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}",
        "machine": f"{os.cpu_count()} cores, Python {platform.python_version()}",
        "seed": seed,
        "hold": hold,
        "outcomes": [asdict(outcome) for outcome in outcomes],
    }
    _RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    made = rows(catalogue(), outcomes)
    alerts, shares, allowed = matrix(made)
    titles = [f"{row.fault.id} {row.fault.title}" for row in made]
    _PICTURE.write_text(draw(titles, alerts, shares, allowed), encoding="utf-8")
    done = {row.fault.id for row in made}
    left = ", ".join(fault.id for fault in catalogue() if fault.id not in done)
    text = _DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    part = f"""{_BEGIN}

On {record["measured"]}, on a machine of {record["machine"]}, shared with others; seed {seed}, each fault for {hold:g} s
longer than until its pages came.

{table(made)}

{f"Not made in this run: {left}." if left else "All faults were made."}

{notes([row.fault for row in made])}

## Not as promised

{complaints(made)}

## Which alerts paged at which faults

![matrix of faults and alerts](faults.svg)

{_END}"""
    _DOCUMENT.write_text(f"{before}{part}{after}", encoding="utf-8")
