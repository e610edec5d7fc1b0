"""Panels of partitions and topics: which do not work as they should, and who leads?"""

from __future__ import annotations

from keywatch.metrics import cluster as has
from keywatch.metrics import retention as promised
from keywatch.metrics.metric import Metric
from keywatch_dashboards import house, palette
from keywatch_dashboards.grafana import Panel, Step, newest, query
from keywatch_dashboards.panels import StateTimeline, Table, TimeSeries
from keywatch_dashboards.queries import now

_BROKER = "{{cluster}} / {{broker}}"


def partitions() -> list[Panel]:
    """Draw which partitions do not work, and who leads."""

    def total(metric: Metric) -> str:
        return f"sum by (cluster) ({now(metric, 'topic')})"

    return [
        TimeSeries(
            title="Partitions offline, below min ISR, electing, under-replicated",
            description="How many partitions are offline, refuse writes, elect or under-replicated, and since when?",
            width=14,
            low=0,
            decimals=0,
            no_value="no topics known",
            overrides=[
                house.by_query(name, color=house.fixed(color))
                for name, color in zip("ABCDE", (house.BAD, house.ATTENTION, *palette.SERIES[:3]), strict=True)
            ],
            targets=[
                query(total(has.TOPIC_PARTITIONS_OFFLINE), "{{cluster}} / offline"),
                query(total(has.TOPIC_PARTITIONS_BELOW_MIN_ISR), "{{cluster}} / below min ISR"),
                query(total(has.TOPIC_PARTITIONS_ELECTING), "{{cluster}} / electing"),
                query(total(has.TOPIC_PARTITIONS_UNDER_REPLICATED), "{{cluster}} / under-replicated"),
                query(total(has.TOPIC_PARTITIONS_UNREAD), "{{cluster}} / offsets not read"),
            ],
        ),
        TimeSeries(
            title="Partitions led by each broker",
            description="Is leadership spread evenly, and where did it go when a broker died? Broker -1: nobody leads.",
            width=10,
            low=0,
            decimals=0,
            no_value="no partitions known",
            overrides=palette.by_broker(),
            targets=[
                query(
                    f'count_values by (cluster) ("broker", {now(has.PARTITION_LEADER, "topic", "partition")})', _BROKER
                )
            ],
        ),
    ]


def settings() -> list[Panel]:
    """Draw which settings are not what the configuration demands, and since when, and what was lost by them."""
    lately = f"time() - {now(promised.TOPIC_UNCLEAN_ELECTION_TIMESTAMP_SECONDS, 'topic')} < bool 900"
    return [
        StateTimeline(
            title="Settings that are not as expected",
            description="Which setting of which topic is not what topics.expect demands, and since when?",
            width=14,
            mappings=house.words({0: ("not as expected", house.ATTENTION)}),
            no_value="all as expected, or nothing is expected",
            targets=[
                query(
                    f"{now(promised.TOPIC_AS_EXPECTED, 'topic', 'setting')} == 0",
                    "{{cluster}} / {{topic}} / {{setting}}",
                )
            ],
        ),
        StateTimeline(
            title="Unclean elections",
            description="Of which topic did a replica come to lead that lacked records, within the last 15 minutes?",
            width=10,
            mappings=house.words({1: ("records lost", house.BAD)}),
            no_value="none was seen",
            targets=[query(f"({lately}) == 1", "{{cluster}} / {{topic}}")],
        ),
    ]


def topics() -> list[Panel]:
    """List the topics, the hurt ones first."""
    columns = {
        "Exists": has.TOPIC_EXISTS,
        "Partitions": has.TOPIC_PARTITIONS,
        "Offline": has.TOPIC_PARTITIONS_OFFLINE,
        "Below min ISR": has.TOPIC_PARTITIONS_BELOW_MIN_ISR,
        "Electing": has.TOPIC_PARTITIONS_ELECTING,
        "Under-replicated": has.TOPIC_PARTITIONS_UNDER_REPLICATED,
        "Offsets not read": has.TOPIC_PARTITIONS_UNREAD,
        "Replicas": promised.TOPIC_REPLICATION_FACTOR,
        "min ISR": has.TOPIC_MIN_INSYNC_REPLICAS,
        "Kept": promised.TOPIC_RETENTION_SECONDS,
        "Unclean elections": promised.TOPIC_UNCLEAN_LEADER_ELECTION,
    }
    bad = house.limits(house.above(bad=1))
    return [
        Table(
            title="Topics",
            description="Which topic is hurt? Watched topics that are missing say so in the column Exists.",
            sort="Offline",
            no_value="none",
            targets=[newest(now(metric, "topic"), table=True) for metric in columns.values()],
            transformations=house.joined({"cluster": "Cluster", "topic": "Topic"}, list(columns)),
            overrides=[
                house.column("Topic", custom__width=190),
                house.coloured(
                    "Exists",
                    mappings=house.words(house.YES_NO),
                    noValue="not watched",
                    thresholds=house.limits([Step("transparent")]),
                ),
                house.column("Kept", unit="s"),
                house.coloured(
                    "Unclean elections", mappings=house.words({0: ("no", house.GOOD), 1: ("allowed", house.ATTENTION)})
                ),
                *(house.coloured(name, thresholds=bad) for name in ("Offline", "Below min ISR")),
                *(
                    house.coloured(name, thresholds=house.limits(house.above(attention=1)))
                    for name in ("Electing", "Under-replicated", "Offsets not read")
                ),
            ],
        )
    ]
