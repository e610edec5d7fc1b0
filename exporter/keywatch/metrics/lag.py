"""Metrics that say what a lag does not: whether one is known, and commits that lie outside of their partition."""

from __future__ import annotations

from typing import Final

from keywatch.metrics.metric import Metric, MetricKind

GROUP_LAG_KNOWN = Metric(
    "keywatch_group_lag_known",
    MetricKind.GAUGE,
    "1 when the group's lag is told; 0 when it has not committed or read anything yet.",
    ("cluster", "group"),
    "groups",
)
GROUP_PARTITIONS_OUT_OF_RANGE = Metric(
    "keywatch_group_partitions_out_of_range",
    MetricKind.GAUGE,
    "Partitions whose committed offset is beyond the end, or before the oldest record kept: records were not read.",
    ("cluster", "group", "topic"),
    "groups",
)

METRICS: Final = (GROUP_LAG_KNOWN, GROUP_PARTITIONS_OUT_OF_RANGE)
