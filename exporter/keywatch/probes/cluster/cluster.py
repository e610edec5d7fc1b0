"""Does the cluster answer, who belongs to it, and what does its metadata say? Asked of several living brokers."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.engine.slices import Pieces
from keywatch.kafka.errors import TOPIC_AUTHORIZATION_FAILED
from keywatch.kafka.peers import Peers, first
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import requests
from keywatch.kafka.wire.codec import Reader
from keywatch.kafka.wire.reply_memory import ReplyMemory
from keywatch.metrics import cluster as cluster_metrics

# How long a second answer may take after the first: long enough for a living broker, short enough not to wait for
# a frozen one.
_PATIENCE = 0.2
_MISSES_ALLOWED = 2
_MOST_ASKED_FOR = 100
# A calm cluster's partitions are read once a second for each 2,000 of them, as seldom as every 10 s.
_PARTITIONS_PER_SECOND = 2000
_LONGEST = 10.0


class ClusterProbe:
    """One cluster's metadata each period, from `ask` brokers at once; every `register_after` seconds its register."""

    name = "cluster"
    target = ""

    def __init__(
        self,
        cluster: str,
        topology: Topology,
        peers: Peers,
        schedule: Schedule,
        *,
        ask: int = 2,
        watch: Sequence[str] = (),
        register_after: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cluster = cluster
        self.schedule = schedule
        self._topology = topology
        self._peers = peers
        self._ask = ask
        self._watch = frozenset(watch)
        self._register_after = register_after
        self._clock = clock
        self._turn = 0
        self._registered_at = float("-inf")
        self._memories: dict[str, ReplyMemory[dict[int, requests.PartitionState]]] = {}
        self._learned_at = float("-inf")
        self._misses = 0

    async def run(self, timeout: float) -> Sequence[Sample]:
        """Read metadata; raises `ProbeError` when no broker gives it, with `cluster_up` 0 once that is certain."""
        living = [broker.label for broker in self._topology.living()]
        if not living:
            count = len(self._topology.brokers)
            words = f"none of {count} brokers answers" if count > 1 else "its only broker does not answer"
            raise self._failed(self._topology.common_reason(), words, certain=True)
        self._turn += 1
        chosen = [living[(self._turn + i) % len(living)] for i in range(min(self._ask, len(living)))]
        whole = self._clock() - self._learned_at >= self._learn_after()
        calls = [self._metadata(label, timeout * 0.9, whole=whole) for label in chosen]
        answers, errors = await first(calls, _PATIENCE)
        if not answers:
            self._misses += 1
            error = errors[0]
            certain = self._misses >= _MISSES_ALLOWED
            raise self._failed(error.reason, f"no metadata: {error.detail}", certain=certain)
        self._misses = 0
        if whole:
            newest = _newest(answers)
            # First who may not be seen, then who is not there: nobody may take the one for the other in between.
            wanted = {*(self._topology.topics or ()), *self._topology.forbidden, *self._watch}
            await self._look_for(wanted - newest.topics.keys(), timeout)
            self._learned_at = self._clock()
            self._topology.record(newest)
        else:
            self._topology.learn_brokers(answers[0])
        await self._register(timeout)
        return self._samples(None)

    async def close(self) -> None:
        """Close the connections."""
        self._peers.close()

    async def _look_for(self, missing: AbstractSet[str], timeout: float) -> None:
        """Ask by name for topics that are gone or missing: only so does a broker say that rights are missing."""
        topology = self._topology
        if not missing:
            topology.forbid(())
            return
        labels = [broker.label for broker in topology.living()][: self._ask]
        request = requests.metadata(sorted(missing)[:_MOST_ASKED_FOR])
        answers, _ = await first(
            [self._peers.ask(label, request, timeout / 2, requests.read_metadata) for label in labels], 0.0
        )
        for answer in answers:
            topology.forbid(topic for topic, code in answer.errors.items() if code == TOPIC_AUTHORIZATION_FAILED)

    async def _metadata(self, label: str, timeout: float, *, whole: bool) -> requests.Metadata:
        if not whole:
            return await self._peers.ask(label, requests.metadata(()), timeout, requests.read_metadata)
        memory, before = self._memories.setdefault(label, ReplyMemory()), self._topology.topics or {}

        def read(reader: Reader) -> Pieces[requests.Metadata]:
            return requests.reading_metadata(reader, memory, before)

        started = self._clock()
        version = 10 if await self._peers.highest(label, requests.METADATA, timeout) >= 10 else 8
        left = max(timeout - (self._clock() - started), 0.001)
        return await self._peers.ask_much(label, requests.metadata(version=version), left, read)

    def _learn_after(self) -> float:
        """Return the seconds for which what is known of partitions may serve: the more there are, the longer.

        While anything is wrong it is read every period, because then it moves.
        """
        if not self._topology.calm():
            return 0.0
        return min(self._topology.size / _PARTITIONS_PER_SECOND, _LONGEST)

    async def _register(self, timeout: float) -> None:
        """Learn who is registered, dead or alive; brokers before Kafka 4.0 cannot say, which is no failure."""
        now = self._clock()
        if now - self._registered_at < self._register_after:
            return
        self._registered_at = now
        labels = [broker.label for broker in self._topology.living()][: self._ask]
        calls = [
            self._peers.ask(label, requests.describe_cluster(), timeout / 2, requests.read_describe_cluster)
            for label in labels
        ]
        answers, _ = await first(calls, 0.0)
        for error, nodes in answers:
            if error == 0 and nodes:
                self._topology.learn_registered(nodes)
                return

    def _failed(self, reason: Reason, detail: str, *, certain: bool) -> ProbeError:
        samples = self._samples(f"down, {reason}: {detail}") if certain else []
        return ProbeError(reason, detail, samples)

    def _samples(self, trouble: str | None) -> list[Sample]:
        topology, labels = self._topology, (self.cluster,)
        samples = [
            Sample(cluster_metrics.CLUSTER_UP, labels, float(trouble is None), trouble),
            Sample(cluster_metrics.BROKERS, labels, float(len(topology.up()))),
            Sample(cluster_metrics.BROKERS_EXPECTED, labels, float(len(topology.brokers))),
        ]
        if topology.cluster_id:
            samples.append(Sample(cluster_metrics.CLUSTER_INFO, (self.cluster, topology.cluster_id), 1.0))
        return samples


def _newest(answers: Sequence[requests.Metadata]) -> requests.Metadata:
    """Join several brokers' metadata: of each partition the state of the latest leader epoch.

    Of one epoch the smaller set of in-sync replicas counts, because shrinking it does not raise the epoch and a
    broker cut off from its controller goes on telling the old one.
    """
    if len(answers) == 1 or all(answer.topics == answers[0].topics for answer in answers[1:]):
        return answers[0]
    topics: dict[str, dict[int, requests.PartitionState]] = {}
    ids: dict[str, bytes] = {}
    for answer in answers:
        ids = {**answer.ids, **ids}
        for topic, partitions in answer.topics.items():
            joined = topics.setdefault(topic, {})
            for index, state in partitions.items():
                known = joined.get(index)
                if known is None or (state.epoch, -len(state.in_sync)) > (known.epoch, -len(known.in_sync)):
                    joined[index] = state
    return answers[0]._replace(topics=topics, ids=ids)
