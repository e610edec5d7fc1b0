"""The report of `keywatch check` as tables for people: the cause first, what follows from it folded under it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.table import Table
from rich.text import Text

from keywatch.cli import tables
from keywatch.cli.out import say_json
from keywatch.surfaces import terminal

_FOLLOWERS_SHOWN = 3
_STATES = {"ok": "green", "wrong": "red", "no answer": "red"}


def show(found: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the report on standard output, as JSON or as tables for people."""
    if as_json:
        say_json(found, 2)
        return
    _wrong(found)
    for name, cluster in found["clusters"].items():
        state = "up" if cluster["up"] else "DOWN" if cluster["supported"] else "UNSUPPORTED"
        table = Table(title=Text(f"cluster {terminal(name)}: {state}"), title_justify="left")
        for heading in ("looked at", "which", "state", "found"):
            table.add_column(heading, overflow="fold")
        for label, broker in cluster["brokers"].items():
            verdict = Text("up", "green") if broker["up"] else Text("DOWN", "red")
            table.add_row("broker", cell(label), verdict, cell(broker["address"]))
        for row in cluster["looked_at"]:
            verdict = Text(row["state"], _STATES[row["state"]])
            table.add_row(cell(row["probe"]), cell(row["target"]), verdict, cell(row["found"]))
        tables.show(table)
    running = found.get("running")
    if running is not None:
        tables.show(Text(terminal(running["answer"])))


def _wrong(found: Mapping[str, Any]) -> None:
    if not found["problems"]:
        healthy = found["healthy"]
        words = "Nothing is wrong." if healthy else "The cluster could not be read."
        tables.show(Text(words, "green" if healthy else "red"))
        return
    tables.show(Text(found["summary"], "red"))
    table = Table(show_header=True)
    for heading in ("what", "where"):
        table.add_column(heading, overflow="fold")
    for problem, followers in _things(found["problems"]):
        seen_by = problem.get("seen_by")
        beside = f" (seen by {seen_by})" if seen_by else ""
        table.add_row(cell(problem["what"] + beside), cell(_where(problem)))
        for follower in followers[:_FOLLOWERS_SHOWN]:
            what = cell(f"  follows: {follower['what']}")
            table.add_row(Text.assemble(what, style="dim"), Text.assemble(cell(_where(follower)), style="dim"))
        if (more := len(followers) - _FOLLOWERS_SHOWN) > 0:
            table.add_row(Text(f"  {more} more follow from it; --json shows them", "dim"), "")
    tables.show(table)


def _things(problems: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], list[Mapping[str, Any]]]]:
    """Return each thing that stands for itself, with what stands behind it and follows."""
    thing: Mapping[str, Any] | None = None
    followers: list[Mapping[str, Any]] = []
    for problem in problems:
        if thing is not None and problem.get("follows_from"):
            followers.append(problem)
            continue
        if thing is not None:
            yield thing, followers
        thing, followers = problem, []
    if thing is not None:
        yield thing, followers


def _where(problem: Mapping[str, Any]) -> str:
    return " ".join(f"{key}={value}" for key, value in problem["labels"].items())


def cell(words: str) -> Text:
    """Make a table's cell of words from outside: text, in which rich looks for no markup."""
    return Text(terminal(words))
