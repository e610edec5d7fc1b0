"""The metrics of the records that keywatch itself sends through each broker (standard library only)."""

from __future__ import annotations

from typing import Final

from keywatch.metrics.metric import Metric, MetricKind

_C: Final = ("cluster",)
_CB: Final = ("cluster", "broker")

# A record that needs 5 s breaks the promise.
_ROUND_TRIP_BUCKETS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

CANARY_UP = Metric(
    "keywatch_canary_up",
    MetricKind.GAUGE,
    "1 when the last record sent through the broker with acks=all was read back in time.",
    _CB,
    "canary",
    health=True,
)
CANARY_TOPIC_KEPT = Metric(
    "keywatch_canary_topic_kept",
    MetricKind.GAUGE,
    "1 when the cluster lets keywatch keep the canary's topic in shape; 0 when it refuses partitions or leadership.",
    _C,
    "canary",
)
CANARY_DOWN_REASON = Metric(
    "keywatch_canary_down_reason",
    MetricKind.GAUGE,
    "1 for the reason why canary records do not cross the broker, 0 for a reason that no longer holds.",
    (*_CB, "reason"),
    "canary",
    health=True,
)
CANARY_ROUND_TRIP_SECONDS = Metric(
    "keywatch_canary_round_trip_seconds",
    MetricKind.HISTOGRAM,
    "Time from producing a canary record until it was consumed.",
    _CB,
    "canary",
    buckets=_ROUND_TRIP_BUCKETS,
)
CANARY_LAST_ROUND_TRIP_SECONDS = Metric(
    "keywatch_canary_last_round_trip_seconds",
    MetricKind.GAUGE,
    "Time that the newest canary record needed from producing until it was consumed.",
    _CB,
    "canary",
    health=True,
)
CANARY_RECORDS_SENT_TOTAL = Metric(
    "keywatch_canary_records_sent_total", MetricKind.COUNTER, "Canary records handed to the client.", _CB, "canary"
)
CANARY_RECORDS_RECEIVED_TOTAL = Metric(
    "keywatch_canary_records_received_total", MetricKind.COUNTER, "Canary records read back, each once.", _CB, "canary"
)
CANARY_RECORDS_LOST_TOTAL = Metric(
    "keywatch_canary_records_lost_total",
    MetricKind.COUNTER,
    "Canary records that were acknowledged and are not at their offset: a real loss, never a late answer.",
    _CB,
    "canary",
    health=True,
)
CANARY_RECORDS_DUPLICATED_TOTAL = Metric(
    "keywatch_canary_records_duplicated_total", MetricKind.COUNTER, "Canary records read more than once.", _CB, "canary"
)
CANARY_RECORDS_REORDERED_TOTAL = Metric(
    "keywatch_canary_records_reordered_total",
    MetricKind.COUNTER,
    "Canary records read after one that was sent later.",
    _CB,
    "canary",
)
CANARY_FAILURES_TOTAL = Metric(
    "keywatch_canary_failures_total",
    MetricKind.COUNTER,
    "Canary records that were not acknowledged or not read back in time, by reason.",
    (*_CB, "reason"),
    "canary",
)
