"""The page shows the way of logs: each Logstash, the search behind it, and what of each topic can be found."""

from __future__ import annotations

import html
import re

from keywatch.engine.probe import Sample
from keywatch.engine.store import Key
from keywatch.metrics import logs as cat
from keywatch.metrics.metric import Metric
from keywatch.service.config_file import parse
from keywatch.service.watch import Watch
from keywatch.web.page.logs import logs


def shown(*told: tuple[Metric, tuple[str, ...], float]) -> list[list[str]]:
    watch = Watch(parse("clusters: [{name: c, bootstrap: ['127.0.0.1:1']}]", "k.yml"))
    watch.store.replace(Key("c", "x", ""), [Sample(*one) for one in told], 0.0, float("inf"))
    rows = re.findall(r"<tr>(.*?)</tr>", logs(watch, "c"))
    return [
        [html.unescape(re.sub("<.*?>", "", cell)) for cell in re.findall(r"<t[dh].*?</t[dh]>", row)] for row in rows
    ]


def test_without_logs_there_is_nothing() -> None:
    assert shown() == []


def test_a_logstash_has_its_fullest_queue_and_what_was_refused() -> None:
    rows = shown(
        (cat.LOGSTASH_UP, ("c", "l<1>"), 1),
        (cat.LOGSTASH_UP, ("other", "l2"), 1),
        (cat.LOGSTASH_RESPONSE_SECONDS, ("c", "l<1>"), 0.0123),
        (cat.LOGSTASH_QUEUE_BYTES, ("c", "l<1>", "a"), 25),
        (cat.LOGSTASH_QUEUE_MAX_BYTES, ("c", "l<1>", "a"), 100),
        (cat.LOGSTASH_QUEUE_BYTES, ("c", "l<1>", "b"), 90),
        (cat.LOGSTASH_QUEUE_MAX_BYTES, ("c", "l<1>", "b"), 100),
        (cat.LOGSTASH_DOCUMENTS_TOTAL, ("c", "l<1>", "a", "out", "dlq"), 3),
        (cat.LOGSTASH_DOCUMENTS_TOTAL, ("c", "l<1>", "a", "out", "success"), 100),
    )
    assert rows == [["Logstash", "state", "answer", "fullest queue", "refused"], ["l<1>", "up", "12.3 ms", "90%", "3"]]


def test_the_search_has_its_health_and_disk() -> None:
    rows = shown(
        (cat.ELASTICSEARCH_UP, ("c",), 1),
        (cat.ELASTICSEARCH_INFO, ("c", "opensearch", "3.8.0"), 1),
        (cat.ELASTICSEARCH_STATUS, ("c", "green"), 0),
        (cat.ELASTICSEARCH_STATUS, ("c", "yellow"), 1),
        (cat.ELASTICSEARCH_DISK_AVAILABLE_RATIO, ("c",), 0.42),
        (cat.ELASTICSEARCH_BLOCKED_INDICES, ("c",), 2),
    )
    assert rows[1] == ["opensearch 3.8.0", "up", "yellow", "42%", "", "2"]
    assert shown((cat.ELASTICSEARCH_UP, ("c",), 0))[1][:2] == ["", "down"]


def test_a_topic_has_its_three_lags() -> None:
    rows = shown(
        (cat.LOG_CONSUME_LAG_RECORDS, ("c", "t"), 7),
        (cat.LOG_INDEX_LAG_RECORDS, ("c", "t"), 40),
        (cat.LOG_LAG_SECONDS, ("c", "t"), 65),
    )
    assert rows == [["logs of", "not read", "read, not to be found", "behind"], ["t", "7", "40", "65 s"]]
