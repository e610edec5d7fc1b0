"""Where do the partitions begin and end? Reads end offsets each period and start offsets now and then."""

from __future__ import annotations

from collections.abc import Sequence

from keywatch import catalogue
from keywatch.kafka import wire
from keywatch.kafka.offsets import Offsets, read_offsets
from keywatch.kafka.peers import Peers
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import TopicPartition
from keywatch.patterns import Patterns
from keywatch.probe import ProbeError, Sample, Schedule

# Start offsets move when retention deletes segments, which Kafka does every five minutes.
_START_EVERY = 10


class OffsetsProbe:
    """The offsets of every partition of the patterns; an unread partition costs only its own series."""

    name = "offsets"
    target = ""

    def __init__(
        self,
        cluster: str,
        topology: Topology,
        peers: Peers,
        schedule: Schedule,
        *,
        topics: Patterns,
        detail: bool = True,
    ) -> None:
        self.cluster = cluster
        self.schedule = schedule
        self._topology = topology
        self._peers = peers
        self._patterns = topics
        self._detail = detail
        self._runs = 0
        self._starts: dict[TopicPartition, int] = {}

    async def run(self, timeout: float) -> Sequence[Sample]:
        """Read the offsets; raises `ProbeError` when not a single partition could be read."""
        topics = await self._topology.partitions(timeout / 2)
        wanted = [
            TopicPartition(topic, index)
            for topic, partitions in topics.items()
            if topic in self._patterns
            for index in partitions
        ]
        ends = await read_offsets(self._topology, self._peers, wanted, wire.END, timeout * 0.6)
        if self._runs % _START_EVERY == 0:
            # Only brokers that have just answered are asked again, so that a frozen one costs one deadline, not two.
            starts = await read_offsets(self._topology, self._peers, ends.found, wire.START, timeout * 0.3)
            self._starts.update(starts.found)
            self._starts = {partition: self._starts[partition] for partition in wanted if partition in self._starts}
        self._runs += 1
        samples = self._samples(wanted, ends)
        if wanted and not ends.found:
            reason, detail = next(iter(ends.unread.values()))
            raise ProbeError(reason, f"no partition could be read, the first because {detail}", samples)
        return samples

    async def close(self) -> None:
        """Close the connections."""
        self._peers.close()

    def _samples(self, wanted: Sequence[TopicPartition], ends: Offsets) -> list[Sample]:
        unread: dict[str, int] = {}
        samples: list[Sample] = []
        for partition in wanted:
            unread[partition.topic] = unread.get(partition.topic, 0) + (partition in ends.unread)
            if not self._detail:
                continue
            labels = (self.cluster, partition.topic, str(partition.partition))
            if partition in ends.found:
                samples.append(Sample(catalogue.PARTITION_END_OFFSET, labels, float(ends.found[partition])))
                if partition in self._starts:
                    samples.append(Sample(catalogue.PARTITION_START_OFFSET, labels, float(self._starts[partition])))
        for topic, count in unread.items():
            note = None
            if count:
                reason, detail = next(ends.unread[p] for p in wanted if p.topic == topic and p in ends.unread)
                note = f"offsets of {count} partitions could not be read, {reason}: {detail}"
            samples.append(Sample(catalogue.TOPIC_PARTITIONS_UNREAD, (self.cluster, topic), float(count), note))
        return samples
