"""Consumers: which group is behind, by how much against its limit, and whether it catches up."""

from __future__ import annotations

from keywatch.metrics import groups as has
from keywatch.metrics import lag as lag_metrics
from keywatch.metrics import members, retention
from keywatch.metrics.metric import Metric
from keywatch_dashboards import house
from keywatch_dashboards.grafana import Dashboard, Json, Panel, Step, newest, query
from keywatch_dashboards.house import CLUSTER, Band, Section
from keywatch_dashboards.panels import Stat, StateTimeline, Table, TimeSeries
from keywatch_dashboards.queries import Q, now, pick

UID = "keywatch-consumers"

_G = 'group=~"$group"'
_GROUP = "{{cluster}} / {{group}}"
_NONE = "no groups"


def build() -> Dashboard:
    """Make the dashboard."""
    return house.dashboard(
        UID,
        "Consumers",
        "Which group is behind, by how much against its limit, since when, and whether it catches up.",
        [
            Section("Now", [Band(4, _now()), Band(9, [_table()])]),
            Section("Lag", [Band(9, _lag()), Band(8, _trend()), Band(8, [_retention()])]),
            Section("States", [Band(8, _states()), Band(8, _beside()), Band(7, [_verdict(), _rewound()])]),
            Section("Partitions and members, of the chosen groups", [Band(9, _partitions())], closed=True),
        ],
        component="consumers",
        variables=(CLUSTER, house.label_variable("group", pick(has.GROUP_UP))),
    )


def _over(lag: Metric, limit: Metric) -> str:
    return f"sum({now(lag, 'group', where=_G)} > bool {now(limit, 'group', where=_G)})"


def _stat(title: str, question: str, expr: str, nothing: str, *, critical: bool = True) -> Panel:
    return Stat(
        title=title,
        description=question,
        width=4,
        steps=house.above(bad=1) if critical else house.above(attention=1),
        no_value=nothing,
        targets=[newest(expr, title)],
    )


def _now() -> list[Panel]:
    alone = f"{now(has.GROUP_MEMBERS, 'group', where=_G)} == 0"
    empty = f"count({alone} and {now(has.GROUP_LAG_RECORDS, 'group', where=_G)} > 0)"
    return [
        _stat(
            "Lag over limit, records",
            "How many groups have more records left than their limit?",
            _over(has.GROUP_LAG_RECORDS, has.GROUP_LAG_RECORDS_LIMIT),
            "no limits set",
        ),
        _stat(
            "Lag over limit, seconds",
            "How many groups have an older record left than their limit?",
            _over(has.GROUP_LAG_SECONDS, has.GROUP_LAG_SECONDS_LIMIT),
            "no limits set",
        ),
        _stat("Lag without members", "How many groups have records left and no member?", empty, "none"),
        _stat(
            "Groups unreadable",
            "For how many groups does no coordinator answer, so that what is shown is what was last known?",
            f"sum(1 - {now(has.GROUP_UP, 'group', where=_G)})",
            _NONE,
            critical=False,
        ),
        _stat(
            "Partitions unknown",
            "For how many partitions could the end or the commit not be read, so that lags may be too low?",
            f"sum({now(has.GROUP_PARTITIONS_UNKNOWN, 'group', 'topic', where=_G)})",
            _NONE,
            critical=False,
        ),
        _stat(
            "Commits out of range",
            "For how many partitions is the commit beyond the end, or its records deleted before they were read?",
            f"sum({now(lag_metrics.GROUP_PARTITIONS_OUT_OF_RANGE, 'group', 'topic', where=_G)})",
            _NONE,
        ),
    ]


def _table() -> Panel:
    def total(metric: Metric) -> str:
        return f"sum by (cluster, group) ({now(metric, 'group', 'topic', where=_G)})"

    columns = {
        "Lag, records": total(has.GROUP_LAG_RECORDS),
        "Limit, records": now(has.GROUP_LAG_RECORDS_LIMIT, "group", where=_G),
        "Lag, time": now(has.GROUP_LAG_SECONDS, "group", where=_G),
        "Limit, time": now(has.GROUP_LAG_SECONDS_LIMIT, "group", where=_G),
        "Members": now(has.GROUP_MEMBERS, "group", where=_G),
        "Read": now(has.GROUP_UP, "group", where=_G),
        "Commits": now(lag_metrics.GROUP_LAG_KNOWN, "group", where=_G),
        "Must exist": now(lag_metrics.GROUP_WATCHED, "group", where=_G),
    }
    return Table(
        title="Groups",
        description="Which group is behind, by how much, against which limit, and does anybody read?",
        sort="Lag, time",
        no_value=_NONE,
        targets=[newest(expr, table=True) for expr in columns.values()],
        transformations=house.joined({"cluster": "Cluster", "group": "Group"}, list(columns)),
        overrides=[
            *(house.column(name, unit="s") for name in ("Lag, time", "Limit, time")),
            house.coloured("Members", thresholds=house.limits([Step(house.ATTENTION), Step("transparent", 1)])),
            house.coloured("Read", mappings=house.words(house.YES_NO)),
            house.column("Must exist", mappings=house.words({1: ("yes", house.GOOD)})),
            house.coloured("Commits", mappings=house.words({0: ("never", house.ATTENTION), 1: ("yes", house.GOOD)})),
        ],
    )


def _retention() -> Panel:
    left = now(retention.GROUP_RETENTION_LEFT_SECONDS, "group", "topic", where=_G)
    return TimeSeries(
        title="Time until unread records are deleted",
        description="How soon may the topic's retention delete the oldest record that the group has not read? "
        "Dashed: the limit; without a fill: all that the topic keeps.",
        unit="s",
        low=0,
        no_value="no topic that deletes by age is read",
        overrides=[_dashed("B"), house.by_query("C", custom__fillOpacity=0)],
        targets=[
            query(left, "{{cluster}} / {{group}} / {{topic}}"),
            query(now(retention.GROUP_RETENTION_LEFT_SECONDS_LIMIT, "group", where=_G), f"{_GROUP} limit"),
            query(now(retention.TOPIC_RETENTION_SECONDS, "topic"), "{{cluster}} / {{topic}} keeps"),
        ],
    )


def _dashed(letter: str) -> Json:
    style = {"dash": [8, 8], "fill": "dash"}
    return house.by_query(letter, custom__lineStyle=style, custom__fillOpacity=0, color=house.fixed(house.BAD))


def _lag() -> list[Panel]:
    dashed = _dashed("B")
    return [
        TimeSeries(
            title="Lag in seconds",
            description="How long has the oldest record waited that a group has not committed? Dashed: its limit.",
            width=12,
            unit="s",
            low=0,
            no_value=_NONE,
            overrides=[dashed],
            targets=[
                query(now(has.GROUP_LAG_SECONDS, "group", where=_G), _GROUP),
                query(now(has.GROUP_LAG_SECONDS_LIMIT, "group", where=_G), f"{_GROUP} limit"),
            ],
        ),
        TimeSeries(
            title="Lag in records",
            description="How many records has each group not committed? Dashed: its limit.",
            width=12,
            low=0,
            no_value=_NONE,
            overrides=[dashed],
            targets=[
                query(
                    f"sum by (cluster, group) ({now(has.GROUP_LAG_RECORDS, 'group', 'topic', where=_G)})",
                    _GROUP,
                ),
                query(now(has.GROUP_LAG_RECORDS_LIMIT, "group", where=_G), f"{_GROUP} limit"),
            ],
        ),
    ]


def _trend() -> list[Panel]:
    lag = f"sum by (cluster, group) ({now(has.GROUP_LAG_RECORDS, 'group', 'topic', where=_G)})"
    slope = f"sum by (cluster, group) (max by (cluster, group, topic) (deriv({pick(has.GROUP_LAG_RECORDS, _G)}[5m])))"
    return [
        Table(
            title="Top 10 by lag in seconds",
            description="Whom does it hurt most, by the age of the oldest record left?",
            width=8,
            sort="Lag, time",
            no_value=_NONE,
            targets=[newest(f"topk(10, {now(has.GROUP_LAG_SECONDS, 'group', 'topic', where=_G)})", table=True)],
            transformations=house.renamed(
                {"cluster": "Cluster", "group": "Group", "topic": "Topic", "Value": "Lag, time"}
            ),
            overrides=[
                house.coloured(
                    "Lag, time", unit="s", thresholds=house.limits(house.above(attention=60, bad=300)), decimals=0
                )
            ],
        ),
        TimeSeries(
            title="Time to catch up",
            description="When will a group have caught up, at the pace of the last five minutes? No line: it does not.",
            width=8,
            unit="s",
            low=0,
            no_value="no group catches up now",
            targets=[query(f"{lag} / -({slope} < 0) and {lag} > 0", _GROUP)],
        ),
        TimeSeries(
            title="Lag growth",
            description="How many records a second does each group lose against the producers? Below 0 it catches up.",
            width=8,
            unit="suffix:records/s",
            no_value=_NONE,
            targets=[query(slope, _GROUP)],
        ),
    ]


def _states() -> list[Panel]:
    state = pick(has.GROUP_STATE, f'{_G}, state="XXX"')
    calm = f"(max by (cluster, group) ({state.replace('XXX', 'Stable')}) == 1)"
    empty = f"(max by (cluster, group) ({state.replace('XXX', 'Empty')}) == 1) * 2"
    moving = pick(has.GROUP_STATE, f'{_G}, state=~"PreparingRebalance|CompletingRebalance|Assigning|Reconciling"')
    moves = f"(max by (cluster, group) ({moving}) == 1) * 3"
    rest = f"(max by (cluster, group) ({pick(has.GROUP_STATE, _G)}) == 1) * 4"
    return [
        StateTimeline(
            title="State of groups",
            description="Is a group stable, without members, or for ever rebalancing, and since when?",
            width=14,
            mappings=house.words(
                {
                    1: ("stable", house.GOOD),
                    2: ("empty", "purple"),
                    3: ("rebalancing", house.ATTENTION),
                    4: ("other", house.UNKNOWN),
                }
            ),
            no_value=_NONE,
            targets=[query(f"{calm}\nor {empty}\nor {moves}\nor {rest}", _GROUP)],
        ),
        TimeSeries(
            title="Members",
            description="How many members does each group have, and when did some leave?",
            width=10,
            low=0,
            decimals=0,
            no_value=_NONE,
            targets=[query(now(has.GROUP_MEMBERS, "group", where=_G), _GROUP)],
        ),
    ]


def _beside() -> list[Panel]:
    by = ("group", "topic")
    legend = "{{group}} / {{topic}}"
    return [
        TimeSeries(
            title="Partitions without a committed offset",
            description="On how many partitions with records did a group never commit? Filled: a member has them.",
            width=12,
            low=0,
            decimals=0,
            no_value="none",
            overrides=[house.by_query("A", custom__fillOpacity=0)],
            targets=[
                query(now(lag_metrics.GROUP_PARTITIONS_UNCOMMITTED, *by, where=_G), legend),
                query(now(lag_metrics.GROUP_PARTITIONS_ASSIGNED_UNCOMMITTED, *by, where=_G), f"{legend} assigned"),
            ],
        ),
        TimeSeries(
            title="Records outside any lag: uncommitted, left topics",
            description="How many records wait, at most, without a commit; and how many in topics that a group left?",
            width=12,
            low=0,
            no_value="none",
            targets=[
                query(now(lag_metrics.GROUP_UNCOMMITTED_RECORDS, *by, where=_G), f"{legend} without a commit"),
                query(now(lag_metrics.GROUP_LEFT_RECORDS, *by, where=_G), f"{legend} left"),
            ],
        ),
    ]


def _verdict() -> Panel:
    meanings = {
        "unknown": ("not known", house.UNKNOWN),
        "rewound": ("rewound", "purple"),
        "without_members": ("without members", house.BAD),
        "stuck": ("stuck", house.BAD),
        "late": ("late", house.ATTENTION),
        "stopped": ("stopped, all read", "purple"),
        "ok": ("ok", house.GOOD),
    }
    expr = "\nor ".join(
        f"({now(has.GROUP_VERDICT, 'group', where=f'{_G}, verdict={chr(34)}{name}{chr(34)}')} == 1) * {number}"
        for number, name in enumerate(meanings, start=1)
    )
    return StateTimeline(
        title="What each group is",
        description="Is a group well, late, stuck, without members, or did it go back, and since when?",
        width=14,
        mappings=house.words(dict(enumerate(meanings.values(), start=1))),
        no_value=_NONE,
        targets=[query(expr, _GROUP)],
    )


def _rewound() -> Panel:
    by = ("group", "topic")
    lately = f"time() - {now(lag_metrics.GROUP_REWOUND_TIMESTAMP_SECONDS, *by, where=_G)} < 300"
    return TimeSeries(
        title="Commits that went back",
        description="Which group reads records again, because its offsets were reset, and how many? For five minutes.",
        width=10,
        low=0,
        decimals=0,
        no_value="none",
        targets=[
            query(
                f"{now(lag_metrics.GROUP_REWOUND_OFFSETS, *by, where=_G)}\nand {lately}",
                "{{cluster}} / {{group}} / {{topic}}",
            )
        ],
    )


def _partitions() -> list[Panel]:
    by, who = ("group", "topic", "partition"), ("group", "client_id", "client_host")
    committed = (
        f"max by (cluster, group, topic, partition) (rate({pick(has.GROUP_PARTITION_COMMITTED_OFFSET, _G)}[{Q}]))"
    )
    legend = "{{group}} / {{topic}} / {{partition}}"
    return [
        TimeSeries(
            title="Lag by partition",
            description="Is the lag in one partition only, as with a poisonous record or a hot key?",
            width=8,
            low=0,
            no_value="not exported",
            targets=[query(f"topk(20, {now(has.GROUP_PARTITION_LAG_RECORDS, *by, where=_G)} > 0)", legend)],
        ),
        TimeSeries(
            title="Commit rate by partition",
            description="Does the commit of each partition with a lag still move?",
            width=8,
            unit="suffix:records/s",
            low=0,
            no_value="not exported",
            targets=[
                query(
                    f"topk(20, {committed} and {now(has.GROUP_PARTITION_LAG_RECORDS, *by, where=_G)} > 0)",
                    legend,
                )
            ],
        ),
        TimeSeries(
            title="Lag by member",
            description="Which member, by client id and host, has the partitions with the lag?",
            width=8,
            low=0,
            no_value="not exported (groups.members)",
            targets=[
                query(
                    f"topk(20, {now(members.GROUP_MEMBER_LAG_RECORDS, *who, where=_G)})",
                    "{{group}} / {{client_id}} / {{client_host}}",
                )
            ],
        ),
    ]
