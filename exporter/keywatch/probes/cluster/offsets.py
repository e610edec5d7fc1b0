"""Where do the partitions begin and end? Reads end offsets each period and start offsets now and then."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from keywatch.engine.counted import counted
from keywatch.engine.deadline import Deadline
from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.engine.series import Labels, LatestSeries, MetricSeries, Rows, SeriesSet
from keywatch.engine.slices import Pieces, in_slices
from keywatch.kafka.chosen_topics import ChosenTopics, Topics
from keywatch.kafka.offsets import Watermarks, without
from keywatch.kafka.peers import Peers
from keywatch.kafka.recreated_topics import RecreatedTopics
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import requests
from keywatch.metrics import cluster as cluster_metrics

# Start offsets move when retention deletes segments, which Kafka does every five minutes.
_START_EVERY = 10
_NOTHING: Mapping[int, tuple[Reason, str]] = {}


class OffsetsProbe:
    """The offsets of every partition of the chosen topics; an unread partition costs only its own series."""

    name = "offsets"
    target = ""

    def __init__(
        self,
        cluster: str,
        topology: Topology,
        peers: Peers,
        schedule: Schedule,
        *,
        chosen: ChosenTopics,
        detail: bool = True,
    ) -> None:
        self.cluster = cluster
        self.schedule = schedule
        self._topology = topology
        self._peers = peers
        self._chosen = chosen
        self._detail = detail
        self._runs = 0
        self._ends = Watermarks(topology, peers, requests.END)
        self._starts = Watermarks(topology, peers, requests.START)
        self._renewals = RecreatedTopics(topology)
        self._topics: Topics = {}
        self._wanted: dict[str, tuple[int, ...]] = {}
        self._topics_offsets: dict[str, _TopicOffsets] = {}
        self._touched: set[str] = set()

    async def run(self, timeout: float) -> Collection[Sample]:
        """Read the offsets; raises `ProbeError` when not a single partition could be read."""
        for topic in self._renewals.since_last_call():
            self._ends.drop(topic)
            self._starts.drop(topic)
            self._runs = 0
        deadline = Deadline(timeout)
        self._choose(await self._chosen.of(await self._topology.partitions(deadline.share(0.5).left)))
        ends = await self._ends.fetch(self._wanted, deadline.share(0.6).left)
        self._touched |= {partition.topic for partition in ends.changed}
        if self._runs % _START_EVERY == 0:
            # Only brokers that have just answered are asked again, so that a frozen one costs one deadline, not two.
            starts = await self._starts.fetch(without(self._wanted, ends.unread), deadline.share(0.3).left)
            self._touched |= {partition.topic for partition in starts.changed}
        self._runs += 1
        unread: dict[str, dict[int, tuple[Reason, str]]] = {}
        for partition, why in ends.unread.items():
            unread.setdefault(partition.topic, {})[partition.partition] = why
        series = await in_slices(self._series(unread))
        count = sum(len(indexes) for indexes in self._wanted.values())
        if count and len(ends.unread) == count:
            reason, detail = next(iter(ends.unread.values()))
            counted = SeriesSet([one for one in series if one.metric is cluster_metrics.TOPIC_PARTITIONS_UNREAD])
            raise ProbeError(reason, f"no partition could be read, the first because {detail}", counted)
        return SeriesSet(series)

    async def close(self) -> None:
        """Close the connections."""
        self._peers.close()

    def _choose(self, topics: Topics) -> None:
        """Work out which partitions are wanted, when metadata changed."""
        if topics is self._topics:
            return
        self._topics = topics
        self._wanted = {topic: tuple(states) for topic, states in topics.items() if topic in self._chosen.meant}
        self._topics_offsets = {
            topic: self._topics_offsets.get(topic) or _TopicOffsets((self.cluster, topic)) for topic in self._wanted
        }
        self._touched = set(self._wanted)

    def _series(self, unread: Mapping[str, Mapping[int, tuple[Reason, str]]]) -> Pieces[list[MetricSeries]]:
        """Put the series together; a topic whose offsets are as before keeps its own."""
        series: list[MetricSeries] = []
        for topic, offsets_of_topic in self._topics_offsets.items():
            missing = unread.get(topic, _NOTHING)
            if topic in self._touched or offsets_of_topic.missing != missing:
                self._touched.discard(topic)
                starts = self._starts.known.get(topic, {}) if self._detail else {}
                ends = self._ends.known.get(topic, {}) if self._detail else {}
                offsets_of_topic.fill(self._wanted[topic], ends, starts, missing)
            series += offsets_of_topic.series
            yield
        return series


class _TopicOffsets:
    """The series of one topic."""

    def __init__(self, labels: Labels) -> None:
        self.missing: Mapping[int, tuple[Reason, str]] = _NOTHING
        self.series: list[MetricSeries] = []
        self._labels = labels
        self._itself = Rows([labels])
        self._latest = LatestSeries()
        self._rows: dict[tuple[int, ...], Rows] = {}

    def fill(
        self,
        partitions: Sequence[int],
        ends: Mapping[int, int],
        starts: Mapping[int, int],
        missing: Mapping[int, tuple[Reason, str]],
    ) -> None:
        """Make the series anew; partitions that are `missing`, with why, have no offsets."""
        self.missing = missing
        note = None
        if missing:
            reason, detail = next(iter(missing.values()))
            note = f"offsets of {counted(len(missing), 'partition')} could not be read, {reason}: {detail}"
        count = self._latest.record(
            cluster_metrics.TOPIC_PARTITIONS_UNREAD, self._itself, [len(missing)], (note,) if note else None
        )
        ended = tuple(index for index in partitions if index in ends and index not in missing)
        started = tuple(index for index in ended if index in starts)
        # Both metrics have the same rows but in the first cycle and while something is wrong.
        self._rows = {some: self._rows.get(some) or self._labelled(some) for some in dict.fromkeys((ended, started))}
        self.series = [count]
        for metric, some, offsets in (
            (cluster_metrics.PARTITION_END_OFFSET, ended, ends),
            (cluster_metrics.PARTITION_START_OFFSET, started, starts),
        ):
            if some:
                self.series.append(self._latest.record(metric, self._rows[some], [offsets[index] for index in some]))

    def _labelled(self, partitions: Sequence[int]) -> Rows:
        return Rows([(*self._labels, str(index)) for index in partitions])
