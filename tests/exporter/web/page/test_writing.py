"""However much there is to show, the page is written in short pieces, and shows what is worst."""

from __future__ import annotations

import html
import logging
import re

import pytest

from keywatch.engine.series import MetricSeries, Rows, SeriesSet
from keywatch.engine.slices import at_once
from keywatch.engine.store import Key
from keywatch.metrics import cluster as cluster_metrics
from keywatch.metrics import groups
from keywatch.metrics.metric import Metric
from keywatch.service.config_file import parse
from keywatch.service.watch import Watch
from keywatch.web.page.page import page, writing

TOPICS = 5000
COUNTS = (
    cluster_metrics.TOPIC_PARTITIONS,
    cluster_metrics.TOPIC_PARTITIONS_OFFLINE,
    cluster_metrics.TOPIC_PARTITIONS_ELECTING,
    cluster_metrics.TOPIC_PARTITIONS_BELOW_MIN_ISR,
    cluster_metrics.TOPIC_PARTITIONS_UNDER_REPLICATED,
)


@pytest.fixture
def watch(caplog: pytest.LogCaptureFixture) -> Watch:
    """Watch 5,000 topics, of which each third one has offline partitions, and as many groups."""
    caplog.set_level(logging.CRITICAL)
    made = Watch(parse("clusters: [{name: c, bootstrap: ['127.0.0.1:1']}, {name: d, bootstrap: ['127.0.0.1:2']}]", "k"))

    def one(metric: Metric, value: int, *labels: str) -> MetricSeries:
        notes = (f"{value} of 9 partitions are offline",) if value and metric in COUNTS[1:2] else None
        return MetricSeries(metric, Rows([("c", *labels)]), [value], notes)

    topics = [
        one(metric, index % 3 if metric in COUNTS[1:2] else 9 if metric in COUNTS[:1] else 0, f"t{index:04}")
        for index in range(TOPICS)
        for metric in COUNTS
    ]
    lags = [one(groups.GROUP_LAG_RECORDS, index, f"g{index:04}", "t") for index in range(TOPICS)]
    made.store.replace(Key("c", "topics", ""), SeriesSet(topics), 0.0, float("inf"))
    made.incidents.observe(Key("c", "topics", ""), SeriesSet(topics), 0.0)
    made.store.replace(Key("c", "groups", ""), SeriesSet(lags), 0.0, float("inf"))
    return made


def cells(text: str) -> list[list[str]]:
    rows = re.findall(r"<tr>(.*?)</tr>", text)
    return [[html.unescape(re.sub("<.*?>", "", cell)) for cell in re.findall(r"<td.*?</td>", row)] for row in rows]


def test_it_is_written_in_pieces_that_do_not_grow(watch: Watch) -> None:
    pieces = sum(1 for _ in writing(watch, 100.0))
    # Six columns of values and two orders, no piece of which is longer than 500.
    assert pieces >= 8 * TOPICS / 500


def test_written_in_pieces_or_at_once_it_is_the_same(watch: Watch) -> None:
    assert at_once(writing(watch, 100.0)) == page(watch, 100.0)


def test_the_worst_comes_first_and_what_is_left_out_is_counted(watch: Watch) -> None:
    text = page(watch, 100.0)
    rows = cells(text)
    offline = sum(bool(index % 3) for index in range(TOPICS))
    assert f"{offline} things are wrong." in text
    assert text.count(f"{offline - 200} more") == 1
    assert text.count(f"{TOPICS - 200} more") == 2
    topics = [row for row in rows if row and row[0].startswith("t")]
    assert topics[:2] == [["t0002", "9", "2", "0", "0", "0"], ["t0005", "9", "2", "0", "0", "0"]]
    lags = [row for row in rows if row and row[0].startswith("g")]
    assert [row[0] for row in lags[:2]] == ["g4999", "g4998"]
    assert (len(topics), len(lags)) == (200, 200)


def test_another_clusters_topics_are_not_shown_again(watch: Watch) -> None:
    assert "t0002" not in page(watch, 100.0).partition("Cluster d")[2]
