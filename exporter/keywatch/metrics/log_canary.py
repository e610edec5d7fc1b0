"""The metrics of the events that keywatch itself sends along the whole way of logs (standard library only)."""

from __future__ import annotations

from typing import Final

from keywatch.metrics.metric import Metric, MetricKind

_C: Final = ("cluster",)
_PROBE: Final = "log_canary"

# Elasticsearch refreshes once a second; what takes minutes is lost to whoever waits for it.
_BUCKETS: Final = (0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0)

LOG_CANARY_UP = Metric(
    "keywatch_log_canary_up",
    MetricKind.GAUGE,
    "1 when the newest marked event whose time is over could be searched in time, 0 when it could not.",
    _C,
    _PROBE,
    health=True,
)
LOG_CANARY_LIMIT_SECONDS = Metric(
    "keywatch_log_canary_limit_seconds",
    MetricKind.GAUGE,
    "Seconds within which a marked event must be searchable.",
    _C,
    _PROBE,
)
LOG_CANARY_EVENTS_TOTAL = Metric(
    "keywatch_log_canary_events_total",
    MetricKind.COUNTER,
    "Marked events by what became of them: found, late (found after the limit), lost, or refused by Kafka.",
    (*_C, "result"),
    _PROBE,
)
LOG_CANARY_ROUND_TRIP_SECONDS = Metric(
    "keywatch_log_canary_round_trip_seconds",
    MetricKind.HISTOGRAM,
    "Time from writing a marked event to Kafka until it could be searched, looked for once a second.",
    _C,
    _PROBE,
    buckets=_BUCKETS,
)
LOG_CANARY_LAST_ROUND_TRIP_SECONDS = Metric(
    "keywatch_log_canary_last_round_trip_seconds",
    MetricKind.GAUGE,
    "Time that the newest marked event needed until it could be searched.",
    _C,
    _PROBE,
    health=True,
)
LOG_CANARY_LAST_FOUND_TIMESTAMP_SECONDS = Metric(
    "keywatch_log_canary_last_found_timestamp_seconds",
    MetricKind.GAUGE,
    "When a marked event was last seen to be searchable, in Unix time.",
    _C,
    _PROBE,
)
