"""Does the cluster answer, who belongs to it, and what does its metadata say? Asked of several living brokers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet

from keywatch.engine import supervised
from keywatch.engine.deadline import Deadline
from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.engine.slices import Pieces
from keywatch.engine.supervised import Part
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.errors import TOPIC_AUTHORIZATION_FAILED
from keywatch.kafka.peers import Peers, first
from keywatch.kafka.proof import other_cluster
from keywatch.kafka.reassignments import Reassignments
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import requests
from keywatch.kafka.wire.codec import Reader
from keywatch.kafka.wire.reply_memory import ReplyMemory
from keywatch.metrics import cluster as cluster_metrics

# How long a second answer may take after the first: long enough for a living broker, short enough not to wait for
# a frozen one.
_PATIENCE = 0.2
# Of the time, for metadata; what is asked afterwards has what is left, and waits when that is less than metadata took.
_METADATA_SHARE = 0.9
_MISSES_ALLOWED = 2
_MOST_ASKED_FOR = 100
# A calm cluster's partitions are read once a second for each 2,000 of them, as seldom as every 10 s.
_PARTITIONS_PER_SECOND = 2000
_LONGEST = 10.0
_KEPT_OUT = frozenset({Reason.THROTTLED, Reason.CONNECTION_LIMIT, Reason.EXHAUSTED})
# Where nobody who is known answers, the bootstrap addresses are asked in each run, and otherwise one of them this
# often: clients that start now meet what they say.
_BOOTSTRAP_AFTER = 30.0
_MOST_BOOTSTRAPS = 5
# How long a run waits for them before it gives the verdict without them.
_SOON = 0.15
_MOST_NAMED = 5


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
        reassignments: Reassignments | None = None,
        register_after: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cluster = cluster
        self.schedule = schedule
        self._topology = topology
        self._peers = peers
        self._ask = ask
        self._watch = frozenset(watch)
        self._reassignments = reassignments or Reassignments(peers)
        self._register_after = register_after
        self._clock = clock
        self._turn = 0
        self._registered_at = float("-inf")
        self._memories: dict[str, ReplyMemory[dict[int, requests.PartitionState]]] = {}
        self._learned_at = float("-inf")
        self._misses = 0
        self._bootstrapped_at = float("-inf")
        self._bootstrap_turn = -1
        self._asking: asyncio.Future[tuple[list[requests.Metadata], list[BrokerError]]] | None = None
        self._supported = True

    async def run(self, timeout: float) -> Sequence[Sample]:
        """Read metadata; raises `ProbeError` when no broker gives it, with `cluster_up` 0 once that is certain."""
        deadline = Deadline(timeout)
        living = [broker.label for broker in self._topology.living()]
        if not living:
            self._supported = True  # as far as anybody knows: this is another matter
            living = await self._from_bootstrap(timeout)
        # What a broker that is cut off says of the cluster is old.
        living = [label for label in living if not self._topology.is_fenced(label)] or living
        self._turn += 1
        reading = deadline.share(_METADATA_SHARE)
        asked = reading.left
        chosen = [living[(self._turn + i) % len(living)] for i in range(min(self._ask, len(living)))]
        if self._clock() - self._bootstrapped_at >= _BOOTSTRAP_AFTER:
            chosen += self._bootstraps(chosen)[:1]
        whole = self._clock() - self._learned_at >= self._learn_after()
        answers, errors = await first([self._metadata(label, reading, whole=whole) for label in chosen], _PATIENCE)
        took = asked - reading.left
        if not answers:
            self._misses += 1
            error = errors[0]
            if error.reason in _KEPT_OUT and self._topology.up():
                # It lives: what is lacking is room for keywatch.
                raise ProbeError(error.reason, f"no metadata: {error.detail}", self._samples(None))
            unsupported = error.reason is Reason.UNSUPPORTED
            self._supported = not unsupported
            certain = unsupported or self._misses >= _MISSES_ALLOWED
            raise self._failed(error.reason, f"no metadata: {error.detail}", certain=certain)
        self._misses, self._supported = 0, True
        if whole:
            newest = _newest(answers)
            # First who may not be seen, then who is not there: nobody may take the one for the other in between.
            wanted = {*(self._topology.topics or ()), *self._topology.forbidden, *self._watch}
            await self._look_for(wanted - newest.topics.keys(), deadline, took)
            self._learned_at = self._clock()
            controller = str(newest.controller)
            whom = [controller] if controller in living else chosen
            patience = min(_PATIENCE, deadline.left)
            adding = await self._reassignments.adding(newest.topics, whom, timeout, patience)
            self._topology.reassign(adding)
            self._topology.record(newest)
        else:
            self._topology.learn_brokers(answers[0])
        await self._register(deadline, took)
        return self._samples(None)

    def _bootstraps(self, but: Sequence[str]) -> list[str]:
        """Return bootstrap addresses to ask now, each time others first, and none that is asked anyway."""
        self._bootstrapped_at = self._clock()
        self._bootstrap_turn += 1
        addresses = self._topology.bootstrap
        turn = [addresses[(self._bootstrap_turn + i) % len(addresses)] for i in range(len(addresses))]
        asked = {self._topology.endpoint(label) for label in but}
        return [str(endpoint) for endpoint in turn if endpoint not in asked]

    async def _from_bootstrap(self, timeout: float) -> list[str]:
        """Learn from the bootstrap addresses where the brokers are by now, since none of those that are known answers.

        Returns whom to ask. Raises `ProbeError` when that leads nowhere; what is not answered soon is looked at again
        in the next run, so that nobody waits for the verdict.
        """
        # Who refuses the credentials lives where it should: each question would be another login that it logs.
        refused = self._topology.common_reason() is Reason.AUTHENTICATION
        rests = refused and self._clock() - self._bootstrapped_at < _BOOTSTRAP_AFTER
        if self._asking is None:
            labels = [] if rests else self._bootstraps(())[:_MOST_BOOTSTRAPS]
            reading = Deadline(timeout * _METADATA_SHARE)
            calls = [self._metadata(label, reading, whole=False) for label in labels]
            self._asking = supervised.task(Part.QUESTION, first(calls, _PATIENCE), "metadata")
        await asyncio.wait([self._asking], timeout=_SOON)
        answers: list[requests.Metadata] = []
        errors: list[BrokerError] = []
        if self._asking.done():
            (answers, errors), self._asking = self._asking.result(), None
        for answer in answers:
            self._topology.learn_brokers(answer)
        living = [broker.label for broker in self._topology.living()]
        if living and answers:
            return living
        count = len(self._topology.brokers)
        words = f"none of {count} brokers answers" if count > 1 else "its only broker does not answer"
        reason = self._topology.common_reason()
        others = [error for error in errors if error.reason is Reason.OTHER_CLUSTER]
        if answers:
            named = [str(broker.endpoint) for broker in self._topology.brokers.values() if broker.endpoint]
            words = f"the bootstrap answered, and advertises {', '.join(named[:_MOST_NAMED])}, where {words}"
        elif others:
            reason, words = others[0].reason, f"{words}; at the bootstrap address {others[0].detail}"
        raise self._failed(reason, words, certain=True)

    async def close(self) -> None:
        """Close the connections."""
        if self._asking is not None:
            self._asking.cancel()
        self._reassignments.close()
        self._peers.close()

    async def _look_for(self, missing: AbstractSet[str], deadline: Deadline, least: float) -> None:
        """Ask by name for topics that are gone or missing: only so does a broker say that rights are missing.

        With less time left than the `least` that it takes, what is known stands.
        """
        topology = self._topology
        if not missing:
            topology.forbid(())
            return
        if deadline.left <= least:
            return
        labels = [broker.label for broker in topology.living()][: self._ask]
        request = requests.metadata(sorted(missing)[:_MOST_ASKED_FOR])
        answers, _ = await first(
            [self._peers.ask(label, request, deadline.left, requests.read_metadata) for label in labels], 0.0
        )
        for answer in answers:
            topology.forbid(topic for topic, code in answer.errors.items() if code == TOPIC_AUTHORIZATION_FAILED)

    async def _metadata(self, label: str, deadline: Deadline, *, whole: bool) -> requests.Metadata:
        if not whole:
            answer = await self._peers.ask(label, requests.metadata(()), deadline.left, requests.read_metadata)
            return self._own(label, answer)
        memory, before = self._memories.setdefault(label, ReplyMemory()), self._topology.topics or {}

        def read(reader: Reader) -> Pieces[requests.Metadata]:
            return requests.reading_metadata(reader, memory, before)

        version = 10 if await self._peers.highest(label, requests.METADATA, deadline.left) >= 10 else 8
        answer = await self._peers.ask_much(label, requests.metadata(version=version), deadline.left, read)
        return self._own(label, answer)

    def _own(self, label: str, metadata: requests.Metadata) -> requests.Metadata:
        """Return metadata that is of the cluster that is watched; raises `BrokerError` for that of another one."""
        if not self._topology.membership.admits(metadata.cluster_id):
            raise other_cluster(self._topology.membership, label, metadata.cluster_id)
        return metadata

    def _learn_after(self) -> float:
        """Return the seconds for which what is known of partitions may serve: the more there are, the longer.

        While anything is wrong it is read every period, because then it moves.
        """
        if not self._topology.calm():
            return 0.0
        return min(self._topology.size / _PARTITIONS_PER_SECOND, _LONGEST)

    async def _register(self, deadline: Deadline, least: float) -> None:
        """Learn who is registered, dead or alive; brokers before Kafka 4.0 cannot say, which is no failure.

        With less time left than the `least` that it takes, it is put off.
        """
        now = self._clock()
        if now - self._registered_at < self._register_after or deadline.left <= least:
            return
        self._registered_at = now
        labels = [broker.label for broker in self._topology.living()][: self._ask]
        calls = [
            self._peers.ask(label, requests.describe_cluster(), deadline.left, requests.read_describe_cluster)
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
            Sample(cluster_metrics.CLUSTER_SUPPORTED, labels, float(self._supported)),
            Sample(cluster_metrics.BROKERS, labels, float(len(topology.up()))),
            Sample(cluster_metrics.BROKERS_EXPECTED, labels, float(len(topology.brokers))),
        ]
        sharing = topology.sharing()
        note = f"brokers {', '.join(sharing[:_MOST_NAMED])} share an address and cannot be told apart"
        told = note if sharing else None
        samples.append(Sample(cluster_metrics.BROKERS_SHARING_ADDRESS, labels, float(len(sharing)), told))
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
