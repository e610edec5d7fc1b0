"""The overview: is it us, is it Kafka, is it the consumers; since when; what is lost."""

from __future__ import annotations

from keywatch.metrics import cluster as cluster_metrics
from keywatch.metrics import dead_letters, events, groups, keycloak, logs, reconciliation, retention
from keywatch.metrics import probe as probe_metrics
from keywatch_dashboards import house, palette
from keywatch_dashboards.grafana import Dashboard, Panel, newest, query
from keywatch_dashboards.house import Band, Section
from keywatch_dashboards.panels import Stat, StateTimeline, Table, TimeSeries
from keywatch_dashboards.queries import HEALTH_JOB, grown, now, pick, rate

UID = "keywatch-overview"

_OBJECTIVE = 0.001
"""What the alert rules allow: one minute in a thousand, one event in a thousand."""
_STATES = house.words({0: ("works", house.GOOD), 1: ("hurt", house.ATTENTION), 2: ("broken", house.BAD)})


def _or_nothing(expr: str) -> str:
    return f"({expr} or vector(0))"


def _capped(*parts: str) -> str:
    return f"clamp_max({' + '.join(parts)}, 2)"


_KEYCLOAK = " + ".join(
    f"max(1 - {now(metric, 'keycloak')})" for metric in (keycloak.KEYCLOAK_UP, keycloak.KEYCLOAK_READY)
)
_LISTENER = _capped(
    f"max(1 - {now(events.EVENTS_UP, 'listener')})",
    "2 * "
    + _or_nothing(
        f"max(sum by (cluster, listener) "
        f"({now(reconciliation.EVENTS_MISSING, 'listener', 'realm', 'event', 'outcome')}) "
        f"> bool {now(reconciliation.EVENTS_MISSING_LIMIT, 'listener')})"
    ),
)
_KAFKA = _capped(
    f"2 * max(1 - {now(cluster_metrics.CLUSTER_UP)})",
    "2 * " + _or_nothing(f"max({now(cluster_metrics.TOPIC_PARTITIONS_OFFLINE, 'topic')} > bool 0)"),
    "2 * " + _or_nothing(f"max({now(cluster_metrics.TOPIC_PARTITIONS_BELOW_MIN_ISR, 'topic')} > bool 0)"),
    _or_nothing(f"max(1 - {now(cluster_metrics.BROKER_UP, 'broker')})"),
)
_CONSUMERS = _capped(
    f"max(1 - {now(groups.GROUP_UP, 'group')})",
    "2 * "
    + _or_nothing(
        f"max({now(groups.GROUP_LAG_RECORDS, 'group')} > bool {now(groups.GROUP_LAG_RECORDS_LIMIT, 'group')})"
    ),
    "2 * "
    + _or_nothing(
        f"max({now(groups.GROUP_LAG_SECONDS, 'group')} > bool {now(groups.GROUP_LAG_SECONDS_LIMIT, 'group')})"
    ),
)
_DEAD_LETTERS = _capped(
    f"max(1 - {now(dead_letters.DLQ_UP, 'dlq')})",
    "2 * " + _or_nothing(f"max({grown(dead_letters.DLQ_ADDED_TOTAL, 'dlq', span='5m')} > bool 0)"),
    _or_nothing(f"max({now(dead_letters.DLQ_RECORDS, 'dlq')} > bool 0)"),
)
_LOGS = _capped(
    f"2 * max({now(logs.LOG_LAG_SECONDS, 'topic')} > bool 300)",
    "2 * " + _or_nothing(f"max(1 - {now(logs.ELASTICSEARCH_UP)})"),
    _or_nothing(f"max(1 - {now(logs.LOGSTASH_UP, 'logstash')})"),
)
_KEYWATCH = _capped(
    f'2 * (1 - max(up{{job="{HEALTH_JOB}"}}))',
    _or_nothing(f"max(1 - {now(probe_metrics.PROBE_SUCCESS, 'probe')})"),
)
STAGES = {
    "Keycloak": (
        _KEYCLOAK,
        "keywatch-runtime",
        "not watched",
        "Does every node live (broken), and is it ready (hurt)?",
    ),
    "Listener": (
        _LISTENER,
        "keywatch-events",
        "not watched",
        "Did all events arrive that Keycloak counted (broken), and can its topics be read (hurt)?",
    ),
    "Kafka": (
        _KAFKA,
        "keywatch-kafka",
        "no data",
        "Can everything be written and read (broken), and do all brokers live (hurt)?",
    ),
    "Consumers": (
        _CONSUMERS,
        "keywatch-consumers",
        "no groups",
        "Is every group within its limit (broken), and can it be read (hurt)?",
    ),
    "Dead letters": (
        _DEAD_LETTERS,
        "keywatch-dead-letters",
        "not watched",
        "Did any come in the last five minutes (broken), and do any lie there (hurt)?",
    ),
    "Logs": (
        _LOGS,
        "keywatch-logs",
        "not watched",
        "Can events be found within five minutes and the search be asked (broken), and does Logstash answer (hurt)?",
    ),
    "keywatch": (
        _KEYWATCH,
        "keywatch-exporter",
        "no data",
        "Does keywatch run (broken), and do all its probes answer (hurt)?",
    ),
}
"""Each stage of the path: its state as a query, where to look further, and the question."""
_WIDE = ("Keycloak", "Kafka", "Consumers")


def build() -> Dashboard:
    """Make the dashboard."""
    return house.dashboard(
        UID,
        "Overview",
        "Is it Keycloak, Kafka or the consumers; since when; what is lost.",
        [
            Section("The path, from Keycloak to the logs", [Band(4, _stages()), Band(7, [_since()])]),
            Section("What is firing, and what is lost", [Band(8, _firing())]),
            Section("Objective: the path works 99.9 % of a month", [Band(5, _budget()), Band(8, _burn())]),
            Section("Keycloak's nodes", [Band(7, _nodes())]),
        ],
        component=".+",
        refresh="5s",
    )


def _stages() -> list[Panel]:
    return [
        Stat(
            title=name,
            description=question,
            width=4 if name in _WIDE else 3,
            mappings=_STATES,
            no_value=nothing,
            data_links=[house.to(uid, f"{name}: look closer")],
            targets=[newest(expr, name)],
        )
        for name, (expr, uid, nothing, question) in STAGES.items()
    ]


def _since() -> Panel:
    return StateTimeline(
        title="Since when",
        description="Which stage broke first? What comes later is often its consequence.",
        mappings=_STATES,
        no_value="keywatch sends nothing",
        targets=[query(expr, name) for name, (expr, *_) in STAGES.items()],
    )


def _firing() -> list[Panel]:
    alerts = 'ALERTS{alertstate="firing", alertname!="Watchdog", cluster=~"$cluster|"}'
    labels = {"alertname": "Alert", "severity": "Severity", "component": "Part", "cluster": "Cluster"}
    by = ", ".join(labels)
    severity = [
        {
            "type": "value",
            "options": {
                "critical": {"color": house.BAD, "index": 0},
                "warning": {"color": house.ATTENTION, "index": 1},
                "info": {"color": house.GOOD, "index": 2},
            },
        }
    ]
    return [
        Table(
            title="Alerts",
            description="What do the alert rules say now, and since when?",
            width=10,
            sort="Since",
            descending=False,
            no_value="nothing is firing",
            targets=[
                newest(
                    f"1000 * min by ({by}) (ALERTS_FOR_STATE and ignoring (alertstate) {alerts})",
                    table=True,
                )
            ],
            transformations=house.renamed({**labels, "Value": "Since"}),
            overrides=[
                house.column("Alert", custom__width=230),
                house.column("Since", unit="dateTimeFromNow"),
                house.coloured("Severity", mappings=severity),
            ],
        ),
        TimeSeries(
            title="Events",
            description="How many events does Keycloak count, and how many arrive? Both lines should be one.",
            width=6,
            unit="suffix:events/s",
            low=0,
            no_value="no listener is watched",
            overrides=palette.by_queries(2),
            targets=[
                query(rate(reconciliation.EVENTS_COUNTED_TOTAL), "{{cluster}} / counted by Keycloak"),
                query(rate(events.EVENTS_RECEIVED_TOTAL), "{{cluster}} / arrived"),
            ],
        ),
        Stat(
            title="Missing, lost",
            description="How many events have not arrived in time, and how many were given up in the time shown?",
            width=4,
            decimals=0,
            steps=house.above(bad=1),
            no_value="not reconciled",
            data_links=[house.to("keywatch-events", "Events: look closer")],
            targets=[
                newest(
                    f"sum({now(reconciliation.EVENTS_MISSING, 'listener', 'realm', 'event', 'outcome')})",
                    "missing now",
                ),
                newest(f"sum({grown(reconciliation.EVENTS_LOST_TOTAL, span='$__range')})", "lost"),
            ],
        ),
        _until_loss(),
    ]


def _until_loss() -> Panel:
    left = now(retention.GROUP_RETENTION_LEFT_SECONDS, "group", "topic")
    kept = f"0.9 * {now(retention.TOPIC_RETENTION_SECONDS, 'topic')}"
    return Stat(
        title="Until unread records are deleted",
        description="How long until a topic's retention may delete the first record that some group has not read?",
        width=4,
        unit="s",
        decimals=0,
        steps=house.below(attention=86_400, bad=3600),
        no_value="nothing waits for long",
        data_links=[house.to("keywatch-consumers", "Consumers: look closer")],
        targets=[newest(f"min({left} < on (cluster, topic) group_left () {kept})", "left")],
    )


def _recorded(name: str) -> str:
    return f'cluster:keywatch_{name}{{cluster=~"$cluster"}}'


_HOURS_KNOWN = f"(count_over_time({_recorded('path:up')}[30d:1h]) or {_recorded('path:avg30d')} * 0)"
_BUDGET_LEFT = f"1 - (1 - {_recorded('path:avg30d')}) / {_OBJECTIVE} * on (cluster) {_HOURS_KNOWN} / (30 * 24)"
_BROKEN = f"timestamp({_recorded('path:up')} == 0)"


def _budget() -> list[Panel]:
    return [
        Stat(
            title="Error budget left",
            description="How much of the month's error budget is left? Below 25 % a ticket is opened.",
            width=6,
            unit="percentunit",
            decimals=0,
            steps=house.below(attention=0.25, bad=0.0001),
            no_value="needs the alert rules",
            targets=[newest(_BUDGET_LEFT, "{{cluster}}")],
        ),
        Stat(
            title="Path worked, 30 days",
            description="In which share of 30 days did the cluster answer, with all partitions of watched topics?",
            width=6,
            unit="percentunit",
            decimals=3,
            background=False,
            steps=house.below(attention=0.9995, bad=0.999),
            no_value="needs the alert rules",
            targets=[newest(_recorded("path:avg30d"), "{{cluster}}")],
        ),
        Stat(
            title="Events lost, 30 days",
            description="Which share of the events that Keycloak counted was lost? The objective is 0.1 %.",
            width=6,
            unit="percentunit",
            decimals=3,
            background=False,
            steps=house.above(attention=0.0005, bad=0.001),
            no_value="not reconciled",
            targets=[newest(_recorded("events_lost:ratio30d"), "{{cluster}} / {{listener}}")],
        ),
        Stat(
            title="Last outage",
            description="When was the path last broken, in the last seven days?",
            width=6,
            unit="dateTimeFromNow",
            background=False,
            no_value="none in seven days",
            # What lasts, and what was shorter than a minute, can lie between two steps of the week.
            targets=[
                newest(
                    f"1000 * ({_BROKEN} or max_over_time({_BROKEN}[1d:15s]) or max_over_time({_BROKEN}[7d:1m]))",
                    "{{cluster}}",
                )
            ],
        ),
    ]


def _burn() -> list[Panel]:
    return [
        TimeSeries(
            title="How fast the error budget burns",
            description="Will the budget last? At 1, a month. From 14.4 (1 h) someone is called (6: a ticket).",
            width=24,
            low=0,
            limit_line=True,
            steps=house.above(attention=6, bad=14.4),
            no_value="needs the alert rules",
            overrides=palette.by_queries(4),
            targets=[
                query(f"(1 - {_recorded(f'path:avg{window}')}) / {_OBJECTIVE}", f"{{{{cluster}}}} / {window}")
                for window in ("5m", "30m", "1h", "6h")
            ],
        )
    ]


def _nodes() -> list[Panel]:
    node = "{{cluster}} / {{keycloak}}"
    certificate = keycloak.KEYCLOAK_TLS_CERTIFICATE_NOT_AFTER_TIMESTAMP_SECONDS
    return [
        StateTimeline(
            title="Keycloak's checks",
            description="Which of the checks that readiness is made of fails, and since when?",
            width=10,
            mappings=house.words({0: ("DOWN", house.BAD), 1: ("UP", house.GOOD)}),
            no_value="no Keycloak is watched",
            targets=[
                query(now(keycloak.KEYCLOAK_UP, "keycloak"), f"{node}: lives"),
                query(now(keycloak.KEYCLOAK_CHECK, "keycloak", "check"), f"{node}: {{{{check}}}}"),
            ],
        ),
        TimeSeries(
            title="Answer time of Keycloak",
            description="How fast does each node answer? Above 0.5 s it is called slow (dashed line).",
            width=9,
            unit="s",
            low=0,
            limit_line=True,
            steps=house.above(bad=0.5),
            no_value="no Keycloak is watched",
            targets=[query(now(keycloak.KEYCLOAK_RESPONSE_SECONDS, "keycloak", how="min"), node)],
        ),
        Stat(
            title="Keycloak's certificate",
            description="How long is the certificate that Keycloak shows still good?",
            width=5,
            unit="dtdurations",
            decimals=0,
            steps=house.below(attention=14 * 86_400, bad=2 * 86_400),
            no_value="no TLS",
            targets=[newest(f"min by (cluster, keycloak) ({pick(certificate)}) - time()", node)],
        ),
    ]
