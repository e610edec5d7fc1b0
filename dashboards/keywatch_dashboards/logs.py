"""Logs: is every event searchable, how late, what was refused, and where on the way does it stand still?"""

from __future__ import annotations

from keywatch import catalogue_logs as has
from keywatch_dashboards import house, log_canary
from keywatch_dashboards.grafana import Dashboard, Panel, Step, newest, query
from keywatch_dashboards.house import Band, Section
from keywatch_dashboards.panels import Stat, StateTimeline, Table, TimeSeries
from keywatch_dashboards.queries import grown, now, rate

UID = "keywatch-logs"

_TOPIC, _LOGSTASH, _PIPELINE = "{{cluster}} / {{topic}}", "{{cluster}} / {{logstash}}", "{{logstash}} / {{pipeline}}"
_NO_LAG, _NO_LOGSTASH, _NO_SEARCH = "no log lag is watched", "no Logstash is watched", "no Elasticsearch is watched"
_REFUSED, _FAILED = 'result="dlq"', has.LOGSTASH_FILTER_FAILURES_TOTAL
_LATE_SECONDS = 300.0
_DISK_LOW, _DISK_FULL = 0.15, 0.05


def build() -> Dashboard:
    """Make the dashboard."""
    return house.dashboard(
        UID,
        "Logs",
        "Is every event searchable, how late, and what was refused on the way through Logstash to Elasticsearch?",
        [
            Section("Now", [Band(5, _now())]),
            Section("Three lags", [Band(8, _lags()), Band(8, _flow())]),
            Section("Marked events", [Band(7, log_canary.marked())]),
            Section("Logstash", [Band(8, _logstash()), Band(8, _queue()), Band(8, _refused())]),
            Section("Elasticsearch", [Band(7, _search()), Band(8, _kept())]),
            Section("What Logstash runs on", [Band(8, _costs())], closed=True),
        ],
        component="logs",
    )


def _now() -> list[Panel]:
    return [
        Stat(
            title="Newest searchable event is behind by",
            description="How much newer is Kafka's newest record than the newest to be found? Above 300 s a ticket.",
            width=6,
            unit="s",
            decimals=0,
            steps=house.above(attention=60, bad=_LATE_SECONDS),
            no_value=_NO_LAG,
            targets=[newest(now(has.LOG_LAG_SECONDS, "topic"), _TOPIC)],
        ),
        Stat(
            title="Not to be found yet",
            description="How many records did Logstash read that cannot be searched?",
            width=6,
            decimals=0,
            steps=house.above(attention=1000),
            no_value=_NO_LAG,
            targets=[newest(now(has.LOG_INDEX_LAG_RECORDS, "topic"), _TOPIC)],
        ),
        Stat(
            title="Refused in the time shown",
            description="How many documents did Elasticsearch refuse for good in the time shown?",
            width=6,
            decimals=0,
            steps=house.above(bad=1),
            no_value=_NO_LOGSTASH,
            targets=[
                newest(grown(has.LOGSTASH_DOCUMENTS_TOTAL, "logstash", where=_REFUSED, span="$__range"), _LOGSTASH)
            ],
        ),
        Stat(
            title="Redaction failed, last hour",
            description="Of how many events could personal data not be taken out, so that they were stored empty?",
            width=6,
            decimals=0,
            steps=house.above(bad=1),
            no_value=_NO_LAG,
            targets=[newest(now(has.LOG_REDACTION_FAILED_DOCUMENTS), "{{cluster}}")],
        ),
    ]


def _lags() -> list[Panel]:
    return [
        TimeSeries(
            title="Not read by Logstash",
            description="How many records of each topic has Logstash not read: does it read at all?",
            width=8,
            low=0,
            decimals=0,
            no_value=_NO_LAG,
            targets=[query(now(has.LOG_CONSUME_LAG_RECORDS, "topic"), _TOPIC)],
        ),
        TimeSeries(
            title="Read, and not to be found",
            description="How many records lie in Logstash's queue, were refused, or wait for Elasticsearch's refresh?",
            width=8,
            low=0,
            decimals=0,
            no_value=_NO_LAG,
            targets=[query(now(has.LOG_INDEX_LAG_RECORDS, "topic"), _TOPIC)],
        ),
        TimeSeries(
            title="Behind Kafka, in seconds",
            description="How much newer is Kafka's newest record than the newest to be found? 0 on a quiet topic.",
            width=8,
            unit="s",
            low=0,
            limit_line=True,
            steps=[Step(house.GOOD), Step(house.BAD, _LATE_SECONDS)],
            no_value=_NO_LAG,
            targets=[query(now(has.LOG_LAG_SECONDS, "topic"), _TOPIC)],
        ),
    ]


def _flow() -> list[Panel]:
    return [
        TimeSeries(
            title="Written and searchable, records a second",
            description="Does as much become searchable as comes to Kafka?",
            width=12,
            unit="cps",
            low=0,
            no_value=_NO_LAG,
            targets=[
                query(rate(has.LOG_WRITTEN_RECORDS_TOTAL, "topic"), f"{_TOPIC}: written"),
                query(rate(has.LOG_SEARCHABLE_RECORDS_TOTAL, "topic"), f"{_TOPIC}: searchable"),
            ],
        ),
        TimeSeries(
            title="Partitions whose lag is not known",
            description="How many partitions do the lags leave out, because their offsets could not be read?",
            width=5,
            low=0,
            decimals=0,
            no_value=_NO_LAG,
            targets=[query(now(has.LOG_PARTITIONS_UNKNOWN, "topic"), _TOPIC)],
        ),
        Table(
            title="Newest event stored",
            description="How old is the newest event of each dataset that Elasticsearch holds?",
            width=7,
            sort="Newest",
            descending=False,
            no_value=_NO_SEARCH,
            targets=[
                newest(f"1000 * {now(has.ELASTICSEARCH_NEWEST_EVENT_TIMESTAMP_SECONDS, 'dataset')}", table=True),
            ],
            transformations=house.renamed({"cluster": "Cluster", "dataset": "Dataset", "Value": "Newest"}),
            overrides=[house.column("Newest", unit="dateTimeFromNow")],
        ),
    ]


def _logstash() -> list[Panel]:
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
            unit="cps",
            low=0,
            no_value=_NO_LOGSTASH,
            targets=[
                query(rate(has.LOGSTASH_EVENTS_TOTAL, "logstash", "pipeline", "stage", where='stage!="filtered"'),
                      f"{_PIPELINE}: {{{{stage}}}}"),
            ],
        ),
    ]  # fmt: skip


def _queue() -> list[Panel]:
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


def _refused() -> list[Panel]:
    return [
        TimeSeries(
            title="What became of documents",
            description="Does Elasticsearch take them, does Logstash try again, or were they refused or there already?",
            width=9,
            unit="cps",
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


def _search() -> list[Panel]:
    states = (now(has.ELASTICSEARCH_STATUS, where=f'status="{name}"') for name in ("green", "yellow", "red"))
    status = "\nor ".join(f"({state} == 1) * {number}" for number, state in enumerate(states))
    return [
        StateTimeline(
            title="Elasticsearch answers",
            description="Does it answer, and since when not?",
            width=6,
            mappings=house.words(house.UP_DOWN),
            no_value=_NO_SEARCH,
            targets=[query(now(has.ELASTICSEARCH_UP), "{{cluster}}")],
        ),
        StateTimeline(
            title="Health of its cluster",
            description="Is a copy missing (yellow), or a whole shard, so that events cannot be found (red)?",
            width=6,
            mappings=house.words({0: ("green", house.GOOD), 1: ("yellow", house.ATTENTION), 2: ("red", house.BAD)}),
            no_value=_NO_SEARCH,
            targets=[query(status, "{{cluster}}")],
        ),
        TimeSeries(
            title="Disk left on the fullest node",
            description="How much is free? Below 15 % a node takes no new shards, at 5 % nothing can be written.",
            width=6,
            unit="percentunit",
            low=0,
            high=1,
            limit_line=True,
            steps=house.below(attention=_DISK_LOW, bad=_DISK_FULL),
            no_value=_NO_SEARCH,
            targets=[query(now(has.ELASTICSEARCH_DISK_AVAILABLE_RATIO, how="min"), "{{cluster}}")],
        ),
        Stat(
            title="Indices that take nothing, or stand still",
            description="How many indices are read-only and should not be, and how many lifecycles stand still?",
            width=6,
            decimals=0,
            steps=house.above(bad=1),
            no_value=_NO_SEARCH,
            targets=[
                newest(now(has.ELASTICSEARCH_BLOCKED_INDICES), "{{cluster}}: read-only"),
                newest(now(has.ELASTICSEARCH_LIFECYCLE_ERROR_INDICES), "{{cluster}}: lifecycle"),
            ],
        ),
    ]


def _kept() -> list[Panel]:
    columns = {
        "Size": now(has.ELASTICSEARCH_DATA_STREAM_BYTES, "dataset"),
        "Indices": now(has.ELASTICSEARCH_BACKING_INDICES, "dataset"),
    }
    return [
        Table(
            title="Data streams",
            description="How much does each dataset take, in how many indices?",
            width=12,
            sort="Size",
            no_value=_NO_SEARCH,
            targets=[newest(expr, table=True) for expr in columns.values()],
            transformations=house.joined({"cluster": "Cluster", "dataset": "Dataset"}, list(columns)),
            overrides=[house.column("Size", unit="bytes")],
        ),
        TimeSeries(
            title="Ingest pipeline failed",
            description="On how many documents could Elasticsearch's own pipeline not do its work?",
            width=12,
            unit="cps",
            low=0,
            no_value=_NO_SEARCH,
            targets=[query(rate(has.ELASTICSEARCH_INGEST_FAILED_TOTAL, "pipeline"), "{{cluster}} / {{pipeline}}")],
        ),
    ]


def _costs() -> list[Panel]:
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
            unit="cps",
            low=0,
            no_value="none failed",
            targets=[query(f"{rate(_FAILED, 'pipeline', 'plugin')} > 0", "{{pipeline}} / {{plugin}}")],
        ),
        TimeSeries(
            title="Answers of Elasticsearch to Logstash",
            description="With which HTTP status does Elasticsearch answer: 429 is too much, 403 a key or a full disk?",
            width=8,
            unit="cps",
            low=0,
            no_value=_NO_LOGSTASH,
            targets=[query(rate(has.LOGSTASH_BULK_RESPONSES_TOTAL, "code"), "{{cluster}}: {{code}}")],
        ),
    ]
