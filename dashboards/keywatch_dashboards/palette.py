"""Colours of series that stay apart for every kind of colour blindness, on Grafana's dark ground and its light one."""

from __future__ import annotations

from collections.abc import Sequence

from keywatch_dashboards.grafana import Json
from keywatch_dashboards.house import by_query, fixed, matching

# Grafana's names, since it darkens those on a light ground. The first four are furthest apart.
SERIES = ("super-light-blue", "semi-dark-yellow", "dark-purple", "dark-green", "blue", "green")


def by_queries(count: int) -> list[Json]:
    """Assign each of a panel's queries a colour; the drop-downs tell apart what one query gives."""
    return [by_query(chr(ord("A") + index), color=fixed(SERIES[index])) for index in range(count)]


def by_broker() -> list[Json]:
    """Assign each broker its colour, the same on all panels, by the last digit of its id: six are told apart."""
    found = []
    for index, color in enumerate(SERIES):
        digits = "".join(str(digit) for digit in range(10) if (digit - 1) % len(SERIES) == index)
        found.append(matching(rf" / \d*[{digits}](\D.*)?$", color=fixed(color)))
    return found


def by_ending(endings: Sequence[str]) -> list[Json]:
    """Return the series whose names end so a colour each."""
    return [matching(rf": {ending}$", color=fixed(SERIES[index])) for index, ending in enumerate(endings)]
