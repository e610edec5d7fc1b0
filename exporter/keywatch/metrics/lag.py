"""Metrics that say what a lag does not: whether one is known, and where a group cannot read on, or reads nothing."""

from __future__ import annotations

from typing import Final

from keywatch.metrics.metric import Metric, MetricKind

_CGT: Final = ("cluster", "group", "topic")

GROUP_LAG_KNOWN = Metric(
    "keywatch_group_lag_known",
    MetricKind.GAUGE,
    "1 when the group's lag is told; 0 when it has not committed or read anything yet. Workers (Connect) have none.",
    ("cluster", "group"),
    "groups",
)
GROUP_PARTITIONS_OUT_OF_RANGE = Metric(
    "keywatch_group_partitions_out_of_range",
    MetricKind.GAUGE,
    "Partitions whose committed offset is beyond the end, or before the oldest record kept: records were not read.",
    _CGT,
    "groups",
)
GROUP_PARTITIONS_UNCOMMITTED = Metric(
    "keywatch_group_partitions_uncommitted",
    MetricKind.GAUGE,
    "Partitions with records, of a topic that the group reads, on which it never committed; part of `…_unknown`.",
    _CGT,
    "groups",
    health=True,
)
GROUP_UNCOMMITTED_RECORDS = Metric(
    "keywatch_group_uncommitted_records",
    MetricKind.GAUGE,
    "Records in those partitions: so many wait at most, as only its members know where it will begin.",
    _CGT,
    "groups",
)
GROUP_PARTITIONS_ASSIGNED_UNCOMMITTED = Metric(
    "keywatch_group_partitions_assigned_uncommitted",
    MetricKind.GAUGE,
    "Those of them that a member is assigned and that were given records since: nothing of these was committed.",
    _CGT,
    "groups",
    health=True,
)
GROUP_LEFT_RECORDS = Metric(
    "keywatch_group_left_records",
    MetricKind.GAUGE,
    "Records behind the group's commits in a topic that none of its members reads any more: they are in no lag.",
    _CGT,
    "groups",
)
GROUP_REWOUND_TIMESTAMP_SECONDS = Metric(
    "keywatch_group_rewound_timestamp_seconds",
    MetricKind.GAUGE,
    "When the group's commits on the topic were last seen to have gone back: it reads those records again.",
    _CGT,
    "groups",
)
GROUP_REWINDS_TOTAL = Metric(
    "keywatch_group_rewinds_total",
    MetricKind.COUNTER,
    "How often the group's commits on the topic went back; beyond 10,000 groups and topics both are `other`.",
    _CGT,
    "groups",
)
GROUP_REWOUND_OFFSETS = Metric(
    "keywatch_group_rewound_offsets",
    MetricKind.GAUGE,
    "By how many offsets they went back then, all partitions together.",
    _CGT,
    "groups",
)
GROUP_WATCHED = Metric(
    "keywatch_group_watched",
    MetricKind.GAUGE,
    "1 for a group that must exist (`groups.watch`): rules call somebody for these, and for those with a limit.",
    ("cluster", "group"),
    "groups",
    health=True,
)

METRICS: Final = (
    GROUP_LAG_KNOWN,
    GROUP_PARTITIONS_OUT_OF_RANGE,
    GROUP_PARTITIONS_UNCOMMITTED,
    GROUP_UNCOMMITTED_RECORDS,
    GROUP_PARTITIONS_ASSIGNED_UNCOMMITTED,
    GROUP_LEFT_RECORDS,
    GROUP_REWINDS_TOTAL,
    GROUP_REWOUND_TIMESTAMP_SECONDS,
    GROUP_REWOUND_OFFSETS,
    GROUP_WATCHED,
)
