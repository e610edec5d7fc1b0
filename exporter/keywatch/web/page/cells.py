"""The cells and tables that the page for people is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from keywatch import surfaces

MOST_ROWS = 200
"""How many rows a table shows."""


def table(heads: str, rows: Sequence[str], count: int = 0) -> str:
    """Write a table of at most 200 rows, of `count` if `rows` are not all of them; nothing without rows."""
    if not rows:
        return ""
    shown = "".join(f"<tr>{row}</tr>" for row in rows[:MOST_ROWS])
    left = max(count, len(rows)) - MOST_ROWS
    more = f'<p class="dim">{left} more</p>' if left > 0 else ""
    return f'<div class="wrap"><table><tr>{heads}</tr>{shown}</table></div>{more}'


def heads(words: Sequence[str], numbers: Sequence[str] = ()) -> str:
    """Write headings: of columns of words first, then of columns of numbers."""
    return "".join(f"<th>{head}</th>" for head in words) + "".join(f'<th class="n">{head}</th>' for head in numbers)


def numeric(shown: str) -> str:
    """Write a cell of a column of numbers."""
    return f'<td class="n">{shown}</td>'


def rows_of(values: Mapping[tuple[str, ...], float], cluster: str) -> list[tuple[tuple[str, ...], float]]:
    """Return labels and value of each series whose first label is the cluster, by label."""
    return [(labels, value) for labels, value in sorted(values.items()) if labels[0] == cluster]


def verdict(value: float | None, good: str = "up", bad: str = "down") -> str:
    """Write a state in words and colour."""
    if value is None:
        return '<span class="dim">not known</span>'
    return f'<span class="good">{good}</span>' if value else f'<span class="bad">{bad}</span>'


def count(value: float | None) -> str:
    """Write a cell with a count that is bad news unless it is 0."""
    css = "n bad" if value else "n dim"
    return f'<td class="{css}">{number(value)}</td>'


def number(value: float | None) -> str:
    """Write a number without fraction."""
    return "" if value is None else f"{value:.0f}"


def percent(ratio: float | None) -> str:
    """Write a ratio as a percentage."""
    return "" if ratio is None else f"{ratio:.0%}"


def milliseconds(value: float | None) -> str:
    """Write seconds as milliseconds."""
    return "" if value is None else f"{value * 1000:.1f} ms"


def ago(seconds: float | None) -> str:
    """Write a length of time in the unit that fits."""
    if seconds is None:
        return ""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def text(value: str) -> str:
    """Write text that may hold anything."""
    return surfaces.page(value)
