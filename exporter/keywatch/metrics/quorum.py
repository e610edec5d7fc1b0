"""The metrics of the controllers and their quorum (standard library only)."""

from __future__ import annotations

from typing import Final

from keywatch.metrics.metric import Metric, MetricKind

_C: Final = ("cluster",)
_CC: Final = ("cluster", "controller")
_PROBE: Final = "quorum"

QUORUM_UP = Metric(
    "keywatch_quorum_up",
    MetricKind.GAUGE,
    "1 when the quorum of controllers has a leader that answers, 0 when no living broker gets an answer from one.",
    _C,
    _PROBE,
    health=True,
)
QUORUM_UNKNOWN_REASON = Metric(
    "keywatch_quorum_unknown_reason",
    MetricKind.GAUGE,
    "1 for the reason why nothing is known of the quorum, 0 for one that no longer holds.",
    (*_C, "reason"),
    _PROBE,
)
QUORUM_EPOCH = Metric(
    "keywatch_quorum_epoch", MetricKind.GAUGE, "The epoch of the quorum's leader; each election raises it.", _C, _PROBE
)
QUORUM_ELECTIONS_TOTAL = Metric(
    "keywatch_quorum_elections_total",
    MetricKind.COUNTER,
    "By how much the epoch of the quorum's leader rose.",
    _C,
    _PROBE,
)
CLUSTER_FEATURE_LEVEL = Metric(
    "keywatch_cluster_feature_level",
    MetricKind.GAUGE,
    "The level that the cluster has finalized of a feature, such as `metadata.version`: an upgrade ends by raising it.",
    (*_C, "feature"),
    _PROBE,
)
CONTROLLER_UP = Metric(
    "keywatch_controller_up",
    MetricKind.GAUGE,
    "1 when the controller follows the quorum's leader or is it, 0 when it has fetched nothing for two seconds.",
    _CC,
    _PROBE,
    health=True,
)
CONTROLLER_LEADS = Metric(
    "keywatch_controller_leads", MetricKind.GAUGE, "1 for the controller that leads the quorum.", _CC, _PROBE
)
CONTROLLER_LAG_RECORDS = Metric(
    "keywatch_controller_lag_records",
    MetricKind.GAUGE,
    "Records of the cluster's metadata that the controller lacks.",
    _CC,
    _PROBE,
)
BROKER_FENCED = Metric(
    "keywatch_broker_fenced",
    MetricKind.GAUGE,
    "1 when the broker answers, and the controllers hear nothing of it or the cluster's metadata lacks it, else 0.",
    ("cluster", "broker"),
    _PROBE,
    health=True,
)
BROKER_METADATA_LAG_RECORDS = Metric(
    "keywatch_broker_metadata_lag_records",
    MetricKind.GAUGE,
    "Records of the cluster's metadata that the broker has not fetched yet.",
    ("cluster", "broker"),
    _PROBE,
)
BROKER_METADATA_LAG_SECONDS = Metric(
    "keywatch_broker_metadata_lag_seconds",
    MetricKind.GAUGE,
    "Time since the broker last fetched the cluster's metadata, by the leader's clock.",
    ("cluster", "broker"),
    _PROBE,
)
