"""The metrics of dead-letter queues, declared once for topics and folders alike (standard library only)."""

from __future__ import annotations

from typing import Final

from keywatch.metrics.metric import Metric, MetricKind

_CD: Final = ("cluster", "dlq")

DLQ_UP = Metric(
    "keywatch_dlq_up",
    MetricKind.GAUGE,
    "1 when the dead-letter queue exists and can be read.",
    _CD,
    "dlq",
    health=True,
)
DLQ_RECORDS = Metric(
    "keywatch_dlq_records",
    MetricKind.GAUGE,
    "Dead letters that lie there: records between start and end offsets, or files; unreadable parts as last known.",
    _CD,
    "dlq",
    health=True,
)
DLQ_ADDED_TOTAL = Metric(
    "keywatch_dlq_added_total",
    MetricKind.COUNTER,
    "Dead letters that came since keywatch started, by the reason that they give.",
    (*_CD, "reason"),
    "dlq",
    health=True,
)
DLQ_OLDEST_TIMESTAMP_SECONDS = Metric(
    "keywatch_dlq_oldest_timestamp_seconds",
    MetricKind.GAUGE,
    "When the oldest dead letter that lies there was written, in Unix time; none while the queue is empty.",
    _CD,
    "dlq",
)
DLQ_NEWEST_TIMESTAMP_SECONDS = Metric(
    "keywatch_dlq_newest_timestamp_seconds",
    MetricKind.GAUGE,
    "When the newest dead letter that lies there was written, in Unix time; none while the queue is empty.",
    _CD,
    "dlq",
)
DLQ_UNREADABLE = Metric(
    "keywatch_dlq_unreadable",
    MetricKind.GAUGE,
    "Partitions that could not be read, or files (and what stands in their place) that cannot be.",
    _CD,
    "dlq",
    health=True,
)
DLQ_UNREADABLE_REASON = Metric(
    "keywatch_dlq_unreadable_reason",
    MetricKind.GAUGE,
    "How many of the unreadable ones are so for this reason, 0 for a reason that no longer holds.",
    (*_CD, "reason"),
    "dlq",
)

METRICS: Final[tuple[Metric, ...]] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
"""All of them in the order above."""
