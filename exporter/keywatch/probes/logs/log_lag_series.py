"""Adds up over a topic's partitions what the probe of the log lag found."""

from __future__ import annotations

from collections.abc import Collection

from keywatch.engine.probe import Sample
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.metrics import logs as cat
from keywatch.metrics.metric import Metric


class LogLagSeries:
    """Sums, and the worst of seconds; a topic that exists has each series also when it is 0."""

    def __init__(self, cluster: str, topics: Collection[str], existing: Collection[str]) -> None:
        self._cluster = cluster
        self._topics = [topic for topic in topics if topic in existing]
        self._sums: dict[tuple[Metric, str], float] = {}
        self.loose: list[Sample] = []

    def add(self, metric: Metric, partition: TopicPartition, value: float) -> None:
        """Add a partition's value to its topic's."""
        key = metric, partition.topic
        self._sums[key] = self._sums.get(key, 0.0) + value

    def worst(self, partition: TopicPartition, seconds: float) -> None:
        """Record how many seconds a partition is behind."""
        key = cat.LOG_LAG_SECONDS, partition.topic
        self._sums[key] = max(self._sums.get(key, 0.0), seconds)

    def unknown(self, partition: TopicPartition) -> None:
        """Count a partition that the sums miss."""
        self.add(cat.LOG_PARTITIONS_UNKNOWN, partition, 1)

    def samples(self, *, searched: bool) -> list[Sample]:
        """Return the samples; those that the search tells only when it was `searched`."""
        metrics = [cat.LOG_CONSUME_LAG_RECORDS, cat.LOG_PARTITIONS_UNKNOWN, cat.LOG_WRITTEN_RECORDS_TOTAL]
        if searched:
            metrics += [cat.LOG_INDEX_LAG_RECORDS, cat.LOG_LAG_SECONDS, cat.LOG_SEARCHABLE_RECORDS_TOTAL]
        made = [
            Sample(metric, (self._cluster, topic), self._sums.get((metric, topic), 0.0))
            for topic in self._topics
            for metric in metrics
        ]
        return [*made, *self.loose]
