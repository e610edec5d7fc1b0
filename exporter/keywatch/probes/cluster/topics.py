"""Which partitions work? Joins metadata with the living brokers, so that a dead one counts at once (no network)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.engine.series import Labels, LatestSeries, MetricSeries, Rows, SeriesSet
from keywatch.engine.slices import Pieces, in_slices
from keywatch.engine.store import key_of
from keywatch.kafka.chosen_topics import ChosenTopics, Topics
from keywatch.kafka.rights import DESCRIBE_TOPICS
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire.requests import PartitionState
from keywatch.metrics import cluster as cluster_metrics
from keywatch.metrics.metric import Metric
from keywatch.probes.cluster.unclean import UncleanSeries

_NOBODY: frozenset[int] = frozenset()


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


def judge(
    state: PartitionState, topology: Topology, min_in_sync: int | None, adding: frozenset[int] = _NOBODY
) -> PartitionHealth:
    """Work out a partition's effective state from metadata and the broker probe's verdicts.

    Offline: no living in-sync replica, or metadata knows no leader. Electing: the leader is dead, another in-sync
    replica lives. Kafka itself tells the same only after its session timeout (9 s by default). Replicas that a
    reassignment is `adding` are none that the partition should have already.
    """
    living = sum(topology.lives(broker) for broker in state.in_sync)
    demanded = _demanded(state, adding)
    leaderless = state.leader < 0
    return PartitionHealth(
        living_in_sync=living,
        offline=living == 0 or leaderless,
        electing=not leaderless and living > 0 and not topology.lives(state.leader),
        under_replicated=living < demanded,
        below_min_isr=min_in_sync is not None and living < min_in_sync,
        metadata_leaderless=leaderless,
        metadata_under_replicated=len(state.in_sync) < demanded,
        metadata_below_min_isr=min_in_sync is not None and len(state.in_sync) < min_in_sync,
    )


def _demanded(state: PartitionState, adding: frozenset[int]) -> int:
    return len(state.replicas) if adding is _NOBODY else sum(broker not in adding for broker in state.replicas)


_COUNTS = (
    (cluster_metrics.TOPIC_PARTITIONS_OFFLINE, attrgetter("offline"), "{} of {} partitions offline: {}"),
    (
        cluster_metrics.TOPIC_PARTITIONS_ELECTING,
        attrgetter("electing"),
        "{} of {} partitions without their leader, electing: {}",
    ),
    (cluster_metrics.TOPIC_PARTITIONS_UNDER_REPLICATED, attrgetter("under_replicated"), None),
    (
        cluster_metrics.TOPIC_PARTITIONS_BELOW_MIN_ISR,
        attrgetter("below_min_isr"),
        "{} of {} partitions below min.insync.replicas: {}",
    ),
    (cluster_metrics.TOPIC_METADATA_PARTITIONS_LEADERLESS, attrgetter("metadata_leaderless"), None),
    (cluster_metrics.TOPIC_METADATA_PARTITIONS_UNDER_REPLICATED, attrgetter("metadata_under_replicated"), None),
    (cluster_metrics.TOPIC_METADATA_PARTITIONS_BELOW_MIN_ISR, attrgetter("metadata_below_min_isr"), None),
)
_MIN_ISR_METRICS = (
    cluster_metrics.TOPIC_PARTITIONS_BELOW_MIN_ISR,
    cluster_metrics.TOPIC_METADATA_PARTITIONS_BELOW_MIN_ISR,
)
_NAMED_PARTITIONS = 8
_PARTITIONS_PER_PIECE = 1000


class TopicsProbe:
    """Every topic that is chosen, and the watched ones, which must exist."""

    name = "topics"
    target = ""

    def __init__(
        self,
        cluster: str,
        topology: Topology,
        schedule: Schedule,
        *,
        chosen: ChosenTopics,
        detail: bool = True,
    ) -> None:
        self.cluster = cluster
        self.schedule = schedule
        self._topology = topology
        self._chosen = chosen
        self._watch = chosen.watch
        self._detail = detail
        self._version = -1
        self._told = SeriesSet([])
        self._topics: dict[str, _TopicJudgement] = {}
        self._unclean = UncleanSeries(cluster, topology)

    async def run(self, timeout: float) -> Collection[Sample]:
        """Judge the partitions that anything changed of; raises `ProbeError` without metadata or rights."""
        topics = await self._topology.partitions(timeout / 2)
        version = self._topology.version
        if version != self._version:
            chosen = await self._chosen.of(topics)
            await in_slices(self._unclean.observe(chosen))
            self._told = await in_slices(self._judge(topics, chosen))
            self._version = version
        # What is counted may be told once, and the rest is told again as long as nothing changed.
        told = SeriesSet(self._told.series, (*self._told.loose, *self._unclean.samples()))
        found = (topic for topic in self._topology.forbidden if topic in self._chosen.meant or topic in self._watch)
        wanted = sorted(found, key=lambda topic: (topic not in self._watch, topic))
        if wanted:
            words = f"{len(wanted)} topics may not be described; {DESCRIBE_TOPICS.missing(wanted[0])}"
            raise ProbeError(Reason.AUTHORIZATION, words, told)
        return told

    async def close(self) -> None:
        """Nothing is held."""

    def _judge(self, topics: Topics, chosen: Topics) -> Pieces[SeriesSet]:
        # With few brokers most partitions are in one of a few states, and each state is judged once.
        verdicts: dict[tuple[object, ...], PartitionHealth] = {}
        self._topics = {topic: self._topics.get(topic) or _TopicJudgement((self.cluster, topic)) for topic in chosen}
        series: list[MetricSeries] = []
        for topic, kept in self._topics.items():
            min_in_sync = self._topology.min_in_sync.get(topic)
            adding = self._topology.adding.get(topic, {})
            healths: list[PartitionHealth] = []
            for index, state in topics[topic].items():
                added = adding.get(index, _NOBODY)
                key = (state.leader, state.in_sync, state.replicas, min_in_sync, added)
                health = verdicts.get(key)
                if health is None:
                    health = verdicts[key] = judge(state, self._topology, min_in_sync, added)
                healths.append(health)
                if len(healths) % _PARTITIONS_PER_PIECE == 0:
                    yield
            demands = min_in_sync is not None
            watched = topic in self._watch
            kept.fill(topics[topic], healths, adding, demands=demands, watched=watched, detail=self._detail)
            series += kept.series
            yield
        loose = self._chosen.samples(key_of(self))
        for topic in self._watch:
            if topic not in topics and topic not in self._topology.forbidden:
                note = "the watched topic does not exist"
                loose.append(Sample(cluster_metrics.TOPIC_EXISTS, (self.cluster, topic), 0.0, note))
                loose.append(Sample(cluster_metrics.TOPIC_UP, (self.cluster, topic), 0.0))
        return SeriesSet(series, loose)


class _TopicJudgement:
    """The series of one topic."""

    def __init__(self, labels: Labels) -> None:
        self.series: list[MetricSeries] = []
        self._labels = labels
        self._itself = Rows([labels])
        self._latest = LatestSeries()
        self._partitions: Mapping[int, PartitionState] = {}
        self._healths: list[PartitionHealth] = []
        self._form: tuple[object, ...] = ()
        self._rows = Rows([])

    def fill(
        self,
        partitions: Mapping[int, PartitionState],
        healths: list[PartitionHealth],
        adding: Mapping[int, frozenset[int]],
        *,
        demands: bool,
        watched: bool,
        detail: bool,
    ) -> None:
        """Make the series anew, unless nothing changed; without a demand nothing is below min.insync.replicas."""
        form = (demands, watched, detail, adding)
        if partitions is self._partitions and healths == self._healths and form == self._form:
            return
        if partitions.keys() != self._partitions.keys():
            self._rows = Rows([(*self._labels, str(index)) for index in partitions])
        self._partitions, self._healths, self._form = partitions, healths, form
        self.series = [self._one(cluster_metrics.TOPIC_PARTITIONS, len(partitions))]
        for metric, attribute, words in _COUNTS:
            if demands or metric not in _MIN_ISR_METRICS:
                bad = [i for i, found in zip(partitions, map(attribute, healths), strict=True) if found]
                note = words.format(len(bad), len(partitions), _numbers(bad)) if words and bad else None
                self.series.append(self._one(metric, len(bad), note))
        if watched:
            self.series.append(self._one(cluster_metrics.TOPIC_EXISTS, 1))
            self.series.append(self._one(cluster_metrics.TOPIC_UP, int(not any(found.offline for found in healths))))
        if detail and partitions:
            states = partitions.values()
            living = [found.living_in_sync for found in healths]
            put, rows = self._latest.record, self._rows
            self.series.append(put(cluster_metrics.PARTITION_LEADER, rows, [state.leader for state in states]))
            demanded = [_demanded(state, adding.get(index, _NOBODY)) for index, state in partitions.items()]
            self.series.append(put(cluster_metrics.PARTITION_REPLICAS, rows, demanded))
            self.series.append(put(cluster_metrics.PARTITION_IN_SYNC_REPLICAS, rows, living))

    def _one(self, metric: Metric, value: int, note: str | None = None) -> MetricSeries:
        return self._latest.record(metric, self._itself, [value], (note,) if note else None)


def _numbers(partitions: Sequence[int]) -> str:
    shown = ", ".join(str(index) for index in sorted(partitions)[:_NAMED_PARTITIONS])
    return shown if len(partitions) <= _NAMED_PARTITIONS else f"{shown} …"
