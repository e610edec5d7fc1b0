"""The metrics of the way from Kafka to the search: Logstash, Elasticsearch, and how far behind is what can be found."""

from __future__ import annotations

from typing import Final

from keywatch.metrics.metric import Metric, MetricKind

_CL: Final = ("cluster", "logstash")
_CLP: Final = (*_CL, "pipeline")
_C: Final = ("cluster",)
_CD: Final = ("cluster", "dataset")
_CT: Final = ("cluster", "topic")
_LS: Final = "logstash"
_ES: Final = "elasticsearch"
_LAG: Final = "log_lag"

# --- Logstash ------------------------------------------------------------------------------------------------------
LOGSTASH_UP = Metric(
    "keywatch_logstash_up",
    MetricKind.GAUGE,
    "1 when Logstash answers, 0 after two misses in a row.",
    _CL,
    _LS,
    health=True,
)
LOGSTASH_DOWN_REASON = Metric(
    "keywatch_logstash_down_reason",
    MetricKind.GAUGE,
    "1 for the reason why Logstash is down, 0 for a reason that no longer holds.",
    (*_CL, "reason"),
    _LS,
    health=True,
)
LOGSTASH_FAILURES_TOTAL = Metric(
    "keywatch_logstash_failures_total",
    MetricKind.COUNTER,
    "Single questions that Logstash did not answer as it should, by reason.",
    (*_CL, "reason"),
    _LS,
)
LOGSTASH_INFO = Metric("keywatch_logstash_info", MetricKind.GAUGE, "1; which version answers.", (*_CL, "version"), _LS)
LOGSTASH_STATUS = Metric(
    "keywatch_logstash_status",
    MetricKind.GAUGE,
    "1 for the health that Logstash gives itself, 0 for the others.",
    (*_CL, "status"),
    _LS,
    health=True,
)
LOGSTASH_RESPONSE_SECONDS = Metric(
    "keywatch_logstash_response_seconds", MetricKind.GAUGE, "How long Logstash's last answer took.", _CL, _LS
)
LOGSTASH_HEAP_USED_RATIO = Metric(
    "keywatch_logstash_heap_used_ratio", MetricKind.GAUGE, "Used part of the heap, 0 to 1.", _CL, _LS
)
LOGSTASH_START_TIMESTAMP_SECONDS = Metric(
    "keywatch_logstash_start_timestamp_seconds", MetricKind.GAUGE, "When its process began, in Unix time.", _CL, _LS
)
LOGSTASH_GC_SECONDS_TOTAL = Metric(
    "keywatch_logstash_gc_seconds_total", MetricKind.COUNTER, "Time spent on garbage collection.", _CL, _LS
)
LOGSTASH_OPEN_FILES = Metric("keywatch_logstash_open_files", MetricKind.GAUGE, "Open file descriptors.", _CL, _LS)
LOGSTASH_CPU_RATIO = Metric(
    "keywatch_logstash_cpu_ratio", MetricKind.GAUGE, "Used part of the machine's processors, 0 to 1.", _CL, _LS
)
LOGSTASH_EVENTS_TOTAL = Metric(
    "keywatch_logstash_events_total",
    MetricKind.COUNTER,
    "Events of the pipeline that came in, were filtered, and went out.",
    (*_CLP, "stage"),
    _LS,
    health=True,
)
LOGSTASH_QUEUE_PUSH_SECONDS_TOTAL = Metric(
    "keywatch_logstash_queue_push_seconds_total",
    MetricKind.COUNTER,
    "Time that inputs waited until the queue took an event.",
    _CLP,
    _LS,
)
LOGSTASH_PROCESSING_SECONDS_TOTAL = Metric(
    "keywatch_logstash_processing_seconds_total", MetricKind.COUNTER, "Time that workers spent on events.", _CLP, _LS
)
LOGSTASH_QUEUE_EVENTS = Metric("keywatch_logstash_queue_events", MetricKind.GAUGE, "Events in the queue.", _CLP, _LS)
LOGSTASH_QUEUE_BYTES = Metric(
    "keywatch_logstash_queue_bytes", MetricKind.GAUGE, "Size of the persisted queue.", _CLP, _LS, health=True
)
LOGSTASH_QUEUE_MAX_BYTES = Metric(
    "keywatch_logstash_queue_max_bytes",
    MetricKind.GAUGE,
    "Size at which the persisted queue takes nothing more.",
    _CLP,
    _LS,
    health=True,
)
LOGSTASH_QUEUE_DISK_FREE_BYTES = Metric(
    "keywatch_logstash_queue_disk_free_bytes", MetricKind.GAUGE, "Free space on the queue's file system.", _CLP, _LS
)
LOGSTASH_BACKPRESSURE = Metric(
    "keywatch_logstash_backpressure",
    MetricKind.GAUGE,
    "Inputs that on average waited for the queue, over the window.",
    (*_CLP, "window"),
    _LS,
)
LOGSTASH_WORKER_UTILIZATION_RATIO = Metric(
    "keywatch_logstash_worker_utilization_ratio",
    MetricKind.GAUGE,
    "Part of the workers' time that was spent on events, over the window.",
    (*_CLP, "window"),
    _LS,
)
LOGSTASH_QUEUE_GROWTH_BYTES = Metric(
    "keywatch_logstash_queue_growth_bytes",
    MetricKind.GAUGE,
    "Bytes by which the persisted queue grew each second, over the window.",
    (*_CLP, "window"),
    _LS,
)
LOGSTASH_RELOADS_TOTAL = Metric(
    "keywatch_logstash_reloads_total",
    MetricKind.COUNTER,
    "Times that the pipeline was loaded anew, by result.",
    (*_CLP, "result"),
    _LS,
)
LOGSTASH_RELOAD_SUCCESSFUL = Metric(
    "keywatch_logstash_reload_successful",
    MetricKind.GAUGE,
    "0 when the pipeline's last reload failed, so that an older one runs, or none; else 1.",
    _CLP,
    _LS,
    health=True,
)
LOGSTASH_DLQ_BYTES = Metric(
    "keywatch_logstash_dlq_bytes",
    MetricKind.GAUGE,
    "Size of what Elasticsearch refused and Logstash set aside.",
    _CLP,
    _LS,
    health=True,
)
LOGSTASH_DLQ_MAX_BYTES = Metric(
    "keywatch_logstash_dlq_max_bytes", MetricKind.GAUGE, "Size at which nothing more is set aside.", _CLP, _LS
)
LOGSTASH_DLQ_DROPPED_TOTAL = Metric(
    "keywatch_logstash_dlq_dropped_total",
    MetricKind.COUNTER,
    "Events that were refused and thrown away, because no more could be set aside.",
    _CLP,
    _LS,
    health=True,
)
LOGSTASH_DLQ_EXPIRED_TOTAL = Metric(
    "keywatch_logstash_dlq_expired_total", MetricKind.COUNTER, "Events set aside that grew too old.", _CLP, _LS
)
LOGSTASH_DOCUMENTS_TOTAL = Metric(
    "keywatch_logstash_documents_total",
    MetricKind.COUNTER,
    "Documents that an output gave to Elasticsearch, by what became of them; non_retryable: refused, or there already.",
    (*_CLP, "plugin", "result"),
    _LS,
    health=True,
)
LOGSTASH_BULK_REQUESTS_TOTAL = Metric(
    "keywatch_logstash_bulk_requests_total",
    MetricKind.COUNTER,
    "Requests that an output sent to Elasticsearch, by result.",
    (*_CLP, "plugin", "result"),
    _LS,
)
LOGSTASH_BULK_RESPONSES_TOTAL = Metric(
    "keywatch_logstash_bulk_responses_total",
    MetricKind.COUNTER,
    "Answers to those requests, by HTTP status.",
    (*_CLP, "plugin", "code"),
    _LS,
)
LOGSTASH_FILTER_FAILURES_TOTAL = Metric(
    "keywatch_logstash_filter_failures_total",
    MetricKind.COUNTER,
    "Events that a filter could not do its work on.",
    (*_CLP, "plugin"),
    _LS,
)

# --- Elasticsearch or OpenSearch -----------------------------------------------------------------------------------
ELASTICSEARCH_UP = Metric(
    "keywatch_elasticsearch_up", MetricKind.GAUGE, "1 when it answers how it is, else 0.", _C, _ES, health=True
)
ELASTICSEARCH_INFO = Metric(
    "keywatch_elasticsearch_info",
    MetricKind.GAUGE,
    "1; which product and version answers.",
    (*_C, "product", "version"),
    _ES,
)
ELASTICSEARCH_STATUS = Metric(
    "keywatch_elasticsearch_status",
    MetricKind.GAUGE,
    "1 for the cluster's health, 0 for the others; red: a primary shard is missing.",
    (*_C, "status"),
    _ES,
    health=True,
)
ELASTICSEARCH_NODES = Metric("keywatch_elasticsearch_nodes", MetricKind.GAUGE, "Nodes of the cluster.", _C, _ES)
ELASTICSEARCH_SHARDS_UNASSIGNED = Metric(
    "keywatch_elasticsearch_shards_unassigned", MetricKind.GAUGE, "Shards that no node holds.", _C, _ES
)
ELASTICSEARCH_DISK_AVAILABLE_RATIO = Metric(
    "keywatch_elasticsearch_disk_available_ratio",
    MetricKind.GAUGE,
    "Free part of the fullest node's file systems, 0 to 1.",
    _C,
    _ES,
    health=True,
)
ELASTICSEARCH_BLOCKED_INDICES = Metric(
    "keywatch_elasticsearch_blocked_indices",
    MetricKind.GAUGE,
    "Indices of the logs' data streams that should take documents and are read-only.",
    _C,
    _ES,
    health=True,
)
ELASTICSEARCH_LIFECYCLE_ERROR_INDICES = Metric(
    "keywatch_elasticsearch_lifecycle_error_indices",
    MetricKind.GAUGE,
    "Indices of the logs' data streams whose lifecycle policy stands still.",
    _C,
    _ES,
)
ELASTICSEARCH_INGEST_FAILED_TOTAL = Metric(
    "keywatch_elasticsearch_ingest_failed_total",
    MetricKind.COUNTER,
    "Documents for which the ingest pipeline failed, over all nodes.",
    (*_C, "pipeline"),
    _ES,
)
ELASTICSEARCH_DATA_STREAM_BYTES = Metric(
    "keywatch_elasticsearch_data_stream_bytes",
    MetricKind.GAUGE,
    "Size of the dataset's data streams, all copies.",
    _CD,
    _ES,
)
ELASTICSEARCH_BACKING_INDICES = Metric(
    "keywatch_elasticsearch_backing_indices", MetricKind.GAUGE, "Indices of the dataset's data streams.", _CD, _ES
)
ELASTICSEARCH_NEWEST_EVENT_TIMESTAMP_SECONDS = Metric(
    "keywatch_elasticsearch_newest_event_timestamp_seconds",
    MetricKind.GAUGE,
    "Time of the newest event that is stored of the dataset, in Unix time.",
    _CD,
    _ES,
    health=True,
)

# --- how far behind the search is ----------------------------------------------------------------------------------
LOG_CONSUME_LAG_RECORDS = Metric(
    "keywatch_log_consume_lag_records",
    MetricKind.GAUGE,
    "Records that Logstash has not read: end offset less committed offset, over known partitions.",
    _CT,
    _LAG,
    health=True,
)
LOG_INDEX_LAG_RECORDS = Metric(
    "keywatch_log_index_lag_records",
    MetricKind.GAUGE,
    "Records that Logstash has read and that cannot be searched yet, over known partitions.",
    _CT,
    _LAG,
    health=True,
)
LOG_LAG_SECONDS = Metric(
    "keywatch_log_lag_seconds",
    MetricKind.GAUGE,
    "By how much Kafka's newest record is newer than the newest that can be searched; the worst partition; 0 when "
    "nothing is missing. Where their times cannot be read: since when keywatch has seen that a record is missing.",
    _CT,
    _LAG,
    health=True,
)
LOG_PARTITIONS_UNKNOWN = Metric(
    "keywatch_log_partitions_unknown",
    MetricKind.GAUGE,
    "Partitions whose offsets could not be read: the lags miss them.",
    _CT,
    _LAG,
)
LOG_SEARCHABLE_RECORDS_TOTAL = Metric(
    "keywatch_log_searchable_records_total",
    MetricKind.COUNTER,
    "Records by which the newest searchable offset moved on since keywatch began to look.",
    _CT,
    _LAG,
    health=True,
)
LOG_WRITTEN_RECORDS_TOTAL = Metric(
    "keywatch_log_written_records_total",
    MetricKind.COUNTER,
    "Records by which the end offset moved on since keywatch began to look.",
    _CT,
    _LAG,
    health=True,
)
LOG_REDACTION_FAILED_DOCUMENTS = Metric(
    "keywatch_log_redaction_failed_documents",
    MetricKind.GAUGE,
    "Documents of the last hour whose personal data could not be taken out, so that all was left out.",
    _C,
    _LAG,
    health=True,
)
