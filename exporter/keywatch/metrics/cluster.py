"""The metrics of a cluster's brokers, topics and partitions (standard library only)."""

from __future__ import annotations

from typing import Final

from keywatch.metrics.metric import Metric, MetricKind

_C: Final = ("cluster",)
_CB: Final = ("cluster", "broker")
_CT: Final = ("cluster", "topic")
_CTP: Final = ("cluster", "topic", "partition")
# --- broker --------------------------------------------------------------------------------------------------------
BROKER_UP = Metric(
    "keywatch_broker_up",
    MetricKind.GAUGE,
    "1 when the broker answers on its own listener, 0 after two misses in a row.",
    _CB,
    "broker",
    health=True,
)
BROKER_DOWN_REASON = Metric(
    "keywatch_broker_down_reason",
    MetricKind.GAUGE,
    "1 for the reason why the broker is down, 0 for a reason that no longer holds.",
    (*_CB, "reason"),
    "broker",
    health=True,
)
BROKER_FAILURES_TOTAL = Metric(
    "keywatch_broker_failures_total",
    MetricKind.COUNTER,
    "Single attempts that the broker did not answer, by reason.",
    (*_CB, "reason"),
    "broker",
)
BROKER_RESPONSE_SECONDS = Metric(
    "keywatch_broker_response_seconds",
    MetricKind.GAUGE,
    "How long the broker's last answer took, connection set-up left out.",
    _CB,
    "broker",
    health=True,
)
BROKER_REST_SECONDS = Metric(
    "keywatch_broker_rest_seconds",
    MetricKind.GAUGE,
    "How long the broker last asked keywatch to wait because a quota is used up; 0 when it did not for ten seconds.",
    _CB,
    "broker",
    health=True,
)
BROKER_THROTTLE_SECONDS_TOTAL = Metric(
    "keywatch_broker_throttle_seconds_total",
    MetricKind.COUNTER,
    "Seconds for which the broker asked keywatch to wait because a quota is used up.",
    _CB,
    "broker",
)
BROKER_CONNECTION_LIMIT = Metric(
    "keywatch_broker_connection_limit",
    MetricKind.GAUGE,
    "1 while the broker closes new connections of keywatch and answers on others: a limit is reached.",
    _CB,
    "broker",
    health=True,
)
BROKER_INFO = Metric(
    "keywatch_broker_info",
    MetricKind.GAUGE,
    "1; where the broker is expected to be found.",
    (*_CB, "host", "port", "rack"),
    "broker",
)
BROKER_OTHER_CLUSTER_INFO = Metric(
    "keywatch_broker_other_cluster_info",
    MetricKind.GAUGE,
    "1 while another cluster answers at the broker's address: the id that is watched, and the one that answers.",
    (*_CB, "cluster_id", "other_cluster_id"),
    "broker",
    health=True,
)
TLS_CERTIFICATE_NOT_AFTER_TIMESTAMP_SECONDS = Metric(
    "keywatch_tls_certificate_not_after_timestamp_seconds",
    MetricKind.GAUGE,
    "When the certificate that the broker last showed ends, in Unix time.",
    _CB,
    "broker",
)
# --- cluster -------------------------------------------------------------------------------------------------------
CLUSTER_UP = Metric(
    "keywatch_cluster_up",
    MetricKind.GAUGE,
    "1 when some broker answers and metadata can be read.",
    _C,
    "cluster",
    health=True,
)
CLUSTER_SUPPORTED = Metric(
    "keywatch_cluster_supported",
    MetricKind.GAUGE,
    "0 when brokers answer and are too old, or log in by what keywatch lacks: a matter of configuration; else 1.",
    _C,
    "cluster",
    health=True,
)
BROKERS = Metric("keywatch_brokers", MetricKind.GAUGE, "Brokers that are alive.", _C, "cluster", health=True)
BROKERS_EXPECTED = Metric(
    "keywatch_brokers_expected", MetricKind.GAUGE, "Brokers that should be alive.", _C, "cluster", health=True
)
BROKERS_SHARING_ADDRESS = Metric(
    "keywatch_brokers_sharing_address",
    MetricKind.GAUGE,
    "Brokers that the cluster names at an address of another broker too: they cannot be told apart from outside.",
    _C,
    "cluster",
)
CLUSTER_INFO = Metric(
    "keywatch_cluster_info",
    MetricKind.GAUGE,
    "1; the identity that the cluster gives itself.",
    (*_C, "cluster_id"),
    "cluster",
)
# --- topics --------------------------------------------------------------------------------------------------------
TOPIC_UP = Metric(
    "keywatch_topic_up",
    MetricKind.GAUGE,
    "1 when the watched topic exists and none of its partitions is offline.",
    _CT,
    "topics",
    health=True,
)
TOPIC_EXISTS = Metric(
    "keywatch_topic_exists", MetricKind.GAUGE, "1 when the watched topic exists.", _CT, "topics", health=True
)
TOPIC_PARTITIONS = Metric("keywatch_topic_partitions", MetricKind.GAUGE, "Partitions of the topic.", _CT, "topics")
TOPIC_PARTITIONS_OFFLINE = Metric(
    "keywatch_topic_partitions_offline",
    MetricKind.GAUGE,
    "Partitions without a living in-sync replica, or without a leader by metadata: nothing can be written or read.",
    _CT,
    "topics",
    health=True,
)
TOPIC_PARTITIONS_ELECTING = Metric(
    "keywatch_topic_partitions_electing",
    MetricKind.GAUGE,
    "Partitions whose leader is dead while another in-sync replica lives: Kafka heals this by itself in seconds.",
    _CT,
    "topics",
    health=True,
)
TOPIC_PARTITIONS_UNDER_REPLICATED = Metric(
    "keywatch_topic_partitions_under_replicated",
    MetricKind.GAUGE,
    "Partitions with fewer living in-sync replicas than replicas; one that a reassignment is adding does not count.",
    _CT,
    "topics",
    health=True,
)
TOPIC_PARTITIONS_BELOW_MIN_ISR = Metric(
    "keywatch_topic_partitions_below_min_isr",
    MetricKind.GAUGE,
    "Partitions with fewer living in-sync replicas than the topic's min.insync.replicas: acks=all is refused.",
    _CT,
    "topics",
    health=True,
)
TOPIC_METADATA_PARTITIONS_LEADERLESS = Metric(
    "keywatch_topic_metadata_partitions_leaderless",
    MetricKind.GAUGE,
    "Partitions that Kafka's metadata shows without a leader; it tells 7 to 12 s late.",
    _CT,
    "topics",
)
TOPIC_METADATA_PARTITIONS_UNDER_REPLICATED = Metric(
    "keywatch_topic_metadata_partitions_under_replicated",
    MetricKind.GAUGE,
    "Partitions that Kafka's metadata shows with fewer in-sync replicas than replicas.",
    _CT,
    "topics",
)
TOPIC_METADATA_PARTITIONS_BELOW_MIN_ISR = Metric(
    "keywatch_topic_metadata_partitions_below_min_isr",
    MetricKind.GAUGE,
    "Partitions that Kafka's metadata shows with fewer in-sync replicas than min.insync.replicas.",
    _CT,
    "topics",
)
TOPIC_MIN_INSYNC_REPLICAS = Metric(
    "keywatch_topic_min_insync_replicas", MetricKind.GAUGE, "The topic's effective min.insync.replicas.", _CT, "configs"
)
PARTITION_LEADER = Metric(
    "keywatch_partition_leader",
    MetricKind.GAUGE,
    "Id of the broker that leads the partition by metadata; -1 when none does.",
    _CTP,
    "topics",
)
PARTITION_REPLICAS = Metric(
    "keywatch_partition_replicas",
    MetricKind.GAUGE,
    "Replicas that the partition should have; those that a reassignment is adding do not count yet.",
    _CTP,
    "topics",
)
PARTITION_IN_SYNC_REPLICAS = Metric(
    "keywatch_partition_in_sync_replicas",
    MetricKind.GAUGE,
    "In-sync replicas of the partition that live.",
    _CTP,
    "topics",
)
# --- offsets -------------------------------------------------------------------------------------------------------
TOPIC_PARTITIONS_UNREAD = Metric(
    "keywatch_topic_partitions_unread",
    MetricKind.GAUGE,
    "Partitions whose offsets could not be read in the last cycle; their series are left out.",
    _CT,
    "offsets",
)
PARTITION_END_OFFSET = Metric(
    "keywatch_partition_end_offset",
    MetricKind.GAUGE,
    "Offset that the next record of the partition will get (its high watermark).",
    _CTP,
    "offsets",
)
PARTITION_START_OFFSET = Metric(
    "keywatch_partition_start_offset", MetricKind.GAUGE, "Offset of the oldest record kept.", _CTP, "offsets"
)
