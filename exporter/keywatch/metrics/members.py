"""The metrics of what single members of consumer groups are behind with (standard library only)."""

from __future__ import annotations

from typing import Final

from keywatch.metrics.metric import Metric, MetricKind

_MEMBER: Final = ("cluster", "group", "client_id", "client_host")

GROUP_MEMBER_LAG_RECORDS = Metric(
    "keywatch_group_member_lag_records",
    MetricKind.GAUGE,
    "Records not yet committed of the partitions that are assigned to members of this client id on this host.",
    _MEMBER,
    "groups",
)
GROUP_MEMBER_PARTITIONS = Metric(
    "keywatch_group_member_partitions",
    MetricKind.GAUGE,
    "Partitions that are assigned to members of this client id on this host.",
    _MEMBER,
    "groups",
)
