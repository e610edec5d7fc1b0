"""The metrics of the brokers' log directories and the volumes under them (standard library only)."""

from __future__ import annotations

from typing import Final

from keywatch.metrics.metric import Metric, MetricKind

_DIRECTORY: Final = ("cluster", "broker", "log_dir")
_PROBE: Final = "log_dirs"

LOG_DIR_UP = Metric(
    "keywatch_log_dir_up",
    MetricKind.GAUGE,
    "1 when the broker uses the log directory, 0 when it took it out of use because reading or writing failed.",
    _DIRECTORY,
    _PROBE,
    health=True,
)
LOG_DIR_SIZE_BYTES = Metric(
    "keywatch_log_dir_size_bytes",
    MetricKind.GAUGE,
    "Size of the volume that the log directory lies on; directories on one volume each tell the whole of it.",
    _DIRECTORY,
    _PROBE,
)
LOG_DIR_FREE_BYTES = Metric(
    "keywatch_log_dir_free_bytes",
    MetricKind.GAUGE,
    "What the broker may still write to the volume that the log directory lies on.",
    _DIRECTORY,
    _PROBE,
)
LOG_DIRS_UNKNOWN_REASON = Metric(
    "keywatch_log_dirs_unknown_reason",
    MetricKind.GAUGE,
    "1 for the reason why nothing is known of the broker's log directories, 0 for one that no longer holds.",
    ("cluster", "broker", "reason"),
    _PROBE,
)
TOPIC_LOG_BYTES = Metric(
    "keywatch_topic_log_bytes",
    MetricKind.GAUGE,
    "Bytes that the topic's replicas take up on the broker's disks, read once a minute.",
    ("cluster", "broker", "topic"),
    _PROBE,
)
