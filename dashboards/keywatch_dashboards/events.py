"""Events: do all arrive that Keycloak counted, how late, and what is wrong with those that do."""

from __future__ import annotations

from keywatch.metrics import events as has
from keywatch.metrics import reconciliation as counted
from keywatch.metrics.metric import Metric
from keywatch_dashboards import house, palette
from keywatch_dashboards.grafana import Dashboard, Panel, heat, newest, query
from keywatch_dashboards.house import CLUSTER, Band, Section
from keywatch_dashboards.panels import Heatmap, Stat, StateTimeline, Table, TimeSeries
from keywatch_dashboards.queries import buckets, grown, now, quantile, rate

UID = "keywatch-events"

_WHERE = 'listener=~"$listener"'
_LISTENER = "{{cluster}} / {{listener}}"
_KIND = "{{realm}} / {{event}} / {{outcome}}"
_NONE = "no listener is watched"


def build() -> Dashboard:
    """Make the dashboard."""
    return house.dashboard(
        UID,
        "Events",
        "Do all events arrive that Keycloak counted, how late are they, and what is wrong with those that arrive.",
        [
            Section("Now", [Band(4, _now())]),
            Section("Counted by Keycloak, and arrived", [Band(8, _arrive()), Band(8, _missing())]),
            Section("Delay", [Band(8, _late())]),
            Section("By realm and type, and logins that fail", [Band(8, _kinds())]),
            Section("What is wrong with records", [Band(8, _wrong())]),
            Section("keywatch's own view of the listener's topics", [Band(8, _view())], closed=True),
        ],
        component="events|keycloak",
        variables=(CLUSTER, house.label_variable("listener", f'{has.EVENTS_UP}{{cluster=~"$cluster"}}')),
    )


def _rate(metric: Metric, *by: str, where: str = _WHERE) -> str:
    return rate(metric, *by, where=where)


def _stat(title: str, question: str, expr: str, *, nothing: str = _NONE, critical: bool = True) -> Panel:
    return Stat(
        title=title,
        description=question,
        width=4,
        decimals=0,
        steps=house.above(bad=1) if critical else house.above(attention=1),
        no_value=nothing,
        targets=[newest(expr, title)],
    )


def _now() -> list[Panel]:
    labels = ("listener", "realm", "event", "outcome")
    return [
        _stat(
            "Missing now",
            "How many events did Keycloak count that should be here by now and are not?",
            f"sum({now(counted.EVENTS_MISSING, *labels, where=_WHERE)})",
            nothing="not reconciled",
        ),
        _stat(
            "Lost",
            "How many events were given up in the time shown, because no producer tries any more?",
            f"sum({grown(counted.EVENTS_LOST_TOTAL, where=_WHERE, span='$__range')})",
            nothing="not reconciled",
        ),
        _stat(
            "Malformed",
            "How many records in the listener's topics were no events in the time shown?",
            f"sum({grown(has.EVENTS_MALFORMED_TOTAL, where=_WHERE, span='$__range')})",
            critical=False,
        ),
        _stat(
            "Events deleted unread",
            "How many records did Kafka delete in the time shown before keywatch had read them?",
            f"sum({grown(has.EVENTS_SKIPPED_RECORDS_TOTAL, where=_WHERE, span='$__range')})",
        ),
        Stat(
            title="Newest event",
            description="How long is each listener silent already?",
            width=4,
            unit="dateTimeFromNow",
            background=False,
            no_value="none has come",
            targets=[newest(f"1000 * {now(has.EVENT_LAST_TIMESTAMP_SECONDS, 'listener', where=_WHERE)}", _LISTENER)],
        ),
        Stat(
            title="Last reconciled, ago",
            description="How long ago was everything looked for that Keycloak counted? After 300 s a ticket is opened.",
            width=4,
            unit="s",
            decimals=0,
            steps=house.above(attention=60, bad=300),
            no_value="not reconciled",
            targets=[
                newest(f"time() - {now(counted.EVENTS_JUDGED_TIMESTAMP_SECONDS, 'listener', where=_WHERE)}", _LISTENER)
            ],
        ),
    ]


def _arrive() -> list[Panel]:
    return [
        TimeSeries(
            title="Events a second",
            description="Do the events arrive that Keycloak counts? Both lines should be one.",
            width=16,
            unit="suffix:events/s",
            low=0,
            no_value=_NONE,
            overrides=palette.by_queries(2),
            targets=[
                query(_rate(counted.EVENTS_COUNTED_TOTAL, "listener"), f"{_LISTENER}: counted by Keycloak"),
                query(_rate(has.EVENTS_RECEIVED_TOTAL, "listener"), f"{_LISTENER}: arrived"),
            ],
        ),
        StateTimeline(
            title="Topics of listeners that can be read",
            description="Could every partition of the listener's topics be read, and did keywatch keep up?",
            width=8,
            mappings=house.words({0: ("not all", house.BAD), 1: ("all", house.GOOD)}),
            no_value=_NONE,
            targets=[query(now(has.EVENTS_UP, "listener", where=_WHERE), _LISTENER)],
        ),
    ]


def _missing() -> list[Panel]:
    labels = ("listener", "realm", "event", "outcome")
    missing = f"sum by (cluster, listener) ({now(counted.EVENTS_MISSING, *labels, where=_WHERE)})"
    return [
        TimeSeries(
            title="Missing events",
            description="How many events are missing, since when, and above which limit (dashed) is someone called?",
            width=8,
            low=0,
            decimals=0,
            no_value="not reconciled",
            overrides=[
                house.by_query(
                    "B",
                    custom__lineStyle={"dash": [8, 8], "fill": "dash"},
                    custom__fillOpacity=0,
                    color=house.fixed(house.BAD),
                )
            ],
            targets=[
                query(missing, _LISTENER),
                query(now(counted.EVENTS_MISSING_LIMIT, "listener", where=_WHERE), f"{_LISTENER}: limit"),
            ],
        ),
        Table(
            title="Missing by realm, event and outcome",
            description="Which events are missing now?",
            width=8,
            sort="Missing",
            no_value="none is missing",
            targets=[
                newest(f"topk(10, {now(counted.EVENTS_MISSING, *labels[1:], where=_WHERE)} > 0)", table=True),
            ],
            transformations=house.renamed(
                {"cluster": "Cluster", "realm": "Realm", "event": "Event", "outcome": "Outcome", "Value": "Missing"}
            ),
            overrides=[house.coloured("Missing", thresholds=house.limits(house.above(bad=1)))],
        ),
        TimeSeries(
            title="Lost, and arrived uncounted",
            description="How many were given up, and how many arrived though Keycloak never counted them?",
            width=8,
            unit="suffix:events/s",
            low=0,
            stacked=True,
            no_value="none",
            targets=[
                query(f"{_rate(counted.EVENTS_LOST_TOTAL, 'realm', 'event', 'outcome')} > 0", f"lost: {_KIND}"),
                query(
                    f"{_rate(counted.EVENTS_UNCOUNTED_TOTAL, 'realm', 'event', 'outcome')} > 0", f"uncounted: {_KIND}"
                ),
            ],
        ),
    ]


def _late() -> list[Panel]:
    return [
        Heatmap(
            title="Delivery delay",
            description="How long after the event was its record written, by the record's own timestamp?",
            width=8,
            unit="s",
            no_value="no event came",
            targets=[heat(buckets(has.EVENT_DELIVERY_DELAY_SECONDS, _WHERE))],
        ),
        Heatmap(
            title="Arrival delay",
            description="How long after the event could it be read, by keywatch's clock?",
            width=8,
            unit="s",
            no_value="no event came",
            targets=[heat(buckets(has.EVENT_ARRIVAL_DELAY_SECONDS, _WHERE))],
        ),
        TimeSeries(
            title="Arrival delay, half and 99 %",
            description="When have half of the events arrived, and 99 of 100 (dashed)? Above 10 s they are late.",
            width=8,
            unit="s",
            low=0,
            no_value="no event came",
            overrides=[house.by_query("B", custom__lineStyle={"dash": [4, 6], "fill": "dash"})],
            targets=[
                query(quantile(0.5, has.EVENT_ARRIVAL_DELAY_SECONDS, "listener", where=_WHERE), f"{_LISTENER}: half"),
                query(quantile(0.99, has.EVENT_ARRIVAL_DELAY_SECONDS, "listener", where=_WHERE), f"{_LISTENER}: 99 %"),
            ],
        ),
    ]


def _kinds() -> list[Panel]:
    failed = 'keycloak_user_events_total{job="keycloak", event="login", error!=""}'
    logins = 'keycloak_user_events_total{job="keycloak", event="login"}'
    return [
        TimeSeries(
            title="Arrived, by realm and event",
            description="Which realm and which kind of event makes the traffic, and did one fall silent?",
            width=8,
            unit="suffix:events/s",
            low=0,
            stacked=True,
            no_value="no event came",
            targets=[query(f"topk(12, {_rate(has.EVENTS_RECEIVED_TOTAL, 'realm', 'event', 'outcome')})", _KIND)],
        ),
        TimeSeries(
            title="Logins that fail, by error",
            description="Why do logins fail, by Keycloak's own count: an attack, or a client that is set up wrongly?",
            width=8,
            unit="suffix:events/s",
            low=0,
            stacked=True,
            no_value="no login failed",
            targets=[query(f"sum by (realm, error) (rate({failed}[$__rate_interval])) > 0", "{{realm}} / {{error}}")],
        ),
        TimeSeries(
            title="Share of logins that fail",
            description="Which share of a realm's logins fails? From one half on a ticket is opened (dashed line).",
            width=8,
            unit="percentunit",
            low=0,
            high=1,
            limit_line=True,
            steps=house.above(attention=0.5),
            no_value="nobody logs in",
            targets=[
                query(
                    f"(sum by (realm) (rate({failed}[$__rate_interval])) "
                    f"or 0 * sum by (realm) (rate({logins}[$__rate_interval]))) / "
                    f"sum by (realm) (rate({logins}[$__rate_interval]))",
                    "{{realm}}",
                )
            ],
        ),
    ]


def _wrong() -> list[Panel]:
    return [
        TimeSeries(
            title="Records that are no events",
            description="How many records could not be read as events, and why?",
            width=8,
            unit="suffix:events/s",
            low=0,
            stacked=True,
            no_value="all records are events",
            targets=[
                query(f"{_rate(has.EVENTS_MALFORMED_TOTAL, 'listener', 'reason')} > 0", f"{_LISTENER}: {{{{reason}}}}")
            ],
        ),
        TimeSeries(
            title="Duplicates, odd keys, odd clocks",
            description="How many events come twice, with a key of another writer, or from the future?",
            width=8,
            unit="suffix:events/s",
            low=0,
            stacked=True,
            no_value="nothing is odd",
            overrides=palette.by_queries(4),
            targets=[
                query(f"{_rate(metric, 'listener')} > 0", f"{_LISTENER}: {name}")
                for name, metric in {
                    "came twice": has.EVENTS_DUPLICATED_TOTAL,
                    "unexpected key": has.EVENTS_KEY_UNEXPECTED_TOTAL,
                    "from the future": has.EVENTS_CLOCK_SKEWED_TOTAL,
                    "deleted before they were read": has.EVENTS_SKIPPED_RECORDS_TOTAL,
                }.items()
            ],
        ),
        TimeSeries(
            title="Keycloak's clock",
            description="How far is each node's clock ahead of keywatch's? From 5 s on delays cannot be trusted.",
            width=8,
            unit="s",
            limit_line=True,
            steps=house.above(bad=5),
            no_value="not reconciled",
            targets=[query(now(counted.KEYCLOAK_CLOCK_SKEW_SECONDS, "keycloak"), "{{cluster}} / {{keycloak}}")],
        ),
    ]


def _view() -> list[Panel]:
    return [
        TimeSeries(
            title="Records that keywatch has not read yet",
            description="Does keywatch itself keep up, and are there partitions that it cannot read?",
            width=12,
            low=0,
            decimals=0,
            no_value=_NONE,
            overrides=palette.by_queries(3),
            targets=[
                query(now(has.EVENTS_BEHIND_RECORDS, "listener", where=_WHERE), f"{_LISTENER}: records behind"),
                query(now(has.EVENTS_PARTITIONS_UNREAD, "listener", where=_WHERE), f"{_LISTENER}: partitions not read"),
                query(now(has.EVENTS_PARTITIONS, "listener", where=_WHERE), f"{_LISTENER}: partitions"),
            ],
        ),
        TimeSeries(
            title="Bytes of events",
            description="How much do the listener's topics grow?",
            width=12,
            unit="Bps",
            low=0,
            no_value=_NONE,
            targets=[query(_rate(has.EVENTS_BYTES_TOTAL, "listener"), _LISTENER)],
        ),
    ]
