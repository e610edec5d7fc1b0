"""Dead letters: what died, why, how much lies there and since when, and what left again."""

from __future__ import annotations

from keywatch.metrics import dead_letters as has
from keywatch_dashboards import house
from keywatch_dashboards.grafana import Dashboard, Panel, newest, query
from keywatch_dashboards.house import Band, Section
from keywatch_dashboards.panels import Stat, StateTimeline, Table, TimeSeries
from keywatch_dashboards.queries import grown, now, pick, rate

UID = "keywatch-dead-letters"

_DLQ, _NONE = "{{cluster}} / {{dlq}}", "no queue is watched"


def build() -> Dashboard:
    """Make the dashboard."""
    return house.dashboard(
        UID,
        "Dead letters",
        "What died, why, how much lies there and since when, and what left the queue again.",
        [
            Section("Now", [Band(5, _now())]),
            Section("What comes and goes", [Band(8, _depth()), Band(8, _reasons())]),
            Section("Queues", [Band(8, _queues())]),
        ],
        component="dlq",
    )


def _now() -> list[Panel]:
    return [
        Stat(
            title="Dead letters added",
            description="How many events were dead-lettered in the time shown?",
            width=6,
            decimals=0,
            steps=house.above(bad=1),
            no_value=_NONE,
            targets=[newest(grown(has.DLQ_ADDED_TOTAL, "dlq", span="$__range"), _DLQ)],
        ),
        Stat(
            title="Dead letters now",
            description="How many dead letters wait for somebody?",
            width=6,
            steps=house.above(attention=1),
            no_value=_NONE,
            targets=[newest(now(has.DLQ_RECORDS, "dlq"), _DLQ)],
        ),
        Stat(
            title="Oldest dead letter",
            description="Since when does the oldest dead letter wait? After a day a ticket is opened.",
            width=6,
            unit="dateTimeFromNow",
            background=False,
            no_value="all queues are empty",
            targets=[newest(f"1000 * {now(has.DLQ_OLDEST_TIMESTAMP_SECONDS, 'dlq', how='min')}", _DLQ)],
        ),
        Stat(
            title="Unreadable partitions or files",
            description="How many partitions or files could not be read, so that the figures may be too low?",
            width=6,
            steps=house.above(attention=1),
            no_value=_NONE,
            targets=[newest(now(has.DLQ_UNREADABLE, "dlq"), _DLQ)],
        ),
    ]


def _depth() -> list[Panel]:
    return [
        TimeSeries(
            title="Depth of the queue",
            description="Does the queue grow, or does replay empty it?",
            width=12,
            low=0,
            decimals=0,
            no_value=_NONE,
            targets=[query(now(has.DLQ_RECORDS, "dlq"), _DLQ)],
        ),
        TimeSeries(
            title="Removed, in ten minutes",
            description="How many were replayed, deleted or expired: those that came, less what the queue grew by?",
            width=12,
            low=0,
            decimals=0,
            no_value=_NONE,
            targets=[
                query(
                    f"clamp_min({grown(has.DLQ_ADDED_TOTAL, 'dlq', span='10m')} - "
                    f"max by (cluster, dlq) (delta({pick(has.DLQ_RECORDS)}[10m])), 0)",
                    _DLQ,
                )
            ],
        ),
    ]


def _reasons() -> list[Panel]:
    return [
        TimeSeries(
            title="Dead letters added, by reason",
            description="When did dead letters come, and which reason do they give?",
            width=14,
            unit="suffix:dead letters/s",
            low=0,
            stacked=True,
            no_value="none came",
            targets=[query(f"{rate(has.DLQ_ADDED_TOTAL, 'dlq', 'reason')} > 0", f"{_DLQ}: {{{{reason}}}}")],
        ),
        Table(
            title="Reasons, in the time shown",
            description="Which reason is the most frequent?",
            width=10,
            sort="Dead letters",
            no_value="none came",
            targets=[newest(f"{grown(has.DLQ_ADDED_TOTAL, 'reason', span='$__range')} > 0", table=True)],
            transformations=house.renamed({"cluster": "Cluster", "reason": "Reason", "Value": "Dead letters"}),
            overrides=[house.column("Dead letters", decimals=0)],
        ),
    ]


def _queues() -> list[Panel]:
    columns = {
        "Dead letters": now(has.DLQ_RECORDS, "dlq"),
        "Oldest": f"1000 * {now(has.DLQ_OLDEST_TIMESTAMP_SECONDS, 'dlq', how='min')}",
        "Newest": f"1000 * {now(has.DLQ_NEWEST_TIMESTAMP_SECONDS, 'dlq')}",
    }
    return [
        Table(
            title="Queues",
            description="How much lies in each queue, and from when to when is it?",
            width=10,
            sort="Dead letters",
            no_value=_NONE,
            targets=[newest(expr, table=True) for expr in columns.values()],
            transformations=house.joined({"cluster": "Cluster", "dlq": "Queue"}, list(columns)),
            overrides=[house.column(name, unit="dateTimeFromNow") for name in ("Oldest", "Newest")],
        ),
        StateTimeline(
            title="Queues that can be read",
            description="Does each queue exist, and could it be read, and since when not?",
            width=7,
            mappings=house.words({0: ("not read", house.BAD), 1: ("read", house.GOOD)}),
            no_value=_NONE,
            targets=[query(now(has.DLQ_UP, "dlq"), _DLQ)],
        ),
        TimeSeries(
            title="Why some cannot be read",
            description="How many partitions or files cannot be read, by reason?",
            width=7,
            low=0,
            decimals=0,
            stacked=True,
            no_value="all can be read",
            targets=[query(f"{now(has.DLQ_UNREADABLE_REASON, 'dlq', 'reason')} > 0", f"{_DLQ}: {{{{reason}}}}")],
        ),
    ]
