"""A broker that answers and that the controllers hear nothing of is fenced; a dead one, or a leader's pause, is not."""

from __future__ import annotations

from keywatch.config.endpoint import Endpoint
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire.quorum import Quorum, QuorumReplica
from keywatch.metrics import quorum as cat
from keywatch.probes.cluster.fencing import Fencing
from tests.exporter.fakes.metadata import metadata

LEADS = 1_795_000_000.0


class Bed:
    """Brokers 1 to 3, of which all answer, and controllers 4 and 5, of which 4 leads; the clock stands until moved."""

    def __init__(self) -> None:
        self.now = 100.0
        self.topology = Topology([Endpoint("k1", 9092)], clock=lambda: self.now)
        self.topology.record(metadata([1, 2, 3], {}))
        self.fencing = Fencing("c", self.topology, lambda: self.now)
        self.silence: dict[int, float | None] = {1: 0.1, 2: 0.3, 3: 0.4, 5: 0.2}
        self.epoch = 7

    def answer(self, *brokers: int) -> None:
        """Have brokers answer keywatch now."""
        for broker in brokers:
            self.topology.report(str(broker), up=True)
            self.topology.report_answer(str(broker))

    def settle(self) -> None:
        """Have all of them answer for a while."""
        for _ in range(5):
            assert self.fenced() == {}

    def fenced(self, after: float = 0.5, *answering: int) -> dict[str, str]:
        """Let time pass, have brokers answer, and return which of them are fenced, and in which words."""
        self.now += after
        self.answer(*(answering or (1, 2, 3)))
        replicas = [
            QuorumReplica(one, 9, LEADS + self.now - ago) for one, ago in self.silence.items() if ago is not None
        ]
        voters = [QuorumReplica(4, 9, LEADS + self.now), *(one for one in replicas if one.id > 3)]
        observers = tuple(one for one in replicas if one.id <= 3)
        samples = list(self.fencing.samples(Quorum(0, 4, self.epoch, tuple(voters), observers)))
        assert {sample.metric for sample in samples} == {cat.BROKER_FENCED}
        assert {sample.labels[1] for sample in samples} == set(self.topology.brokers)
        assert all((sample.note is not None) == bool(sample.value) for sample in samples)
        return {sample.labels[1]: sample.note or "" for sample in samples if sample.value}


def test_one_that_the_leader_has_not_heard_of_is_fenced_until_it_is_heard_again() -> None:
    bed = Bed()
    bed.settle()
    bed.silence[2] = 2.1
    assert bed.fenced(2.5) == {"2": "it answers, and the controllers have heard nothing of it for 2.1 s"}
    assert [broker.label for broker in bed.topology.living()] == ["1", "3", "2"], "what it says is believed last"
    bed.silence[2] = 0.1
    assert bed.fenced() == {}
    assert not bed.topology.is_fenced("2")


def test_one_that_is_down_or_frozen_is_no_fenced_one() -> None:
    bed = Bed()
    bed.settle()
    bed.silence[2] = 2.1
    assert bed.fenced(2.1, 1, 3) == {}, "it has not answered since"
    bed.topology.report("2", up=False)
    assert bed.fenced(0.5, 1, 3) == {}


def test_a_leader_that_paused_has_heard_of_nobody() -> None:
    bed = Bed()
    bed.settle()
    bed.silence = {1: 2.2, 2: 2.4, 3: 2.5, 5: 2.3}
    assert bed.fenced() == {}


def test_one_that_drops_out_of_the_leaders_list_stays_fenced() -> None:
    bed = Bed()
    bed.settle()
    bed.silence[2] = 2.1
    assert bed.fenced(2.5).keys() == {"2"}
    bed.silence[2] = None  # the leader forgets observers after five minutes
    assert bed.fenced().keys() == {"2"}


def test_a_new_leader_has_not_heard_of_everybody_yet() -> None:
    bed = Bed()
    bed.settle()
    bed.silence[2] = 2.1
    assert bed.fenced(2.5).keys() == {"2"}
    bed.epoch, bed.silence[2] = 8, None
    assert bed.fenced() == {}


def test_one_that_metadata_lacks_for_longer_than_a_start_takes_is_fenced() -> None:
    bed = Bed()
    assert bed.fenced() == {}
    bed.topology.record(metadata([1, 2], {}))
    for _ in range(7):
        assert bed.fenced() == {}
    assert bed.fenced() == {
        "3": "it answers, and the cluster's metadata has lacked it for 4 s: fenced or not registered"
    }
    bed.topology.record(metadata([1, 2, 3], {}))
    assert bed.fenced() == {}


def test_with_combined_nodes_a_voter_is_a_broker() -> None:
    bed = Bed()
    bed.topology.record(metadata([4, 5], {}))
    bed.silence = {5: 0.1, 1: 0.1}
    for _ in range(5):
        assert bed.fenced(0.5, 4, 5) == {}
    bed.silence = {5: 2.1, 1: 0.1}
    bed.now += 2.1
    assert bed.fenced(0.5, 4, 5).keys() == {"5"}


def test_one_that_comes_back_is_given_time_to_be_heard_and_counted_in() -> None:
    bed = Bed()
    bed.settle()
    bed.topology.report("3", up=False)
    bed.topology.record(metadata([1, 2], {}))
    bed.silence[3] = 9.0
    for _ in range(20):
        assert bed.fenced(0.5, 1, 2) == {}
    for _ in range(4):
        assert bed.fenced() == {}
    assert bed.fenced(1.1).keys() == {"3"}


def test_what_answers_invent_is_not_kept() -> None:
    bed = Bed()
    for number in range(100):
        bed.silence[1000 + number] = 0.1
        bed.fenced()
        del bed.silence[1000 + number]
    assert len(bed.fencing._heard) <= 6
