"""Panels of the canary: do records cross each broker, how fast, and what went wrong with them?"""

from __future__ import annotations

from keywatch.metrics import canary as sent
from keywatch_dashboards import house, palette
from keywatch_dashboards.grafana import Panel, heat, newest, query
from keywatch_dashboards.panels import Heatmap, Stat, TimeSeries
from keywatch_dashboards.queries import buckets, grown, now, quantile, rate

_BROKER = "{{cluster}} / {{broker}}"


def crossing() -> list[Panel]:
    """Draw how long records need to cross."""
    return [
        Heatmap(
            title="Round trips",
            description="How long do canary records take from producing to consuming, all brokers together?",
            width=12,
            unit="s",
            no_value="canary is off",
            targets=[heat(buckets(sent.CANARY_ROUND_TRIP_SECONDS))],
        ),
        TimeSeries(
            title="Round trips by broker",
            description="Which broker is slow? Half of the records, and 99 of 100 (dashed), need at most this long.",
            width=12,
            unit="s",
            low=0,
            limit_line=True,
            steps=house.above(bad=1),
            no_value="canary is off",
            overrides=[
                *palette.by_broker(),
                house.by_query("B", custom__lineStyle={"dash": [4, 6], "fill": "dash"}),
            ],
            targets=[
                query(quantile(0.5, sent.CANARY_ROUND_TRIP_SECONDS, "broker"), f"{_BROKER} half"),
                query(quantile(0.99, sent.CANARY_ROUND_TRIP_SECONDS, "broker"), f"{_BROKER} 99 %"),
            ],
        ),
    ]


def lost() -> list[Panel]:
    """Draw what went wrong with records."""
    return [
        Stat(
            title="Records lost",
            description="How many canary records did Kafka acknowledge and lose in the time shown? Any is a real loss.",
            width=4,
            steps=house.above(bad=1),
            decimals=0,
            no_value="canary is off",
            targets=[newest(grown(sent.CANARY_RECORDS_LOST_TOTAL, span="$__range"), "{{cluster}}")],
        ),
        Stat(
            title="Canary topic",
            description="May keywatch give each broker a partition of the canary's topic to lead?",
            width=4,
            mappings=house.words({0: ("refused", house.ATTENTION), 1: ("kept", house.GOOD)}),
            no_value="canary is off",
            targets=[newest(now(sent.CANARY_TOPIC_KEPT, how="min"), "{{cluster}}")],
        ),
        TimeSeries(
            title="Canary records: failed, duplicated, reordered",
            description="What went wrong with canary records, by reason?",
            width=8,
            unit="suffix:records/s",
            low=0,
            stacked=True,
            no_value="nothing went wrong",
            targets=[
                query(f"{rate(sent.CANARY_FAILURES_TOTAL, 'reason')} > 0", "{{cluster}} / {{reason}}"),
                query(f"{rate(sent.CANARY_RECORDS_DUPLICATED_TOTAL)} > 0", "{{cluster}} / came twice"),
                query(f"{rate(sent.CANARY_RECORDS_REORDERED_TOTAL)} > 0", "{{cluster}} / out of order"),
            ],
        ),
        TimeSeries(
            title="Newest round trip by broker",
            description="How long did the newest record need? Above 1 s it is called slow (dashed line).",
            width=8,
            unit="s",
            low=0,
            limit_line=True,
            steps=house.above(bad=1),
            no_value="canary is off",
            overrides=palette.by_broker(),
            targets=[query(now(sent.CANARY_LAST_ROUND_TRIP_SECONDS, "broker", how="min"), _BROKER)],
        ),
    ]
