"""What topics promise is read, told, and handed to whoever judges by it; what is nonsense is left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import pytest

from keywatch.config.endpoint import Endpoint
from keywatch.engine.probe import Sample, Schedule
from keywatch.kafka.chosen_topics import ChosenTopics
from keywatch.kafka.peers import Peers
from keywatch.kafka.topology import Topology
from keywatch.metrics import retention as cat
from keywatch.metrics.metric import Metric
from keywatch.patterns import Patterns
from keywatch.probes.cluster.configs import ConfigsProbe
from tests.exporter.fakes.metadata import metadata, partition

DEFAULTS = {
    "min.insync.replicas": "2",
    "cleanup.policy": "delete",
    "retention.ms": "604800000",
    "unclean.leader.election.enable": "false",
}


class Telling:
    """Answers for topic `t`."""

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings = settings

    async def highest(self, *_: object) -> int:
        """Return a version."""
        return 4

    async def ask(self, *_: object) -> Any:
        """Answer it."""
        return {"t": (0, self.settings)}

    def close(self) -> None:
        """Do nothing."""


async def told(changes: Mapping[str, str]) -> tuple[Topology, dict[Metric, float]]:
    topology = Topology([Endpoint("k1", 9092)])
    topology.record(metadata([1, 2, 3], {"t": [partition(1, [1, 2, 3]), partition(1, [1, 2])]}))
    chosen = ChosenTopics(Patterns((".*",)), (), 100, 100)
    peers = cast("Peers", Telling({**DEFAULTS, **changes}))
    probe = ConfigsProbe("c", topology, peers, Schedule(10.0, 3.0), chosen=chosen)
    samples: list[Sample] = list(await probe.run(3.0))
    assert {sample.labels for sample in samples} == {("c", "t")}
    return topology, {sample.metric: sample.value for sample in samples}


async def test_what_a_topic_promises_is_told_and_known_to_others() -> None:
    topology, found = await told({})
    assert found[cat.TOPIC_RETENTION_SECONDS] == 604800.0
    assert found[cat.TOPIC_REPLICATION_FACTOR] == 2.0, "of the partition that has the fewest"
    assert found[cat.TOPIC_UNCLEAN_LEADER_ELECTION] == 0.0
    assert topology.retention == {"t": 604800.0}
    assert topology.min_in_sync == {"t": 2}
    assert (await told({"unclean.leader.election.enable": "true"}))[1][cat.TOPIC_UNCLEAN_LEADER_ELECTION] == 1.0


@pytest.mark.parametrize(
    "changes",
    [
        {"retention.ms": "-1"},
        {"cleanup.policy": "compact"},
        {"retention.ms": "9" * 400},
        {"retention.ms": "²"},
        {"retention.ms": ""},
    ],
    ids=["for ever", "by key", "a number without end", "no digits", "nothing"],
)
async def test_a_topic_that_does_not_delete_by_age_has_no_retention(changes: Mapping[str, str]) -> None:
    topology, found = await told(changes)
    assert cat.TOPIC_RETENTION_SECONDS not in found
    assert topology.retention == {}


async def test_a_compacted_topic_may_delete_by_age_as_well() -> None:
    topology, _ = await told({"cleanup.policy": "compact,delete"})
    assert topology.retention == {"t": 604800.0}
    assert topology.compacted == {"t"}
