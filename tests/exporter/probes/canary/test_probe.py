"""The probe says of each broker whether a record crosses it, with the broker's own reason, on both edges."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from keywatch.config.endpoint import Endpoint
from keywatch.demo.embedded import EmbeddedCluster
from keywatch.engine.probe import Reason, Schedule
from keywatch.kafka.peers import Peers
from keywatch.kafka.topology import Topology
from keywatch.metrics.canary import CANARY_DOWN_REASON, CANARY_UP
from keywatch.probes.canary.ledger import CanaryRecord
from keywatch.probes.canary.probe import CanaryProbe
from keywatch.probes.canary.topic import CanaryTopic
from keywatch.service.config_file import from_data
from keywatch.service.watch import Watch
from tests.exporter.fakes.metadata import metadata, partition
from tests.exporter.waiting import until

PRODUCE, NOT_ENOUGH_REPLICAS = 0, 19
_QUEUED = 6


@pytest.fixture
def cluster() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster(brokers=1) as made:
        made.create_topic("keywatch-canary", 1, 1)
        yield made


async def test_records_that_a_broker_refuses_are_told_with_its_reason_until_they_cross_again(
    cluster: EmbeddedCluster,
) -> None:
    section = {"name": "kafka", "bootstrap": [cluster.bootstrap], "groups": {"enabled": False}}
    watch = Watch(from_data({"clusters": [section]}, "test"))
    watch.start()
    try:

        def up() -> float | None:
            return watch.store.values(CANARY_UP).get(("kafka", "1"))

        def reason() -> float | None:
            return watch.store.values(CANARY_DOWN_REASON).get(("kafka", "1", "not_enough_replicas"))

        await until(lambda: up() == 1, "records cross", 30)
        assert reason() is None
        cluster.request_errors(PRODUCE, [NOT_ENOUGH_REPLICAS] * _QUEUED)
        await until(lambda: up() == 0, "records are refused", 30)
        assert reason() == 1
        (incident,) = [one for one in watch.incidents if one.metric is CANARY_UP]
        assert incident.note.startswith("records do not cross, not_enough_replicas: ")
        await until(lambda: up() == 1, "records cross again", 60)
        assert reason() == 0
    finally:
        await watch.stop()


@pytest.mark.parametrize(("later", "reason"), [(0.1, Reason.REPLICA_DOWN), (9.0, Reason.TIMEOUT_RESPONSE)])
def test_a_replica_that_answers_again_explains_for_a_while_why_a_record_that_waited_for_it_is_late(
    later: float, reason: Reason
) -> None:
    now = [100.0]

    def clock() -> float:
        return now[0]

    topology = Topology([Endpoint("seed", 9092)], clock=clock)
    topology.record(metadata([1, 2], {"keywatch-canary": [partition(1, [1, 2])]}))
    peers = Peers(topology, None)
    topic = CanaryTopic("keywatch-canary", topology, peers)
    probe = CanaryProbe("kafka", topology, peers, topic, Schedule(1.0, 1.0), link=lambda: peers, clock=clock)
    for broker in ("1", "2"):
        topology.report(broker, up=True)
    topology.report_attempt("2", answered=False)
    topology.report_attempt("2", answered=True)
    now[0] += later
    trouble = probe._trouble(CanaryRecord(0, 1, "1", now[0] - 1.0))
    assert trouble is not None
    assert trouble[0] is reason
