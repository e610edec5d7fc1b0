"""The metrics of what topics promise, and how long records last that nobody has read (standard library only)."""

from __future__ import annotations

from typing import Final

from keywatch.metrics.metric import Metric, MetricKind

_PROBE: Final = "retention"

TOPIC_REPLICATION_FACTOR = Metric(
    "keywatch_topic_replication_factor",
    MetricKind.GAUGE,
    "How many replicas the partition of the topic has that has the fewest.",
    ("cluster", "topic"),
    "configs",
)
TOPIC_UNCLEAN_LEADER_ELECTION = Metric(
    "keywatch_topic_unclean_leader_election",
    MetricKind.GAUGE,
    "1 when a replica that lacks records may lead (`unclean.leader.election.enable`), which loses them.",
    ("cluster", "topic"),
    "configs",
)
TOPIC_UNCLEAN_ELECTIONS_TOTAL = Metric(
    "keywatch_topic_unclean_elections_total",
    MetricKind.COUNTER,
    "Times that a replica was seen to lead a partition which had not been in sync, of topics that allow it.",
    ("cluster", "topic"),
    "topics",
    health=True,
)
TOPIC_UNCLEAN_ELECTION_TIMESTAMP_SECONDS = Metric(
    "keywatch_topic_unclean_election_timestamp_seconds",
    MetricKind.GAUGE,
    "Unix time when that was last seen; absent as long as it was not.",
    ("cluster", "topic"),
    "topics",
    health=True,
)
TOPIC_RETENTION_SECONDS = Metric(
    "keywatch_topic_retention_seconds",
    MetricKind.GAUGE,
    "For how long the topic keeps a record by its `retention.ms`; absent where it keeps it for ever, or by key.",
    ("cluster", "topic"),
    "configs",
)
TOPIC_AS_EXPECTED = Metric(
    "keywatch_topic_as_expected",
    MetricKind.GAUGE,
    "1 when a setting of the topic is what `topics.expect` demands, 0 when it is not; `severity` is whom that calls.",
    ("cluster", "topic", "setting", "severity"),
    "configs",
    health=True,
)
GROUP_RETENTION_LEFT_SECONDS = Metric(
    "keywatch_group_retention_left_seconds",
    MetricKind.GAUGE,
    "Time until the oldest record that the group has not read may be deleted by `retention.ms`, in its worst partition;"
    " the whole retention when it has read all.",
    ("cluster", "group", "topic"),
    _PROBE,
)
GROUP_RETENTION_LEFT_SECONDS_LIMIT = Metric(
    "keywatch_group_retention_left_seconds_limit",
    MetricKind.GAUGE,
    "With less time left somebody is called (`groups.limits`).",
    ("cluster", "group"),
    "groups",
)
