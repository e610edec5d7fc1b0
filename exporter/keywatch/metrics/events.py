"""The metrics of the events that Keycloak's listeners write (standard library only)."""

from __future__ import annotations

from typing import Final

from keywatch.metrics.metric import Metric, MetricKind

_CL: Final = ("cluster", "listener")

# From what a healthy path takes to the two minutes after which Kafka's producers give a record up, and beyond.
_DELAY_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)

EVENTS_UP = Metric(
    "keywatch_events_up",
    MetricKind.GAUGE,
    "1 when every partition of the listener's topics can be read, and keywatch keeps up with them.",
    _CL,
    "events",
    health=True,
)
EVENTS_RECEIVED_TOTAL = Metric(
    "keywatch_events_received_total",
    MetricKind.COUNTER,
    "Events that arrived, each once; the event as Keycloak's own counter names it, or admin_ and the operation.",
    (*_CL, "realm", "event", "outcome"),
    "events",
)
EVENT_LAST_TIMESTAMP_SECONDS = Metric(
    "keywatch_event_last_timestamp_seconds",
    MetricKind.GAUGE,
    "When the newest event that arrived from the realm happened, in Unix time.",
    (*_CL, "realm"),
    "events",
)
EVENT_DELIVERY_DELAY_SECONDS = Metric(
    "keywatch_event_delivery_delay_seconds",
    MetricKind.HISTOGRAM,
    "Time from the event until its record's timestamp, which as a rule is when the listener handed it to its client.",
    _CL,
    "events",
    buckets=_DELAY_BUCKETS,
)
EVENT_ARRIVAL_DELAY_SECONDS = Metric(
    "keywatch_event_arrival_delay_seconds",
    MetricKind.HISTOGRAM,
    "Time from the event until keywatch read it, by keywatch's clock; not counted while keywatch itself is behind.",
    _CL,
    "events",
    buckets=_DELAY_BUCKETS,
)
EVENTS_CLOCK_SKEWED_TOTAL = Metric(
    "keywatch_events_clock_skewed_total",
    MetricKind.COUNTER,
    "Events that by the clocks happened after they were written or read; their delays count as 0.",
    _CL,
    "events",
)
EVENTS_MALFORMED_TOTAL = Metric(
    "keywatch_events_malformed_total",
    MetricKind.COUNTER,
    "Records in the listener's topics that are no event, by reason.",
    (*_CL, "reason"),
    "events",
)
EVENTS_DUPLICATED_TOTAL = Metric(
    "keywatch_events_duplicated_total",
    MetricKind.COUNTER,
    "Events that arrived again: their id is among the last 50,000.",
    _CL,
    "events",
)
EVENTS_KEY_UNEXPECTED_TOTAL = Metric(
    "keywatch_events_key_unexpected_total",
    MetricKind.COUNTER,
    "Events whose record has a key that this listener would not write.",
    _CL,
    "events",
)
EVENTS_BYTES_TOTAL = Metric(
    "keywatch_events_bytes_total",
    MetricKind.COUNTER,
    "Bytes of the keys and values of all records in the listener's topics.",
    _CL,
    "events",
)
EVENTS_SKIPPED_RECORDS_TOTAL = Metric(
    "keywatch_events_skipped_records_total",
    MetricKind.COUNTER,
    "Records that Kafka deleted before keywatch had read them.",
    _CL,
    "events",
)
EVENTS_BEHIND_RECORDS = Metric(
    "keywatch_events_behind_records",
    MetricKind.GAUGE,
    "Records in the listener's topics that keywatch has not read yet; of unread partitions by their last known end.",
    _CL,
    "events",
    health=True,
)
EVENTS_PARTITIONS = Metric(
    "keywatch_events_partitions", MetricKind.GAUGE, "Partitions of the listener's topics.", _CL, "events"
)
EVENTS_PARTITIONS_UNREAD = Metric(
    "keywatch_events_partitions_unread",
    MetricKind.GAUGE,
    "Partitions of the listener's topics that cannot be read now: without living leader, forbidden or stuck.",
    _CL,
    "events",
    health=True,
)
