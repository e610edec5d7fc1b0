"""The metrics that every probe has: whether it could answer, when, and how long it took (standard library only)."""

from __future__ import annotations

from typing import Final

from keywatch.metrics.metric import Metric, MetricKind

_CP: Final = ("cluster", "probe")
# Around the objective: a broker that needs 1 s is a miss.
_ANSWER_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
# --- every probe ---------------------------------------------------------------------------------------------------
PROBE_SUCCESS = Metric(
    "keywatch_probe_success",
    MetricKind.GAUGE,
    "1 when the last run of the probe could answer its question, whatever the answer; with several targets, the worst.",
    _CP,
    "probe",
    health=True,
)
PROBE_LAST_RUN_TIMESTAMP_SECONDS = Metric(
    "keywatch_probe_last_run_timestamp_seconds",
    MetricKind.GAUGE,
    "When the last run of the probe ended, in Unix time; with several targets, the one that ran longest ago.",
    _CP,
    "probe",
    health=True,
)
PROBE_PERIOD_SECONDS = Metric(
    "keywatch_probe_period_seconds", MetricKind.GAUGE, "How often the probe is meant to run.", _CP, "probe", health=True
)
PROBE_FRAME_TIMESTAMP_SECONDS = Metric(
    "keywatch_probe_frame_timestamp_seconds",
    MetricKind.GAUGE,
    "When the values that are served for the probe were found, in Unix time; with several targets, the oldest.",
    _CP,
    "probe",
)
PROBE_DURATION_SECONDS = Metric(
    "keywatch_probe_duration_seconds",
    MetricKind.HISTOGRAM,
    "How long runs took.",
    _CP,
    "probe",
    buckets=_ANSWER_BUCKETS,
)
PROBE_FAILURES_TOTAL = Metric(
    "keywatch_probe_failures_total",
    MetricKind.COUNTER,
    "Runs that could not answer their question, by reason.",
    (*_CP, "reason"),
    "probe",
    health=True,
)
PROBE_LEFT_OUT = Metric(
    "keywatch_probe_left_out",
    MetricKind.GAUGE,
    "Groups, topics, partitions or realms without series, as there are more than are read; at least so many.",
    (*_CP, "target", "kind"),
    "probe",
    health=True,
)
