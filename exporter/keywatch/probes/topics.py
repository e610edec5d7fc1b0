"""Which partitions work? Joins metadata with the living brokers, so that a dead one counts at once (no network)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from keywatch import catalogue
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import PartitionState
from keywatch.patterns import Patterns
from keywatch.probe import ProbeError, Reason, Sample, Schedule


class PartitionHealth(NamedTuple):
    """The effective state of one partition, and what metadata alone says of it."""

    living_in_sync: int
    offline: bool
    electing: bool
    under_replicated: bool
    below_min_isr: bool
    metadata_leaderless: bool
    metadata_under_replicated: bool
    metadata_below_min_isr: bool


def judge(state: PartitionState, topology: Topology, min_in_sync: int | None) -> PartitionHealth:
    """Work out a partition's effective state from metadata and the broker probe's verdicts.

    Offline: no living in-sync replica, or metadata knows no leader. Electing: the leader is dead, another in-sync
    replica lives. Kafka itself tells the same only after its session timeout (9 s by default).
    """
    living = sum(topology.lives(broker) for broker in state.in_sync)
    leaderless = state.leader < 0
    return PartitionHealth(
        living_in_sync=living,
        offline=living == 0 or leaderless,
        electing=not leaderless and living > 0 and not topology.lives(state.leader),
        under_replicated=living < len(state.replicas),
        below_min_isr=min_in_sync is not None and living < min_in_sync,
        metadata_leaderless=leaderless,
        metadata_under_replicated=len(state.in_sync) < len(state.replicas),
        metadata_below_min_isr=min_in_sync is not None and len(state.in_sync) < min_in_sync,
    )


_COUNTS = (
    (catalogue.TOPIC_PARTITIONS_OFFLINE, "offline", "{} of {} partitions offline: {}"),
    (catalogue.TOPIC_PARTITIONS_ELECTING, "electing", "{} of {} partitions without their leader, electing: {}"),
    (catalogue.TOPIC_PARTITIONS_UNDER_REPLICATED, "under_replicated", None),
    (catalogue.TOPIC_PARTITIONS_BELOW_MIN_ISR, "below_min_isr", "{} of {} partitions below min.insync.replicas: {}"),
    (catalogue.TOPIC_METADATA_PARTITIONS_LEADERLESS, "metadata_leaderless", None),
    (catalogue.TOPIC_METADATA_PARTITIONS_UNDER_REPLICATED, "metadata_under_replicated", None),
    (catalogue.TOPIC_METADATA_PARTITIONS_BELOW_MIN_ISR, "metadata_below_min_isr", None),
)
_MIN_ISR_METRICS = (
    catalogue.TOPIC_PARTITIONS_BELOW_MIN_ISR,
    catalogue.TOPIC_METADATA_PARTITIONS_BELOW_MIN_ISR,
)
_NAMED_PARTITIONS = 8


class TopicsProbe:
    """Every topic of the patterns, and the watched ones, which must exist."""

    name = "topics"
    target = ""

    def __init__(
        self,
        cluster: str,
        topology: Topology,
        schedule: Schedule,
        *,
        topics: Patterns,
        watch: Sequence[str] = (),
        detail: bool = True,
    ) -> None:
        self.cluster = cluster
        self.schedule = schedule
        self._topology = topology
        self._patterns = topics
        self._watch = tuple(watch)
        self._detail = detail

    async def run(self, timeout: float) -> Sequence[Sample]:
        """Judge every partition; raises `ProbeError` until metadata was read once, and when rights are missing."""
        topics = await self._topology.partitions(timeout / 2)
        samples: list[Sample] = []
        for topic, partitions in topics.items():
            if topic in self._patterns or topic in self._watch:
                samples += self._topic(topic, partitions)
        forbidden = self._topology.forbidden
        for topic in self._watch:
            if topic not in topics and topic not in forbidden:
                note = "the watched topic does not exist"
                samples.append(Sample(catalogue.TOPIC_EXISTS, (self.cluster, topic), 0.0, note))
                samples.append(Sample(catalogue.TOPIC_UP, (self.cluster, topic), 0.0))
        found = (topic for topic in forbidden if topic in self._patterns or topic in self._watch)
        wanted = sorted(found, key=lambda topic: (topic not in self._watch, topic))
        if wanted:
            words = f"{len(wanted)} topics may not be described; Describe on Topic:{wanted[0]} is missing"
            raise ProbeError(Reason.AUTHORIZATION, words, samples)
        return samples

    async def close(self) -> None:
        """Nothing is held."""

    def _topic(self, topic: str, partitions: Mapping[int, PartitionState]) -> list[Sample]:
        labels = (self.cluster, topic)
        min_in_sync = self._topology.min_in_sync.get(topic)
        health = {index: judge(state, self._topology, min_in_sync) for index, state in partitions.items()}
        samples = [Sample(catalogue.TOPIC_PARTITIONS, labels, float(len(partitions)))]
        for metric, attribute, words in _COUNTS:
            if min_in_sync is None and metric in _MIN_ISR_METRICS:
                continue
            bad = [index for index, found in health.items() if getattr(found, attribute)]
            note = words.format(len(bad), len(partitions), _numbers(bad)) if words and bad else None
            samples.append(Sample(metric, labels, float(len(bad)), note))
        if topic in self._watch:
            offline = any(found.offline for found in health.values())
            samples.append(Sample(catalogue.TOPIC_EXISTS, labels, 1.0))
            samples.append(Sample(catalogue.TOPIC_UP, labels, float(not offline)))
        if self._detail:
            for index, state in partitions.items():
                where = (*labels, str(index))
                samples.append(Sample(catalogue.PARTITION_LEADER, where, float(state.leader)))
                samples.append(Sample(catalogue.PARTITION_REPLICAS, where, float(len(state.replicas))))
                samples.append(Sample(catalogue.PARTITION_IN_SYNC_REPLICAS, where, float(health[index].living_in_sync)))
        return samples


def _numbers(partitions: Sequence[int]) -> str:
    shown = ", ".join(str(index) for index in sorted(partitions)[:_NAMED_PARTITIONS])
    return shown if len(partitions) <= _NAMED_PARTITIONS else f"{shown} …"
