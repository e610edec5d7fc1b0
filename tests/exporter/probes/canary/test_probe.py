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


class Bed:
    """A probe whose one partition has replicas on brokers 1, which leads, and 2, and a clock that is told the time."""

    def __init__(self) -> None:
        self.now = 100.0
        self.topology = Topology([Endpoint("seed", 9092)], clock=lambda: self.now)
        self.topology.record(metadata([1, 2, 3], {"keywatch-canary": [partition(1, [1, 2])]}))
        for broker in ("1", "2", "3"):
            self.topology.report(broker, up=True)
        peers = Peers(self.topology, None)
        topic = CanaryTopic("keywatch-canary", self.topology, peers)
        schedule = Schedule(1.0, 1.0)
        self._probe = CanaryProbe(
            "kafka", self.topology, peers, topic, schedule, link=lambda: peers, clock=lambda: self.now
        )

    def why_late(self) -> tuple[Reason, str]:
        """Return what is said of a record that was sent a second ago and not answered."""
        trouble = self._probe._trouble(CanaryRecord(0, 1, "1", self.now - 1.0))
        assert trouble is not None
        return trouble


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


@pytest.mark.parametrize(
    ("later", "reason"), [(0.1, Reason.REPLICA_DOWN), (4.0, Reason.REPLICA_DOWN), (9.0, Reason.TIMEOUT_RESPONSE)]
)
def test_a_replica_that_answers_again_explains_for_a_while_why_a_record_that_waited_for_it_is_late(
    later: float, reason: Reason
) -> None:
    bed = Bed()
    bed.topology.report_attempt("2", answered=False)
    bed.topology.report_attempt("2", answered=True)
    bed.now += later
    assert bed.why_late()[0] is reason


@pytest.mark.parametrize(
    ("broken", "reason", "words"),
    [
        ("2", Reason.REPLICA_DOWN, "acks=all waits for broker 2, of which a log directory has failed"),
        ("1", Reason.STORAGE, "a log directory of broker 1 has failed"),
        ("3", Reason.TIMEOUT_RESPONSE, "no answer in time"),
    ],
)
def test_a_disk_that_failed_explains_why_a_record_is_late(broken: str, reason: Reason, words: str) -> None:
    bed = Bed()
    bed.topology.report_disks([broken])
    assert bed.why_late() == (reason, words)
