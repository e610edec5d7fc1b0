"""What do the topics demand? Reads settings that metadata does not tell: min.insync.replicas and cleanup.policy."""

from __future__ import annotations

import re
from collections.abc import Sequence

from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.kafka.chosen_topics import ChosenTopics
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.errors import name_of, reason_of
from keywatch.kafka.peers import Peers
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import requests
from keywatch.metrics import cluster as cluster_metrics

_NUMBER = re.compile(r"[0-9]{1,10}")
_SETTINGS = _MIN_IN_SYNC, _CLEANUP = "min.insync.replicas", "cleanup.policy"
_TOPICS_PER_REQUEST = 500


class ConfigsProbe:
    """One cluster's topic settings, asked of one living broker after the other until one answers."""

    name = "configs"
    target = ""

    def __init__(
        self, cluster: str, topology: Topology, peers: Peers, schedule: Schedule, *, chosen: ChosenTopics
    ) -> None:
        self.cluster = cluster
        self.schedule = schedule
        self._topology = topology
        self._peers = peers
        self._chosen = chosen
        self._turn = 0

    async def run(self, timeout: float) -> Sequence[Sample]:
        """Read the settings of all topics; raises `ProbeError`."""
        topics = await self._topology.partitions(timeout / 2)
        names = sorted(await self._chosen.of(topics))
        living = [broker.label for broker in self._topology.living()]
        if not living:
            raise ProbeError(Reason.REFUSED, "no broker answers")
        self._turn += 1
        label = living[self._turn % len(living)]
        found: dict[str, int] = {}
        compacted: set[str] = set()
        refused: list[str] = []
        try:
            for start in range(0, len(names), _TOPICS_PER_REQUEST):
                request = requests.describe_configs(names[start : start + _TOPICS_PER_REQUEST], _SETTINGS)
                answer = await self._peers.ask(label, request, timeout * 0.9, requests.read_describe_configs)
                for topic, (error, values) in answer.items():
                    if error:
                        reason = reason_of(error)
                        needs = f"DescribeConfigs on Topic:{topic} is missing"
                        refused.append(needs if reason is Reason.AUTHORIZATION else f"{topic}: {name_of(error)}")
                    elif _NUMBER.fullmatch(values.get(_MIN_IN_SYNC, "")):
                        found[topic] = int(values[_MIN_IN_SYNC])
                    if "compact" in values.get(_CLEANUP, ""):
                        compacted.add(topic)
        except BrokerError as error:
            if error.reason is Reason.UNSUPPORTED:  # librdkafka's mock; every real broker since 0.11 has it
                return []
            raise ProbeError(error.reason, error.detail) from error
        self._topology.compacted = frozenset(compacted)
        known = self._topology.min_in_sync
        self._topology.demand({**{topic: known[topic] for topic in names if topic in known}, **found})
        samples = [
            Sample(cluster_metrics.TOPIC_MIN_INSYNC_REPLICAS, (self.cluster, topic), float(count))
            for topic, count in found.items()
        ]
        if refused:
            words = f"DescribeConfigs of {len(refused)} topics was refused, first {refused[0]}"
            raise ProbeError(reason, words, samples)
        return samples

    async def close(self) -> None:
        """Close the connections."""
        self._peers.close()
