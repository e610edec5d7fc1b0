"""Keeps docs/faults.json, and docs/faults.md and docs/faults.svg that are made from it."""

from __future__ import annotations

import datetime as dt
import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from tests.faults.catalogue import catalogue
from tests.faults.picture import draw
from tests.faults.report import Row, complaints, matrix, notes, rows, table
from tests.faults.run import Outcome

_RULE_TESTS = Path(__file__).parents[1] / "alerts"
_DOCS = Path(__file__).parents[2] / "docs"
_DOCUMENT, _RECORD, _PICTURE = (_DOCS / f"faults.{ending}" for ending in ("md", "json", "svg"))
_BEGIN, _END = "<!-- Written by `make faults` from faults.json. -->", "<!-- End of what `make faults` writes. -->"


def earlier_runs() -> list[dict[str, Any]]:
    """Return the runs of faults that the page shows now."""
    runs: list[dict[str, Any]] = json.loads(_RECORD.read_text(encoding="utf-8"))["runs"]
    return runs


def write(earlier: Sequence[Mapping[str, Any]], outcomes: Sequence[Outcome], seed: int, hold: float, beds: int) -> None:
    """Put a run of faults beside `earlier` ones, which may be none, in place of all that were there before."""
    run = {
        "seed": seed,
        "hold": hold,
        "beds": beds,
        **_made_on(),
        "outcomes": [asdict(outcome) for outcome in outcomes],
    }
    _keep({"runs": [*earlier, run]})


def write_twin(outcomes: Sequence[Outcome], seed: int) -> None:
    """Put a run that two instances watched in place of the one before."""
    _keep({"twin": {"seed": seed, "outcomes": [asdict(outcome) for outcome in outcomes], **_made_on()}})


def write_calm(calm: Mapping[str, Any]) -> None:
    """Put a run without faults in place of the one before."""
    _keep({"calm": {**calm, **_made_on()}})


def write_soft(bed: str, seen: Sequence[Mapping[str, Any]]) -> None:
    """Put soft faults of a bed, `soft` or `logs`, in place of the same of an earlier run."""
    before = json.loads(_RECORD.read_text(encoding="utf-8")).get(bed, {"seen": []})["seen"]
    made = {one["alert"] for one in seen}
    _keep({bed: {"seen": [*(one for one in before if one["alert"] not in made), *seen], **_made_on()}})


def _made_on() -> dict[str, str]:
    machine = f"{os.cpu_count()} cores, Python {platform.python_version()}"
    return {"measured": f"{dt.datetime.now(dt.UTC):%Y-%m-%d}", "machine": machine}


def _keep(part: Mapping[str, Any]) -> None:
    record = json.loads(_RECORD.read_text(encoding="utf-8")) | part
    _RECORD.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    outcomes = [Outcome(**one) for run in record["runs"] for one in run["outcomes"]]
    made = rows(catalogue(), outcomes)
    alerts, shares, allowed = matrix(made)
    titles = [f"{row.fault.id} {row.fault.title}" for row in made]
    _PICTURE.write_text(draw(titles, alerts, shares, allowed), encoding="utf-8")
    text = _DOCUMENT.read_text(encoding="utf-8")
    before, _, rest = text.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    _DOCUMENT.write_text(f"{before}{_BEGIN}\n\n{_written(record, made)}\n\n{_END}{after}", encoding="utf-8")


def _written(record: Mapping[str, Any], made: Sequence[Row]) -> str:
    done = {row.fault.id for row in made}
    left = ", ".join(fault.id for fault in catalogue() if fault.id not in done)
    machines = sorted({run["machine"] for run in record["runs"]})
    return f"""On a machine of {", or of ".join(machines)}, shared with others:

{_runs_text(record["runs"])}

{table(made)}

{f"Not made: {left}." if left else "All faults were made."}

{notes([row.fault for row in made])}

## Not as promised

{complaints(made)}

## Which alerts paged at which faults

![matrix of faults and alerts](faults.svg)

## Soft faults

{_soft_text(record["soft"], record["logs"], made)}

## Watched by two instances of keywatch

{_twin_text(record["twin"]) if "twin" in record else "Not measured yet."}

## Without a fault

{calm_text(record["calm"]) if "calm" in record else "Not measured yet."}"""


def _runs_text(runs: Sequence[Mapping[str, Any]]) -> str:
    lines = [
        f"- {run['measured']}, seed {run['seed']}: {len(run['outcomes'])} faults, each for {run['hold']:g} s "
        f"longer than until its pages came{_beside(run.get('beds', 1))}"
        for run in runs
    ]
    return "\n".join(lines)


def _beside(beds: int) -> str:
    return f", in {beds} beds side by side" if beds > 1 else ""


def soft_table(seen: Sequence[Mapping[str, Any]]) -> str:
    """Return a table of soft faults, and when the alert of each fired."""
    lines = []
    for one in seen:
        after = "never" if one["seconds"] is None else f"{one['seconds']:.0f} s"
        lines.append(f"| `{one['alert']}` | {one['title']} | {after} |")
    return "\n".join(["| alert | made by | fires after |", "| --- | --- | --- |", *lines])


def _soft_text(soft: Mapping[str, Any], logs: Mapping[str, Any], made: Sequence[Row]) -> str:
    shown = {one["alert"] for one in (*soft["seen"], *logs["seen"]) if one["seconds"] is not None}
    shown |= {alert for row in made for alert in row.alerts}
    rest: dict[str, list[str]] = {}
    for file in sorted(_RULE_TESTS.glob("*.yml")):
        tests = yaml.safe_load(file.read_text(encoding="utf-8"))["tests"]
        left = {alert for alert, cases in tests.items() if "fires" in cases[0]} - shown
        rest |= {file.name: sorted(left)} if left else {}
    lines = [f"- `tests/alerts/{name}`: {', '.join(f'`{alert}`' for alert in alerts)}" for name, alerts in rest.items()]
    return f"""On {soft["measured"]}, on a machine of {soft["machine"]}, by `make faults-soft`.

{soft_table(soft["seen"])}

On {logs["measured"]}, on a machine of {logs["machine"]}, by `make faults-logs`: a real Kafka and a real OpenSearch, and
between them a stand-in for Logstash that runs our pipelines.

{soft_table(logs["seen"])}

All other alerts would take hours, other servers, or clocks that are wrong; promtool shows them firing, with series of
their own (`make rules`):

{chr(10).join(lines)}"""


def _twin_text(twin: Mapping[str, Any]) -> str:
    made = rows(catalogue(), [Outcome(**one) for one in twin["outcomes"]])
    return f"""On {twin["measured"]}, on a machine of {twin["machine"]}, seed {twin["seed"]}.
A page that comes in the name of both instances counts as false.

{table(made)}

{complaints(made)}"""


def calm_text(calm: Mapping[str, Any]) -> str:
    """Tell what came of a run without faults: what was made how often, and whom it called."""
    when = (
        f"On {calm['measured']}, on a machine of {calm['machine']}, seed {calm['seed']}: " if "measured" in calm else ""
    )
    made = "\n".join(f"| {title} | {times} |" for title, times in sorted(calm["made"].items()))
    false = "\n".join(f"- {one}" for one in calm["false"]) or "No page that may not come."
    if right := calm.get("right"):
        false += "\n\nThe group of the bed really was behind, as Kafka itself said:\n\n"
        false += "\n".join(f"- {one}" for one in right)
    return f"""{when}{calm["minutes"]:.0f} minutes in random order.

| what was made | times |
| --- | --- |
{made}

Pages for a broker that was down for its restart: {calm["expected"]}.

{false}"""
