"""The metrics of what Keycloak counted against what arrived (standard library only)."""

from __future__ import annotations

from typing import Final

from keywatch.metrics.metric import Metric, MetricKind

_CL: Final = ("cluster", "listener")
_KIND: Final = (*_CL, "realm", "event", "outcome")
_PROBE: Final = "reconciliation"

EVENTS_COUNTED_TOTAL = Metric(
    "keywatch_events_counted_total",
    MetricKind.COUNTER,
    "Events that Keycloak's own counter counted since keywatch began, over all its nodes and their restarts.",
    _KIND,
    _PROBE,
)
EVENTS_MISSING = Metric(
    "keywatch_events_missing",
    MetricKind.GAUGE,
    "Events that Keycloak counted longer ago than the window and that have not arrived; those given up left out.",
    _KIND,
    _PROBE,
    health=True,
)
EVENTS_MISSING_LIMIT = Metric(
    "keywatch_events_missing_limit",
    MetricKind.GAUGE,
    "Configured number of missing events up to which nobody need be called.",
    _CL,
    _PROBE,
    health=True,
)
EVENTS_LOST_TOTAL = Metric(
    "keywatch_events_lost_total",
    MetricKind.COUNTER,
    "Events that were missing for so long that they were given up: no producer tries any more to deliver them.",
    _KIND,
    _PROBE,
    health=True,
)
EVENTS_UNCOUNTED_TOTAL = Metric(
    "keywatch_events_uncounted_total",
    MetricKind.COUNTER,
    "Events that arrived though Keycloak never counted them: rolled back, replayed, or given up before they came.",
    _KIND,
    _PROBE,
)
EVENTS_JUDGED_TIMESTAMP_SECONDS = Metric(
    "keywatch_events_judged_timestamp_seconds",
    MetricKind.GAUGE,
    "Up to when, in Keycloak's Unix time, all that it counted was looked for; stands still while that is impossible.",
    _CL,
    _PROBE,
    health=True,
)
KEYCLOAK_CLOCK_SKEW_SECONDS = Metric(
    "keywatch_keycloak_clock_skew_seconds",
    MetricKind.GAUGE,
    "How far Keycloak's clock is ahead of keywatch's; negative when it is behind.",
    ("cluster", "keycloak"),
    _PROBE,
)
