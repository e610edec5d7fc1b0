"""Logs: is every event searchable, how late, what was refused, and where on the way does it stand still?"""

from __future__ import annotations

from keywatch.metrics import logs as has
from keywatch_dashboards import house, log_canary, logs_elasticsearch, logs_logstash
from keywatch_dashboards.grafana import Dashboard, Panel, Step, newest, query
from keywatch_dashboards.house import Band, Section
from keywatch_dashboards.panels import Stat, Table, TimeSeries
from keywatch_dashboards.queries import grown, now, rate

UID = "keywatch-logs"

_TOPIC, _LOGSTASH = "{{cluster}} / {{topic}}", "{{cluster}} / {{logstash}}"
_NO_LAG, _NO_LOGSTASH, _NO_SEARCH = "no log lag is watched", "no Logstash is watched", "no Elasticsearch is watched"
_REFUSED = 'result="dlq"'
_LATE_SECONDS = 300.0


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
            Section(
                "Logstash",
                [Band(8, logs_logstash.logstash()), Band(8, logs_logstash.queue()), Band(8, logs_logstash.refused())],
            ),
            Section("Elasticsearch", [Band(7, logs_elasticsearch.search()), Band(8, logs_elasticsearch.kept())]),
            Section("What Logstash runs on", [Band(8, logs_logstash.costs())], closed=True),
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
            unit="suffix:records/s",
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
