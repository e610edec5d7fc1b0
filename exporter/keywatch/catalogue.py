"""Every metric of keywatch, declared once: what is not here is not exported (standard library only)."""

from __future__ import annotations

from typing import Final

from keywatch import (
    catalogue_dlq,
    catalogue_events,
    catalogue_keycloak,
    catalogue_lag,
    catalogue_logs,
    catalogue_reconciliation,
)
from keywatch.metric import Kind, Metric

_C: Final = ("cluster",)
_CB: Final = ("cluster", "broker")
_CT: Final = ("cluster", "topic")
_CG: Final = ("cluster", "group")
_CGT: Final = ("cluster", "group", "topic")
_CTP: Final = ("cluster", "topic", "partition")
_CP: Final = ("cluster", "probe")

# Around the objectives: a broker that needs 1 s is a miss, a record that needs 5 s breaks the promise.
_ANSWER_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0)
_ROUND_TRIP_BUCKETS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

# --- every probe ---------------------------------------------------------------------------------------------------
PROBE_SUCCESS = Metric(
    "keywatch_probe_success",
    Kind.GAUGE,
    "1 when the last run of the probe could answer its question, whatever the answer; with several targets, the worst.",
    _CP,
    "probe",
    health=True,
)
PROBE_LAST_RUN_TIMESTAMP_SECONDS = Metric(
    "keywatch_probe_last_run_timestamp_seconds",
    Kind.GAUGE,
    "When the last run of the probe ended, in Unix time; with several targets, the one that ran longest ago.",
    _CP,
    "probe",
    health=True,
)
PROBE_PERIOD_SECONDS = Metric(
    "keywatch_probe_period_seconds", Kind.GAUGE, "How often the probe is meant to run.", _CP, "probe", health=True
)
PROBE_FRAME_TIMESTAMP_SECONDS = Metric(
    "keywatch_probe_frame_timestamp_seconds",
    Kind.GAUGE,
    "When the values that are served for the probe were found, in Unix time; with several targets, the oldest.",
    _CP,
    "probe",
)
PROBE_DURATION_SECONDS = Metric(
    "keywatch_probe_duration_seconds", Kind.HISTOGRAM, "How long runs took.", _CP, "probe", buckets=_ANSWER_BUCKETS
)
PROBE_FAILURES_TOTAL = Metric(
    "keywatch_probe_failures_total",
    Kind.COUNTER,
    "Runs that could not answer their question, by reason.",
    (*_CP, "reason"),
    "probe",
    health=True,
)

# --- broker --------------------------------------------------------------------------------------------------------
BROKER_UP = Metric(
    "keywatch_broker_up",
    Kind.GAUGE,
    "1 when the broker answers on its own listener, 0 after two misses in a row.",
    _CB,
    "broker",
    health=True,
)
BROKER_DOWN_REASON = Metric(
    "keywatch_broker_down_reason",
    Kind.GAUGE,
    "1 for the reason why the broker is down, 0 for a reason that no longer holds.",
    (*_CB, "reason"),
    "broker",
    health=True,
)
BROKER_FAILURES_TOTAL = Metric(
    "keywatch_broker_failures_total",
    Kind.COUNTER,
    "Single attempts that the broker did not answer, by reason.",
    (*_CB, "reason"),
    "broker",
)
BROKER_RESPONSE_SECONDS = Metric(
    "keywatch_broker_response_seconds",
    Kind.GAUGE,
    "How long the broker's last answer took, connection set-up left out.",
    _CB,
    "broker",
    health=True,
)
BROKER_INFO = Metric(
    "keywatch_broker_info",
    Kind.GAUGE,
    "1; where the broker is expected to be found.",
    (*_CB, "host", "port", "rack"),
    "broker",
)
TLS_CERTIFICATE_NOT_AFTER_TIMESTAMP_SECONDS = Metric(
    "keywatch_tls_certificate_not_after_timestamp_seconds",
    Kind.GAUGE,
    "When the certificate that the broker last showed ends, in Unix time.",
    _CB,
    "broker",
)

# --- cluster -------------------------------------------------------------------------------------------------------
CLUSTER_UP = Metric(
    "keywatch_cluster_up",
    Kind.GAUGE,
    "1 when some broker answers and metadata can be read.",
    _C,
    "cluster",
    health=True,
)
BROKERS = Metric("keywatch_brokers", Kind.GAUGE, "Brokers that are alive.", _C, "cluster", health=True)
BROKERS_EXPECTED = Metric(
    "keywatch_brokers_expected", Kind.GAUGE, "Brokers that should be alive.", _C, "cluster", health=True
)
CLUSTER_INFO = Metric(
    "keywatch_cluster_info",
    Kind.GAUGE,
    "1; the identity that the cluster gives itself.",
    (*_C, "cluster_id"),
    "cluster",
)

# --- topics --------------------------------------------------------------------------------------------------------
TOPIC_UP = Metric(
    "keywatch_topic_up",
    Kind.GAUGE,
    "1 when the watched topic exists and none of its partitions is offline.",
    _CT,
    "topics",
    health=True,
)
TOPIC_EXISTS = Metric(
    "keywatch_topic_exists", Kind.GAUGE, "1 when the watched topic exists.", _CT, "topics", health=True
)
TOPIC_PARTITIONS = Metric("keywatch_topic_partitions", Kind.GAUGE, "Partitions of the topic.", _CT, "topics")
TOPIC_PARTITIONS_OFFLINE = Metric(
    "keywatch_topic_partitions_offline",
    Kind.GAUGE,
    "Partitions without a living in-sync replica, or without a leader by metadata: nothing can be written or read.",
    _CT,
    "topics",
    health=True,
)
TOPIC_PARTITIONS_ELECTING = Metric(
    "keywatch_topic_partitions_electing",
    Kind.GAUGE,
    "Partitions whose leader is dead while another in-sync replica lives: Kafka heals this by itself in seconds.",
    _CT,
    "topics",
    health=True,
)
TOPIC_PARTITIONS_UNDER_REPLICATED = Metric(
    "keywatch_topic_partitions_under_replicated",
    Kind.GAUGE,
    "Partitions with fewer living in-sync replicas than replicas.",
    _CT,
    "topics",
    health=True,
)
TOPIC_PARTITIONS_BELOW_MIN_ISR = Metric(
    "keywatch_topic_partitions_below_min_isr",
    Kind.GAUGE,
    "Partitions with fewer living in-sync replicas than the topic's min.insync.replicas: acks=all is refused.",
    _CT,
    "topics",
    health=True,
)
TOPIC_METADATA_PARTITIONS_LEADERLESS = Metric(
    "keywatch_topic_metadata_partitions_leaderless",
    Kind.GAUGE,
    "Partitions that Kafka's metadata shows without a leader; it tells 7 to 12 s late.",
    _CT,
    "topics",
)
TOPIC_METADATA_PARTITIONS_UNDER_REPLICATED = Metric(
    "keywatch_topic_metadata_partitions_under_replicated",
    Kind.GAUGE,
    "Partitions that Kafka's metadata shows with fewer in-sync replicas than replicas.",
    _CT,
    "topics",
)
TOPIC_METADATA_PARTITIONS_BELOW_MIN_ISR = Metric(
    "keywatch_topic_metadata_partitions_below_min_isr",
    Kind.GAUGE,
    "Partitions that Kafka's metadata shows with fewer in-sync replicas than min.insync.replicas.",
    _CT,
    "topics",
)
TOPIC_MIN_INSYNC_REPLICAS = Metric(
    "keywatch_topic_min_insync_replicas", Kind.GAUGE, "The topic's effective min.insync.replicas.", _CT, "configs"
)
PARTITION_LEADER = Metric(
    "keywatch_partition_leader",
    Kind.GAUGE,
    "Id of the broker that leads the partition by metadata; -1 when none does.",
    _CTP,
    "topics",
)
PARTITION_REPLICAS = Metric(
    "keywatch_partition_replicas", Kind.GAUGE, "Replicas that the partition should have.", _CTP, "topics"
)
PARTITION_IN_SYNC_REPLICAS = Metric(
    "keywatch_partition_in_sync_replicas",
    Kind.GAUGE,
    "In-sync replicas of the partition that live.",
    _CTP,
    "topics",
)

# --- offsets -------------------------------------------------------------------------------------------------------
TOPIC_PARTITIONS_UNREAD = Metric(
    "keywatch_topic_partitions_unread",
    Kind.GAUGE,
    "Partitions whose offsets could not be read in the last cycle; their series are left out.",
    _CT,
    "offsets",
)
PARTITION_END_OFFSET = Metric(
    "keywatch_partition_end_offset",
    Kind.GAUGE,
    "Offset that the next record of the partition will get (its high watermark).",
    _CTP,
    "offsets",
)
PARTITION_START_OFFSET = Metric(
    "keywatch_partition_start_offset", Kind.GAUGE, "Offset of the oldest record kept.", _CTP, "offsets"
)

# --- groups --------------------------------------------------------------------------------------------------------
GROUP_UP = Metric(
    "keywatch_group_up",
    Kind.GAUGE,
    "1 when the group's coordinator answers for it; 0 when what is shown of the group is what was last known.",
    _CG,
    "groups",
    health=True,
)
GROUP_COORDINATORS_UNREAD = Metric(
    "keywatch_group_coordinators_unread",
    Kind.GAUGE,
    "Brokers that did not tell which groups they coordinate: groups that only they know may be missing.",
    _C,
    "groups",
    health=True,
)
GROUP_LAG_RECORDS = Metric(
    "keywatch_group_lag_records",
    Kind.GAUGE,
    "Records not yet committed, summed over partitions; a partition that cannot be read keeps its last known lag.",
    _CGT,
    "groups",
    health=True,
)
GROUP_LAG_SECONDS = Metric(
    "keywatch_group_lag_seconds",
    Kind.GAUGE,
    "Age of the oldest record not yet committed, by the record's own timestamp; the worst partition; 0 without lag.",
    _CGT,
    "groups",
    health=True,
)
GROUP_PARTITIONS_UNKNOWN = Metric(
    "keywatch_group_partitions_unknown",
    Kind.GAUGE,
    "Partitions whose end or committed offset could not be read: the two lags hold their last known value, or miss it.",
    _CGT,
    "groups",
    health=True,
)
GROUP_MEMBERS = Metric("keywatch_group_members", Kind.GAUGE, "Members of the group.", _CG, "groups", health=True)
GROUP_STATE = Metric(
    "keywatch_group_state", Kind.GAUGE, "1 for the state that the group is in, 0 for the others.",
    (*_CG, "state"), "groups",
)  # fmt: skip
GROUP_INFO = Metric(
    "keywatch_group_info", Kind.GAUGE, "1; protocol of the group and its coordinator.",
    (*_CG, "protocol", "coordinator"), "groups",
)  # fmt: skip
GROUP_LAG_RECORDS_LIMIT = Metric(
    "keywatch_group_lag_records_limit",
    Kind.GAUGE,
    "Configured limit of the lag in records.",
    _CG,
    "groups",
    health=True,
)
GROUP_LAG_SECONDS_LIMIT = Metric(
    "keywatch_group_lag_seconds_limit",
    Kind.GAUGE,
    "Configured limit of the lag in seconds.",
    _CG,
    "groups",
    health=True,
)
GROUP_PARTITION_LAG_RECORDS = Metric(
    "keywatch_group_partition_lag_records",
    Kind.GAUGE,
    "Records of the partition that the group has not yet committed.",
    (*_CGT, "partition"),
    "groups",
)
GROUP_PARTITION_COMMITTED_OFFSET = Metric(
    "keywatch_group_partition_committed_offset",
    Kind.GAUGE,
    "Offset that the group committed: the next record it will read.",
    (*_CGT, "partition"),
    "groups",
)
GROUP_LAG_SECONDS_ESTIMATED = Metric(
    "keywatch_group_lag_seconds_estimated",
    Kind.GAUGE,
    "Partitions whose lag in seconds is reckoned from when the end offset was seen, their record not being read yet.",
    _CG,
    "groups",
)
GROUP_RECORD_READS_TOTAL = Metric(
    "keywatch_group_record_reads_total",
    Kind.COUNTER,
    "Batches of old records that were asked for, to learn the lag in seconds.",
    _C,
    "groups",
)
GROUP_RECORD_READ_BYTES_TOTAL = Metric(
    "keywatch_group_record_read_bytes_total",
    Kind.COUNTER,
    "Bytes that came when old records were read, about, neighbours of the wanted ones included.",
    _C,
    "groups",
)

# --- canary --------------------------------------------------------------------------------------------------------
CANARY_UP = Metric(
    "keywatch_canary_up",
    Kind.GAUGE,
    "1 when the last record sent through the broker with acks=all was read back in time.",
    _CB,
    "canary",
    health=True,
)
CANARY_TOPIC_KEPT = Metric(
    "keywatch_canary_topic_kept",
    Kind.GAUGE,
    "1 when the cluster lets keywatch keep the canary's topic in shape; 0 when it refuses partitions or leadership.",
    _C,
    "canary",
)
CANARY_DOWN_REASON = Metric(
    "keywatch_canary_down_reason",
    Kind.GAUGE,
    "1 for the reason why canary records do not cross the broker, 0 for a reason that no longer holds.",
    (*_CB, "reason"),
    "canary",
    health=True,
)
CANARY_ROUND_TRIP_SECONDS = Metric(
    "keywatch_canary_round_trip_seconds",
    Kind.HISTOGRAM,
    "Time from producing a canary record until it was consumed.",
    _CB,
    "canary",
    buckets=_ROUND_TRIP_BUCKETS,
)
CANARY_LAST_ROUND_TRIP_SECONDS = Metric(
    "keywatch_canary_last_round_trip_seconds",
    Kind.GAUGE,
    "Time that the newest canary record needed from producing until it was consumed.",
    _CB,
    "canary",
    health=True,
)
CANARY_RECORDS_SENT_TOTAL = Metric(
    "keywatch_canary_records_sent_total", Kind.COUNTER, "Canary records handed to the client.", _CB, "canary"
)
CANARY_RECORDS_RECEIVED_TOTAL = Metric(
    "keywatch_canary_records_received_total", Kind.COUNTER, "Canary records read back, each once.", _CB, "canary"
)
CANARY_RECORDS_LOST_TOTAL = Metric(
    "keywatch_canary_records_lost_total",
    Kind.COUNTER,
    "Canary records that were acknowledged and are not at their offset: a real loss, never a late answer.",
    _CB,
    "canary",
    health=True,
)
CANARY_RECORDS_DUPLICATED_TOTAL = Metric(
    "keywatch_canary_records_duplicated_total", Kind.COUNTER, "Canary records read more than once.", _CB, "canary"
)
CANARY_RECORDS_REORDERED_TOTAL = Metric(
    "keywatch_canary_records_reordered_total",
    Kind.COUNTER,
    "Canary records read after one that was sent later.",
    _CB,
    "canary",
)
CANARY_FAILURES_TOTAL = Metric(
    "keywatch_canary_failures_total",
    Kind.COUNTER,
    "Canary records that were not acknowledged or not read back in time, by reason.",
    (*_CB, "reason"),
    "canary",
)

# --- the exporter itself -------------------------------------------------------------------------------------------
BUILD_INFO = Metric(
    "keywatch_build_info", Kind.GAUGE, "1; what is running.", ("version", "python", "librdkafka"), health=True
)
EVENT_LOOP_LAG_SECONDS = Metric(
    "keywatch_event_loop_lag_seconds",
    Kind.GAUGE,
    "Longest time in the last ten seconds that a timer of the event loop fired late.",
)
CONFIG_LOADED_TIMESTAMP_SECONDS = Metric(
    "keywatch_config_loaded_timestamp_seconds", Kind.GAUGE, "When the configuration was read, in Unix time."
)
CONFIG_RELOAD_SUCCESSFUL = Metric(
    "keywatch_config_reload_successful",
    Kind.GAUGE,
    "1 when the configuration in force is the one that was last read; 0 when that was bad and an older one holds.",
    health=True,
)
SCRAPE_DURATION_SECONDS = Metric(
    "keywatch_scrape_duration_seconds",
    Kind.HISTOGRAM,
    "Time spent on answering /metrics.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25),
)
WEB_CONFIG_RELOAD_SUCCESSFUL = Metric(
    "keywatch_web_config_reload_successful",
    Kind.GAUGE,
    "1 when the web configuration in force is what its files say now; 0 when they cannot be used and older ones hold.",
    health=True,
)
WEB_CONFIG_LOADED_TIMESTAMP_SECONDS = Metric(
    "keywatch_web_config_loaded_timestamp_seconds",
    Kind.GAUGE,
    "When the web configuration in force was read, in Unix time.",
)
WEB_CONNECTIONS = Metric("keywatch_web_connections", Kind.GAUGE, "Connections that are open to keywatch's own port.")
WEB_REFUSED_TOTAL = Metric(
    "keywatch_web_refused_total",
    Kind.COUNTER,
    "Requests that keywatch's own port refused and connections that it ended, by reason.",
    ("reason",),
)

METRICS: Final[tuple[Metric, ...]] = tuple(
    value
    for module in (
        globals(),
        vars(catalogue_lag),
        vars(catalogue_events),
        vars(catalogue_reconciliation),
        vars(catalogue_keycloak),
        vars(catalogue_dlq),
        vars(catalogue_logs),
    )
    for value in list(module.values())
    if isinstance(value, Metric)
)
"""All metrics: those above in their order, then those of the other modules."""

COLLECTORS: Final[tuple[str, ...]] = tuple(dict.fromkeys(metric.probe for metric in METRICS))
"""The values of `collect[]` beside `health`."""
