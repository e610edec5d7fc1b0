"""The series that `keywatch dlq` leaves in a file for node_exporter, declared once (standard library only)."""

from __future__ import annotations

from typing import Final

from keywatch.metrics.metric import Metric, MetricKind

_CD: Final = ("cluster", "dlq")

REDRIVE_RUNNING = Metric(
    "keywatch_redrive_running",
    MetricKind.GAUGE,
    "1 while a replay, or a parking, of this queue goes on.",
    _CD,
    "redrive",
)
REDRIVE_LAST_RUN_TIMESTAMP_SECONDS = Metric(
    "keywatch_redrive_last_run_timestamp_seconds",
    MetricKind.GAUGE,
    "When the last run ended, or wrote this while it goes on, in Unix time.",
    _CD,
    "redrive",
)
REDRIVE_REPLAYED = Metric(
    "keywatch_redrive_replayed", MetricKind.GAUGE, "Dead letters that the last run put back.", _CD, "redrive"
)
REDRIVE_PARKED = Metric(
    "keywatch_redrive_parked", MetricKind.GAUGE, "Dead letters that the last run parked.", _CD, "redrive"
)
REDRIVE_REFUSED = Metric(
    "keywatch_redrive_refused",
    MetricKind.GAUGE,
    "Dead letters that the last run left where they are, by the reason.",
    (*_CD, "reason"),
    "redrive",
)
REDRIVE_DIED_AGAIN = Metric(
    "keywatch_redrive_died_again",
    MetricKind.GAUGE,
    "Dead letters that died again while the last run went on.",
    _CD,
    "redrive",
)

METRICS: Final[tuple[Metric, ...]] = tuple(value for value in list(globals().values()) if isinstance(value, Metric))
"""All of them in the order above."""
