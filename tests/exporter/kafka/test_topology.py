"""Who should exist is the union of all who are named, and whoever builds on it is told of each change."""

from __future__ import annotations

import pytest

from keywatch.config.endpoint import Endpoint
from keywatch.engine.probe import ProbeError, Reason
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire.requests import BrokerNode
from tests.exporter.fakes.metadata import metadata, node, partition

SEED = Endpoint("seed", 9092)


class Clock:
    """A clock that goes when told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.now


def test_bootstrap_addresses_stand_for_brokers_until_an_id_is_known() -> None:
    topology = Topology([SEED, Endpoint("::1", 1)])
    assert list(topology.brokers) == ["seed:9092", "[::1]:1"]
    assert topology.brokers["seed:9092"].endpoint == SEED
    topology.report("seed:9092", up=True)
    topology.record(metadata([1, 2]))
    assert list(topology.brokers) == ["1", "2"]
    assert topology.brokers["1"].endpoint == Endpoint("k1", 9092)
    assert topology.brokers["1"].rack == "rack-1"
    assert topology.up() == []  # the verdict was on a placeholder


def test_expected_ids_without_an_address_leave_the_placeholders_standing() -> None:
    topology = Topology([SEED], expected=[7])
    assert list(topology.brokers) == ["7", "seed:9092"]
    assert topology.brokers["7"].endpoint is None
    topology.record(metadata([1]))
    assert list(topology.brokers) == ["1", "7"]


def test_the_brokers_that_should_exist_are_all_that_anybody_names() -> None:
    topology = Topology([SEED], expected=[9])
    topology.record(metadata([1, 2], {"events": [partition(1, [1, 3])]}))
    topology.learn_registered([node(1), node(2), node(4, fenced=True)])
    assert list(topology.brokers) == ["1", "2", "3", "4", "9"]
    assert {label for label, broker in topology.brokers.items() if broker.endpoint is None} == {"3", "9"}


def test_a_replica_id_without_an_address_is_expected_and_gets_its_address_later() -> None:
    topology = Topology([SEED])
    topology.record(metadata([1], {"events": [partition(1, [1, 2])]}))
    assert topology.brokers["2"].endpoint is None
    assert [broker.label for broker in topology.living()] == ["1"]
    topology.learn_registered([node(1), node(2, fenced=True)])
    assert topology.brokers["2"].endpoint == Endpoint("k2", 9092)


def test_a_broker_that_vanishes_from_metadata_stays_as_long_as_it_is_registered() -> None:
    clock = Clock()
    topology = Topology([SEED], forget_after=60, clock=clock)
    topology.record(metadata([1, 2]))
    topology.learn_registered([node(1), node(2)])
    topology.record(metadata([1]))
    clock.now = 1e9
    topology.record(metadata([1]))
    assert topology.brokers["2"].endpoint == Endpoint("k2", 9092)
    topology.learn_registered([node(1)])  # it was unregistered
    assert list(topology.brokers) == ["1"]


@pytest.mark.parametrize(("seconds", "remembered"), [(59.9, True), (60.0, True), (60.1, False)])
def test_before_kafka_4_a_broker_that_left_is_remembered_for_a_while(seconds: float, remembered: bool) -> None:
    clock = Clock()
    topology = Topology([SEED], forget_after=60, clock=clock)
    topology.record(metadata([1, 2]))
    clock.now = seconds
    topology.record(metadata([1]))
    assert ("2" in topology.brokers) is remembered


def test_a_broker_that_moved_gets_its_new_address() -> None:
    topology = Topology([SEED])
    topology.record(metadata([node(1, host="old")]))
    topology.record(metadata([node(1, host="new")]))
    assert topology.brokers["1"].endpoint == Endpoint("new", 9092)
    topology.learn_registered([node(1, host="register tells late")])
    assert topology.brokers["1"].endpoint == Endpoint("new", 9092)


def test_callbacks_come_once_for_each_change_and_not_without_one() -> None:
    topology = Topology([SEED])
    calls: list[str] = []
    topology.on_brokers(lambda: calls.append("brokers"))
    topology.on_liveness(lambda: calls.append("liveness"))

    def told() -> list[str]:
        found = sorted(calls)
        calls.clear()
        return found

    first = metadata([1, 2], {"events": [partition(1, [1, 2])]})
    topology.record(first)
    assert told() == ["brokers", "liveness"]
    topology.record(first)
    assert told() == []
    topology.record(metadata([1, 2], {"events": [partition(2, [1, 2])]}))
    assert told() == ["liveness"]
    topology.report("1", up=True)
    assert told() == ["liveness"]
    topology.report("1", up=True)
    assert told() == []
    topology.report("1", up=False, reason=Reason.REFUSED)
    assert told() == ["liveness"]
    topology.report("not a broker", up=False)
    assert told() == []
    topology.demand({"events": 2})
    topology.demand({"events": 2})
    assert told() == ["liveness"]
    topology.learn_registered([node(1), node(2), node(3)])
    assert told() == ["brokers"]


def test_a_broker_lives_by_its_verdict_and_without_one_by_metadata() -> None:
    topology = Topology([SEED])
    topology.record(metadata([1, 2], {"events": [partition(1, [1, 2, 3])]}))
    assert [topology.lives(broker) for broker in (1, 2, 3)] == [True, True, False]
    topology.report("1", up=False)
    topology.report("3", up=True)
    assert [topology.lives(broker) for broker in (1, 2, 3)] == [False, True, True]
    assert [topology.known_down(broker) for broker in (1, 2, 3)] == [True, False, False]


def test_those_that_may_be_asked_are_not_known_to_be_down_and_the_proven_come_first() -> None:
    topology = Topology([SEED])
    topology.record(metadata([1, 2, 3]))
    topology.report("3", up=True)
    topology.report("1", up=False)
    assert [broker.label for broker in topology.living()] == ["3", "2"]
    assert topology.up() == ["3"]
    assert not topology.judged()
    topology.report("2", up=True)
    assert topology.judged()


def test_a_single_miss_is_a_doubt_but_no_verdict() -> None:
    topology = Topology([SEED])
    topology.record(metadata([1, 2]))
    topology.report("1", up=True)
    topology.report_attempt("1", answered=False)
    assert topology.doubted(1)
    assert topology.lives(1)
    topology.report_attempt("1", answered=True)
    assert not topology.doubted(1)


@pytest.mark.parametrize(
    ("reasons", "common"),
    [
        ([], Reason.REFUSED),
        ([Reason.DNS], Reason.DNS),
        ([Reason.TLS_EXPIRED, Reason.RESET, Reason.TLS_EXPIRED], Reason.TLS_EXPIRED),
    ],
)
def test_the_common_reason_is_that_of_most_brokers_that_are_down(reasons: list[Reason], common: Reason) -> None:
    topology = Topology([SEED])
    topology.record(metadata([1, 2, 3]))
    for label, reason in enumerate(reasons, start=1):
        topology.report(str(label), up=False, reason=reason)
    assert topology.common_reason() is common


async def test_partitions_are_waited_for_until_metadata_was_read_once() -> None:
    topology = Topology([SEED])
    with pytest.raises(ProbeError) as refused:
        await topology.partitions(0.01)
    assert refused.value.reason is Reason.NO_METADATA
    topology.record(metadata([1], {"events": [partition(1, [1])]}))
    assert list(await topology.partitions(0.01)) == ["events"]


@pytest.mark.parametrize(
    ("host", "port", "reason"),
    [
        ("kafka-2..svc", 9092, Reason.DNS),
        ("a" * 64 + ".svc", 9092, Reason.DNS),
        (".kafka", 9092, Reason.DNS),
        ("k" * 30_000, 9092, Reason.DNS),
        ("", 9092, Reason.DNS),
        ("a host", 9092, Reason.DNS),
        ("k2\n", 9092, Reason.DNS),
        ("fe80::zz", 9092, Reason.DNS),
        ("k2", 70000, Reason.PROTOCOL),
        ("k2", -1, Reason.PROTOCOL),
        ("k2", 0, Reason.PROTOCOL),
    ],
)
def test_an_address_that_is_none_is_a_fault_of_that_broker_alone(host: str, port: int, reason: Reason) -> None:
    topology = Topology([SEED])
    topology.record(metadata([node(1), BrokerNode(2, host, port, "", fenced=False)]))
    assert topology.brokers["1"].endpoint == Endpoint("k1", 9092)
    broker = topology.brokers["2"]
    assert broker.endpoint is None
    assert broker.fault is not None
    assert broker.fault[0] is reason
    assert len(broker.fault[1]) < 200
    assert "\n" not in broker.fault[1]


@pytest.mark.parametrize("host", ["kafka_2.svc", "127.0.0.1", "::1", "fe80::1", "bücher.example", "k2.example."])
def test_an_address_that_resolvers_take_is_taken(host: str) -> None:
    topology = Topology([SEED])
    topology.record(metadata([BrokerNode(2, host, 9092, "", fenced=False)]))
    assert topology.brokers["2"].endpoint == Endpoint(host, 9092)


def test_brokers_with_one_address_are_not_told_apart_and_one_that_left_shares_nothing() -> None:
    topology = Topology([SEED])
    topology.record(metadata([node(1, host="lb"), node(2, host="lb"), node(3)]))
    assert topology.sharing() == ["1", "2"]
    assert [topology.claim(label).broker for label in ("1", "2", "3")] == [None, None, 3]
    assert topology.claim("seed:9092").broker is None
    topology.record(metadata([node(1, host="lb"), node(3)]))
    assert topology.shut_out("2")
    assert not topology.shut_out("1")
    topology.record(metadata([node(1, host="k1"), node(2, host="lb"), node(3)]))
    assert topology.sharing() == []


def test_nothing_of_another_cluster_is_recorded() -> None:
    topology = Topology([SEED])
    topology.record(metadata([1, 2], {"events": [partition(1, [1, 2])]}))
    other = metadata([7], {"theirs": [partition(7, [7])]})._replace(cluster_id="another")
    topology.record(other)
    topology.learn_brokers(other)
    assert list(topology.brokers) == ["1", "2"]
    assert topology.topics is not None
    assert list(topology.topics) == ["events"]
    assert topology.cluster_id == "cluster-id"


def test_a_verdict_does_not_outlive_the_address_at_which_it_was_found() -> None:
    topology = Topology([SEED])
    topology.record(metadata([1, 2]))
    for label in ("1", "2"):
        topology.report(label, up=False, reason=Reason.REFUSED)
    assert topology.living() == []
    topology.learn_brokers(metadata([node(1, host="elsewhere")]))
    assert [broker.label for broker in topology.living()] == ["1"]


def test_a_cluster_is_calm_again_when_who_missed_is_retired() -> None:
    topology = Topology([SEED, Endpoint("other", 1)])
    topology.report_attempt("other:1", answered=False)
    whole = {"events": [partition(1, [1, 2])]}
    for brokers in ([1, 2, 3], [1, 2]):
        topology.record(metadata(brokers, whole))
        topology.learn_registered([node(broker) for broker in brokers])
        for broker in brokers:
            topology.report_attempt(str(broker), answered=True)
            topology.report(str(broker), up=True)
        assert topology.calm()
        topology.report_attempt("3", answered=False)
    assert topology.calm()


def test_a_broker_that_answers_again_was_silent_a_moment_ago_for_as_long_as_asked() -> None:
    clock = Clock()
    topology = Topology([SEED], clock=clock)
    topology.record(metadata([1, 2]))
    topology.report("1", up=True)
    topology.report_attempt("1", answered=False)
    assert topology.doubted(1)
    topology.report_attempt("1", answered=True)
    clock.now = 4.0
    assert not topology.doubted(1)
    assert topology.doubted(1, within=5.0)
    assert not topology.doubted(2, within=5.0)
    clock.now = 5.0
    assert not topology.doubted(1, within=5.0)


@pytest.mark.parametrize("reason", [Reason.DNS, Reason.TLS_EXPIRED, Reason.AUTHENTICATION])
def test_of_a_broker_that_is_down_for_keywatch_alone_metadata_tells_whether_it_lives(reason: Reason) -> None:
    topology, calls = Topology([SEED]), []
    topology.record(metadata([1, 2]))
    topology.on_liveness(lambda: calls.append(topology.lives(1)))
    topology.report("1", up=False, reason=reason, serves_others=True)
    assert topology.known_down(1)
    topology.report("1", up=False, reason=Reason.RESET)
    topology.report("1", up=False, reason=reason, serves_others=True)
    topology.record(metadata([2]))
    assert calls == [True, False, True, False]
    topology.record(metadata([1, 2]))
    topology.report("1", up=True)
    assert topology.lives(1)
