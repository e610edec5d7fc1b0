"""What do the topics promise? Reads what metadata does not tell, such as min.insync.replicas and retention.ms."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from keywatch.engine.deadline import Deadline
from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.engine.slices import Pieces, in_slices
from keywatch.kafka.chosen_topics import ChosenTopics
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.errors import name_of, reason_of
from keywatch.kafka.peers import Peers
from keywatch.kafka.rights import DESCRIBE_CONFIGS
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import requests
from keywatch.metrics import cluster as cluster_metrics
from keywatch.metrics import retention as promised
from keywatch.probes.cluster.expected import (
    CLEANUP,
    MESSAGE_BYTES,
    MIN_IN_SYNC,
    REPLICATION,
    RETENTION,
    UNCLEAN,
    Expectation,
    compare,
    number,
)

_SETTINGS = (MIN_IN_SYNC, CLEANUP, RETENTION, UNCLEAN, MESSAGE_BYTES)
_FLAGS = {"true": 1.0, "false": 0.0}
_TOPICS_PER_REQUEST = 500
_TOPICS_PER_PIECE = 500


class _Settings(NamedTuple):
    """What was answered for one topic: an error code, or settings."""

    error: int
    values: Mapping[str, str]


class ConfigsProbe:
    """One cluster's topic settings, asked of one living broker after the other until one answers.

    Where the time does not do for all topics, the next run goes on with those that were left.
    """

    name = "configs"
    target = ""

    def __init__(
        self,
        cluster: str,
        topology: Topology,
        peers: Peers,
        schedule: Schedule,
        *,
        chosen: ChosenTopics,
        expect: Sequence[Expectation] = (),
    ) -> None:
        self.cluster = cluster
        self.schedule = schedule
        self._topology = topology
        self._peers = peers
        self._chosen = chosen
        self._expect = tuple(expect)
        self._turn = 0
        self._known: dict[str, _Settings] = {}
        self._next = ""

    async def run(self, timeout: float) -> Collection[Sample]:
        """Read the settings of all topics; raises `ProbeError`."""
        deadline = Deadline(timeout * 0.95)
        names = sorted(await self._chosen.of(await self._topology.partitions(deadline.share(0.5).left)))
        for name in self._known.keys() - set(names):
            del self._known[name]
        living = [broker.label for broker in self._topology.living()]
        if not living:
            raise ProbeError(Reason.REFUSED, "no broker answers")
        self._turn += 1
        start = bisect_left(names, self._next)
        ordered = names[start:] + names[:start]
        count, failure = await self._read(living[self._turn % len(living)], ordered, deadline)
        if failure is not None:
            if failure.reason is Reason.UNSUPPORTED:  # librdkafka's mock; every real broker since 0.11 has it
                self._topology.settings_known.set()
                return []
            if not count:
                raise ProbeError(failure.reason, failure.detail)
        samples, refused = await in_slices(self._judge(names))
        self._topology.settings_known.set()
        if failure is not None:
            words = f"settings of {count} of {len(names)} topics were read, the others follow: {failure.detail}"
            raise ProbeError(failure.reason, words, samples)
        if refused:
            reason, first = refused[0]
            raise ProbeError(reason, f"DescribeConfigs of {len(refused)} topics was refused, first {first}", samples)
        return samples

    async def close(self) -> None:
        """Close the connections."""
        self._peers.close()

    async def _read(self, label: str, names: Sequence[str], deadline: Deadline) -> tuple[int, BrokerError | None]:
        """Ask for the topics in turn; returns of how many settings were read, and what kept one from the others."""
        took = 0.0
        try:  # so that what follows takes as long as an answer, and nothing else
            await self._peers.highest(label, requests.DESCRIBE_CONFIGS, deadline.left)
        except BrokerError as error:
            return 0, error
        for start in range(0, len(names), _TOPICS_PER_REQUEST):
            left, self._next = deadline.left, names[start]
            if left < took:  # to ask and to give up would cost the connection
                return start, BrokerError(Reason.TIMEOUT_RESPONSE, "there was no time left")
            some = names[start : start + _TOPICS_PER_REQUEST]
            request = requests.describe_configs(some, _SETTINGS)
            try:
                answer = await self._peers.ask(label, request, left, requests.read_describe_configs)
            except BrokerError as error:
                return start, error
            took = left - deadline.left
            self._known.update((topic, _Settings(*answer[topic])) for topic in some if topic in answer)
        return len(names), None

    def _judge(self, names: Sequence[str]) -> Pieces[tuple[list[Sample], list[tuple[Reason, str]]]]:
        """Tell the topology and others what is demanded; returns also what was refused, topic by topic."""
        found: dict[str, int] = {}
        compacted: set[str] = set()
        unclean: set[str] = set()
        retention: dict[str, float] = {}
        refused: list[tuple[Reason, str]] = []
        samples: list[Sample] = []
        for count, topic in enumerate(names, 1):
            if count % _TOPICS_PER_PIECE == 0:
                yield
            settings = self._known.get(topic)
            if settings is None:
                continue
            if settings.error:
                reason = reason_of(settings.error)
                needs = DESCRIBE_CONFIGS.missing(topic)
                words = needs if reason is Reason.AUTHORIZATION else f"{topic}: {name_of(settings.error)}"
                refused.append((reason, words))
            elif (least := number(settings.values.get(MIN_IN_SYNC, ""))) is not None:
                found[topic] = least
                samples.append(Sample(cluster_metrics.TOPIC_MIN_INSYNC_REPLICAS, (self.cluster, topic), float(least)))
            samples += self._promised(topic, settings)
            if settings.values.get(UNCLEAN) == "true":
                unclean.add(topic)
            if "compact" in settings.values.get(CLEANUP, ""):
                compacted.add(topic)
            if "delete" in settings.values.get(CLEANUP, ""):
                kept = number(settings.values.get(RETENTION, ""))
                if kept is not None:  # -1: for ever
                    retention[topic] = kept / 1000
                    samples.append(Sample(promised.TOPIC_RETENTION_SECONDS, (self.cluster, topic), kept / 1000))
        self._topology.compacted, self._topology.unclean = frozenset(compacted), frozenset(unclean)
        self._topology.retention = retention
        known = self._topology.min_in_sync
        self._topology.demand({**{topic: known[topic] for topic in names if topic in known}, **found})
        return samples, refused

    def _promised(self, topic: str, settings: _Settings) -> Iterator[Sample]:
        """Return what weakens a topic when it is changed, and is judged by nothing else."""
        labels = (self.cluster, topic)
        partitions = self._topology.existing.get(topic, {})
        values = dict(settings.values)
        if partitions:
            fewest = min(len(state.replicas) for state in partitions.values())
            values[REPLICATION] = str(fewest)
            yield Sample(promised.TOPIC_REPLICATION_FACTOR, labels, float(fewest))
        if (flag := _FLAGS.get(settings.values.get(UNCLEAN, ""))) is not None:
            yield Sample(promised.TOPIC_UNCLEAN_LEADER_ELECTION, labels, flag)
        expectation = next((one for one in self._expect if topic in one.topics), None)
        if expectation is None:
            return
        for setting, words in compare(expectation, values):
            where = (*labels, setting, expectation.severity)
            yield Sample(promised.TOPIC_AS_EXPECTED, where, float(not words), words or None)
