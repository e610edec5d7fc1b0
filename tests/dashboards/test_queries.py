"""Every query of every panel gives data in a real Prometheus: always, or while the fault lasts that it is for."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.dashboards.asked import DASHBOARDS, Query, queries
from tests.dashboards.recording import STEP, moments, playing
from tests.prometheus import server as prometheus
from tests.prometheus.server import Prometheus, Series

QUERIES = [query for uid in DASHBOARDS for query in queries(uid)]
EMPTY: dict[str, dict[str, str]] = yaml.safe_load(Path(__file__).with_name("empty.yml").read_text(encoding="utf-8"))
"""Query → why it is empty when all is well, and the scene of the recording that fills it."""
# What a fault leaves behind, such as a rate or an alert, is there a little later.
_AFTER = 60.0


@pytest.fixture(scope="module")
def recorded() -> Iterator[Prometheus]:
    prometheus.required()
    with playing(written=True) as made:
        yield made


def has_data(series: Series) -> bool:
    """Return whether there is a number."""
    return any(not math.isnan(value) for _, points in series for _, value in points)


def gives(recorded: Prometheus, query: Query, begin: float, end: float) -> bool:
    """Return whether a query gives data at some moment from begin to end; of what is drawn at once, the end counts."""
    expr = query.realized(end - begin)
    if query.instant:
        return has_data(recorded.instant(expr, end)) or has_data(recorded.range(expr, begin, end, STEP))
    return has_data(recorded.range(expr, begin, end, STEP))


@pytest.mark.parametrize("uid", DASHBOARDS)
def test_every_query_gives_data_when_all_is_well(recorded: Prometheus, uid: str) -> None:
    begin, end = moments(uid)["calm"]
    empty = [query.key for query in queries(uid) if not gives(recorded, query, begin + _AFTER, end)]
    assert empty == [key for key in (query.key for query in queries(uid)) if key in EMPTY]


@pytest.mark.parametrize("key", EMPTY)
def test_what_is_empty_when_all_is_well_gives_data_during_its_fault(recorded: Prometheus, key: str) -> None:
    query = next(query for query in QUERIES if query.key == key)
    begin, end = moments(query.uid)[EMPTY[key]["scene"]]
    assert EMPTY[key]["why"]
    assert gives(recorded, query, begin, end + _AFTER)


def test_only_queries_of_panels_are_excused() -> None:
    assert set(EMPTY) <= {query.key for query in QUERIES}
    assert all(entry["scene"] in moments(key.partition(" / ")[0]) for key, entry in EMPTY.items())


def test_drop_downs_offer_what_is_there(recorded: Prometheus) -> None:
    for uid, data in DASHBOARDS.items():
        for variable in data["templating"]["list"]:
            if variable["type"] == "query":
                selector, label = variable["definition"].removeprefix("label_values(").removesuffix(")").rsplit(", ", 1)
                found = recorded.instant(selector.replace("$cluster", ".+"), moments(uid)["calm"][1])
                assert {labels.get(label) for labels, _ in found} - {None}, variable["definition"]
