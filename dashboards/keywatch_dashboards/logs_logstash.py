"""Panels of Logstash: its pipelines, queues, refusals, and what it costs."""

from __future__ import annotations

from keywatch.metrics import logs as has
from keywatch_dashboards import house
from keywatch_dashboards.grafana import Panel, query
from keywatch_dashboards.panels import StateTimeline, TimeSeries
from keywatch_dashboards.queries import grown, now, rate

_LOGSTASH, _PIPELINE = "{{cluster}} / {{logstash}}", "{{logstash}} / {{pipeline}}"
_NO_LOGSTASH = "no Logstash is watched"


def logstash() -> list[Panel]:
    """Draw what each pipeline takes in and gives out."""
    return [
        StateTimeline(
            title="Logstash answers",
            description="Does each Logstash answer, and since when not?",
            width=8,
            mappings=house.words(house.UP_DOWN),
            no_value=_NO_LOGSTASH,
            targets=[query(now(has.LOGSTASH_UP, "logstash"), _LOGSTASH)],
        ),
        StateTimeline(
            title="Pipelines as they were written",
            description="Did the last change of each pipeline load, or does an older one run, or none?",
            width=8,
            mappings=house.words({0: ("reload failed", house.BAD), 1: ("loaded", house.GOOD)}),
            no_value=_NO_LOGSTASH,
            targets=[query(now(has.LOGSTASH_RELOAD_SUCCESSFUL, "logstash", "pipeline", how="min"), _PIPELINE)],
        ),
        TimeSeries(
            title="Events through the pipelines",
            description="How many events come in, and how many go out?",
            width=8,
            unit="suffix:events/s",
            low=0,
            no_value=_NO_LOGSTASH,
            targets=[
                query(rate(has.LOGSTASH_EVENTS_TOTAL, "logstash", "pipeline", "stage", where='stage!="filtered"'),
                      f"{_PIPELINE}: {{{{stage}}}}"),
            ],
        ),
    ]  # fmt: skip


def queue() -> list[Panel]:
    """Draw how full the queues are."""
    used, most = (
        now(size, "logstash", "pipeline") for size in (has.LOGSTASH_QUEUE_BYTES, has.LOGSTASH_QUEUE_MAX_BYTES)
    )
    return [
        TimeSeries(
            title="Queue, filled part",
            description="How full is each queue on disk? At 95 % Logstash soon stops reading.",
            width=8,
            unit="percentunit",
            low=0,
            high=1,
            limit_line=True,
            steps=house.above(attention=0.8, bad=0.95),
            no_value=_NO_LOGSTASH,
            targets=[query(f"{used} / {most}", _PIPELINE)],
        ),
        TimeSeries(
            title="Inputs that wait for the queue",
            description="Is what comes too much for what goes out? 1 is an input that always waits.",
            width=8,
            low=0,
            no_value=_NO_LOGSTASH,
            targets=[
                query(now(has.LOGSTASH_BACKPRESSURE, "logstash", "pipeline", where='window="last_1_minute"'), _PIPELINE)
            ],
        ),
        TimeSeries(
            title="Workers, used part",
            description="Do the workers have time left, or do the filters need more of them?",
            width=8,
            unit="percentunit",
            low=0,
            no_value=_NO_LOGSTASH,
            targets=[
                query(
                    now(has.LOGSTASH_WORKER_UTILIZATION_RATIO, "logstash", "pipeline", where='window="last_1_minute"'),
                    _PIPELINE,
                )
            ],
        ),
    ]


def refused() -> list[Panel]:
    """Draw what was refused, and what waits for a second try."""
    return [
        TimeSeries(
            title="What became of documents",
            description="Does Elasticsearch take them, does Logstash try again, or were they refused or there already?",
            width=9,
            unit="suffix:events/s",
            low=0,
            stacked=True,
            no_value=_NO_LOGSTASH,
            targets=[query(f"{rate(has.LOGSTASH_DOCUMENTS_TOTAL, 'result')} > 0", "{{cluster}}: {{result}}")],
        ),
        TimeSeries(
            title="Set aside by Logstash",
            description="How much of what Elasticsearch refused lies in Logstash's dead letters?",
            width=8,
            unit="bytes",
            low=0,
            no_value="dead letters are switched off",
            targets=[query(now(has.LOGSTASH_DLQ_BYTES, "logstash", "pipeline"), _PIPELINE)],
        ),
        TimeSeries(
            title="Refused and thrown away",
            description="How many events were refused and thrown away, because no more could be set aside?",
            width=7,
            low=0,
            decimals=0,
            no_value="dead letters are switched off",
            targets=[query(grown(has.LOGSTASH_DLQ_DROPPED_TOTAL, "logstash", "pipeline"), _PIPELINE)],
        ),
    ]


def costs() -> list[Panel]:
    """Draw what Logstash itself needs."""
    return [
        TimeSeries(
            title="Heap and processors, used part",
            description="Does Logstash have the memory and the processors that it needs?",
            width=8,
            unit="percentunit",
            low=0,
            high=1,
            no_value=_NO_LOGSTASH,
            targets=[
                query(now(has.LOGSTASH_HEAP_USED_RATIO, "logstash"), f"{_LOGSTASH}: heap"),
                query(now(has.LOGSTASH_CPU_RATIO, "logstash"), f"{_LOGSTASH}: processors"),
            ],
        ),
        TimeSeries(
            title="Filters that failed",
            description="On how many events could which filter not do its work?",
            width=8,
            unit="suffix:events/s",
            low=0,
            no_value="none failed",
            targets=[
                query(
                    f"{rate(has.LOGSTASH_FILTER_FAILURES_TOTAL, 'pipeline', 'plugin')} > 0", "{{pipeline}} / {{plugin}}"
                )
            ],
        ),
        TimeSeries(
            title="Answers of Elasticsearch to Logstash",
            description="With which HTTP status does Elasticsearch answer: 429 is too much, 403 a key or a full disk?",
            width=8,
            unit="suffix:events/s",
            low=0,
            no_value=_NO_LOGSTASH,
            targets=[query(rate(has.LOGSTASH_BULK_RESPONSES_TOTAL, "code"), "{{cluster}}: {{code}}")],
        ),
    ]
