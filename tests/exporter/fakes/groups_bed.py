"""The probe `groups` on a cluster in memory, cycle by cycle."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from typing import ClassVar, cast

import pytest

from keywatch.config.endpoint import Endpoint
from keywatch.engine.probe import Sample, Schedule
from keywatch.kafka.chosen_groups import ChosenGroups
from keywatch.kafka.groups import Groups
from keywatch.kafka.offsets_topic import OFFSETS_TOPIC
from keywatch.kafka.peers import Peers
from keywatch.kafka.records.times import RecordTimes
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire.requests import PartitionState, TopicPartition
from keywatch.metrics import groups as group_metrics
from keywatch.metrics import lag as lag_metrics
from keywatch.metrics.metric import Metric
from keywatch.patterns import Patterns
from keywatch.probes.groups.probe import GroupsProbe
from tests.exporter.fakes.fake_cluster import FakePeers, FakeTimes
from tests.exporter.fakes.metadata import metadata, partition

PARTITIONS = [TopicPartition(topic, index) for topic in ("a", "b") for index in range(2)]

# Nothing here waits for anybody; what is left of a probe's deadline would be up to the machine.
_NO_HURRY = 600.0


class Bed:
    """A probe on a cluster in memory; a cycle takes a second."""

    runner: ClassVar[asyncio.Runner]
    """One loop for all cycles: what one of them left under way is there in the next."""

    def __init__(
        self,
        idle_cycles: int = 4,
        chosen: ChosenGroups | None = None,
        named: Sequence[str] = (),
        *,
        only_watched: bool = False,
    ) -> None:
        self.peers = FakePeers(ends=dict.fromkeys(PARTITIONS, 5))
        self.times = FakeTimes()
        self.now = 1000.0
        topology = Topology([Endpoint("k1", 9092)])
        self.topology = topology
        self.learn()
        peers = cast("Peers", self.peers)
        groups = Groups(topology, peers, chosen or ChosenGroups(lambda _: True), named, clock=lambda: self.now)
        self.probe = GroupsProbe(
            "kafka", topology, peers, groups, cast("RecordTimes", self.times), Schedule(1.0, 2.0), topics=Patterns(),
            beside=peers, watch=named, only_watched=only_watched, idle_cycles=idle_cycles, clock=lambda: self.now,
        )  # fmt: skip
        self.told: list[Sample] = []

    def learn(self, generation: int = 1, added: int = 0, groups_in: Sequence[PartitionState] = ()) -> None:
        """Have metadata tell of two topics; each `generation` of them has ids of its own.

        Topic a has so many partitions `added`; `groups_in` are the partitions of the topic that holds groups.
        """
        topics = {topic: [partition(1, [1]), partition(2, [2])] for topic in ("a", "b")}
        topics["a"] += [partition(1, [1])] * added
        if groups_in:
            topics[OFFSETS_TOPIC] = list(groups_in)
        told = metadata([1, 2], topics)
        self.topology.record(told._replace(ids={topic: bytes([generation]) * 16 for topic in ("a", "b")}))

    def cycle(self) -> Bed:
        """Run the probe once."""
        self.now += 1.0
        self.peers.asked.clear()
        self.told = list(self.runner.run(self._once()))
        return self

    async def watch(self) -> None:
        """Run the probe once, and do not wait for what it began beside the run."""
        self.now += 1.0
        self.told = list(await self.probe.run(_NO_HURRY))

    async def _once(self) -> Collection[Sample]:
        """Run the probe, and let what it began beside the run come to its end on a machine that is slow too."""
        told = await self.probe.run(_NO_HURRY)
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
        return told

    def series(self, metric: Metric) -> dict[tuple[str, ...], float]:
        """Return the series of a metric, their labels without the cluster."""
        return {labels[1:]: value for one, labels, value, _ in self.told if one is metric}

    @property
    def lag(self) -> dict[tuple[str, ...], float]:
        """Group, topic, partition → lag."""
        return self.series(group_metrics.GROUP_PARTITION_LAG_RECORDS)

    def notes(self, metric: Metric) -> list[str]:
        """Return what the series of a metric say is wrong."""
        return [note for one, _, _, note in self.told if one is metric and note is not None]

    @property
    def unread(self) -> list[tuple[str, ...]]:
        """Group, topic of which something could not be read."""
        uncommitted = self.series(lag_metrics.GROUP_PARTITIONS_UNCOMMITTED)
        unknown = self.series(group_metrics.GROUP_PARTITIONS_UNKNOWN)
        return [where for where, count in unknown.items() if count > uncommitted.get(where, 0)]

    def truth(self) -> dict[tuple[str, ...], float]:
        """Reckon from what is in the cluster."""
        return {
            (group, one.topic, str(one.partition)): max(self.peers.ends[one] - offset, 0)
            for group, commits in self.peers.commits.items()
            for one, offset in commits.items()
        }

    def uncommitted_truth(self) -> dict[tuple[str, ...], float]:
        """Reckon from what is in the cluster what waits where nothing was committed."""
        found: dict[tuple[str, ...], float] = {}
        for group, commits in self.peers.commits.items():
            for topic in {one.topic for one in commits}:
                lacking = [one for one in PARTITIONS if one.topic == topic and one not in commits]
                if lacking:
                    found[group, topic] = sum(self.peers.ends[one] for one in lacking)
        return found

    def idle(self, groups: int) -> Bed:
        """Have so many groups that have read all, until they are known to be idle."""
        for index in range(groups):
            self.peers.commits[f"group-{index}"] = {PARTITIONS[index % 4]: 5}
        for _ in range(3):
            self.cycle()
        return self


@pytest.fixture(scope="module", autouse=True)
def runner() -> Iterator[None]:
    """Have all probes of this module run on one loop."""
    with asyncio.Runner() as Bed.runner:
        yield
