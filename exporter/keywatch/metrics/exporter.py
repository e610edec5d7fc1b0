"""The metrics of keywatch itself: build, event loop, configuration, its own port (standard library only)."""

from __future__ import annotations

from keywatch.metrics.metric import Metric, MetricKind

# --- the exporter itself -------------------------------------------------------------------------------------------
BUILD_INFO = Metric(
    "keywatch_build_info", MetricKind.GAUGE, "1; what is running.", ("version", "python", "librdkafka"), health=True
)
EVENT_LOOP_LAG_SECONDS = Metric(
    "keywatch_event_loop_lag_seconds",
    MetricKind.GAUGE,
    "Longest time in the last ten seconds that a timer of the event loop fired late.",
)
TASKS = Metric(
    "keywatch_tasks",
    MetricKind.GAUGE,
    "Tasks of the event loop; their number follows what is watched.",
)
CONFIG_LOADED_TIMESTAMP_SECONDS = Metric(
    "keywatch_config_loaded_timestamp_seconds", MetricKind.GAUGE, "When the configuration was read, in Unix time."
)
CONFIG_RELOAD_SUCCESSFUL = Metric(
    "keywatch_config_reload_successful",
    MetricKind.GAUGE,
    "1 when the configuration in force is the one that was last read; 0 when that was bad and an older one holds.",
    health=True,
)
CONFIG_LOOKED_AT_TIMESTAMP_SECONDS = Metric(
    "keywatch_config_looked_at_timestamp_seconds",
    MetricKind.GAUGE,
    "When --config.watch last saw how the configuration's files look, in Unix time; it stands still while their file "
    "system does not answer.",
)
SCRAPE_DURATION_SECONDS = Metric(
    "keywatch_scrape_duration_seconds",
    MetricKind.HISTOGRAM,
    "Time spent on answering /metrics.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25),
)
WEB_CONFIG_RELOAD_SUCCESSFUL = Metric(
    "keywatch_web_config_reload_successful",
    MetricKind.GAUGE,
    "1 when the web configuration in force is what its files say now; 0 when they cannot be used and older ones hold.",
    health=True,
)
WEB_CONFIG_LOADED_TIMESTAMP_SECONDS = Metric(
    "keywatch_web_config_loaded_timestamp_seconds",
    MetricKind.GAUGE,
    "When the web configuration in force was read, in Unix time.",
)
WEB_CONNECTIONS = Metric(
    "keywatch_web_connections", MetricKind.GAUGE, "Connections that are open to keywatch's own port."
)
WEB_REFUSED_TOTAL = Metric(
    "keywatch_web_refused_total",
    MetricKind.COUNTER,
    "Requests that keywatch's own port refused and connections that it ended, by reason.",
    ("reason",),
)
DEFECTS_TOTAL = Metric(
    "keywatch_defects_total",
    MetricKind.COUNTER,
    "Defects that ended a task, thread or callback of keywatch, by part; the log has each, and what ended begins anew.",
    ("part",),
    health=True,
)
LOG_LINES_LOST_TOTAL = Metric(
    "keywatch_log_lines_lost_total",
    MetricKind.COUNTER,
    "Lines of keywatch's log that could not be written: standard error is closed, or nobody reads it.",
    health=True,
)
