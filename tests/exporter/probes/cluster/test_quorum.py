"""The quorum is lost when brokers that answer get no leader, and neither an election nor ZooKeeper blames anybody."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable
from typing import cast

import pytest

from keywatch.config.endpoint import Endpoint
from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.controllers import Asked, Controllers
from keywatch.kafka.peers import Peers
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire.codec import Reader
from keywatch.kafka.wire.features import ask_features
from keywatch.kafka.wire.quorum import Quorum, QuorumReplica, describe_quorum, read_describe_quorum
from keywatch.kafka.wire.request import Request
from keywatch.metrics import quorum as cat
from keywatch.metrics.metric import Metric
from keywatch.probes.cluster.quorum import QuorumProbe
from tests.exporter.fakes.metadata import metadata

NOW = 1_795_000_000.0
# As a broker of Kafka 4.4 answered: leader 4 at epoch 1, voters 4 to 6, observers 2, 3 and 1, all at offset 44.
RECORDED = bytes.fromhex(
    "000002135f5f636c75737465725f6d65746164617461020000000000000000000400000001000000000000002c0400000004"
    "000000000000002c000001a228b6579a000001a228b6579a0000000005000000000000002c000001a228b65740000001a228"
    "b657400000000006000000000000002c000001a228b65711000001a228b65711000400000002000000000000002c000001a2"
    "28b6570d000001a228b6570d0000000003000000000000002c000001a228b6570d000001a228b6570d000000000100000000"
    "0000002c000001a228b6570d000001a228b6570d0000000000"
)


def replica(number: int, behind: float | None = 0.0, end: int = 100) -> QuorumReplica:
    return QuorumReplica(number, end, None if behind is None else NOW - behind)


def quorum(*voters: QuorumReplica, leader: int = 4, epoch: int = 1) -> Quorum:
    return Quorum(0, leader, epoch, voters, (replica(1), replica(2, 0.2, 90)))


WELL = quorum(replica(4), replica(5, 0.3), replica(6, 0.4))
Answer = Quorum | BrokerError | None


class Brokers:
    """Each answers with what stands in `answers`; None: never."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = dict(enumerate(answers, 1))
        self.asked: list[str] = []

    async def ask(self, label: str, request: Request, timeout: float, _: Callable[[Reader], Quorum]) -> Quorum:
        """Answer, or be silent until the time is over."""
        if request == ask_features():
            return cast("Quorum", {"metadata.version": 29})
        assert request == describe_quorum()
        self.asked.append(label)
        answer = self.answers[int(label)]
        if answer is None:
            await asyncio.sleep(timeout)
            raise BrokerError(Reason.TIMEOUT_RESPONSE, f"broker {label} did not answer")
        if isinstance(answer, BrokerError):
            raise answer
        return answer

    def close(self) -> None:
        """Do nothing."""


class Named:
    """Controllers whose addresses are known."""

    def __init__(self, *answers: Quorum | BrokerError) -> None:
        self.answers = answers

    def __len__(self) -> int:
        return len(self.answers)

    async def ask(self, _: float) -> list[Asked]:
        """Answer at once."""
        return [Asked(Endpoint("c", number), answer) for number, answer in enumerate(self.answers)]

    def close(self) -> None:
        """Do nothing."""


def probe(brokers: Brokers, named: Named | None = None, clock: Callable[[], float] = time.monotonic) -> QuorumProbe:
    topology = Topology([Endpoint("k1", 9092)])
    topology.record(metadata(sorted(brokers.answers), {}))
    controllers = cast("Controllers", named or Named())
    return QuorumProbe("c", topology, cast("Peers", brokers), Schedule(0.5, 5.0), controllers=controllers, clock=clock)


def values(samples: list[Sample], metric: Metric) -> dict[tuple[str, ...], float]:
    return {sample.labels[1:]: sample.value for sample in samples if sample.metric is metric}


def notes(samples: list[Sample]) -> list[str]:
    return [sample.note for sample in samples if sample.note is not None]


async def run(made: QuorumProbe, timeout: float = 30.0) -> list[Sample]:
    return list(await made.run(timeout))


def test_a_recorded_answer_is_read() -> None:
    found = read_describe_quorum(Reader(RECORDED, flexible=True))
    assert (found.error, found.leader, found.epoch) == (0, 4, 1)
    assert [one.id for one in found.voters] == [4, 5, 6]
    assert [one.id for one in found.observers] == [2, 3, 1]
    assert {one.end_offset for one in (*found.voters, *found.observers)} == {44}
    assert found.voters[0].fetched == struct.unpack(">q", bytes.fromhex("000001a228b6579a"))[0] / 1000


async def test_a_leader_with_followers_is_up_and_who_lags_is_told() -> None:
    made = probe(Brokers(WELL, WELL, WELL))
    found = await run(made)
    assert values(found, cat.QUORUM_UP) == {(): 1.0}
    assert values(found, cat.CONTROLLER_UP) == {("4",): 1.0, ("5",): 1.0, ("6",): 1.0}
    assert values(found, cat.CONTROLLER_LEADS) == {("4",): 1.0, ("5",): 0.0, ("6",): 0.0}
    assert values(found, cat.BROKER_METADATA_LAG_RECORDS) == {("1",): 0.0, ("2",): 10.0}
    assert notes(found) == []
    assert values(await run(probe(Brokers(WELL))), cat.QUORUM_ELECTIONS_TOTAL) == {(): 0.0}


async def test_levels_of_features_are_asked_for_now_and_then() -> None:
    brokers = Brokers(WELL)
    made = probe(brokers)
    assert values(await run(made), cat.CLUSTER_FEATURE_LEVEL) == {("metadata.version",): 29.0}
    assert values(await run(made), cat.CLUSTER_FEATURE_LEVEL) == {("metadata.version",): 29.0}


async def test_each_election_is_counted() -> None:
    brokers = Brokers(WELL)
    made = probe(brokers)
    await run(made)
    brokers.answers[1] = WELL._replace(epoch=4)
    assert values(await run(made), cat.QUORUM_ELECTIONS_TOTAL) == {(): 3.0}


@pytest.mark.parametrize("behind", [3.5, None])
async def test_a_controller_that_fetches_nothing_is_down_and_the_quorum_is_not(behind: float | None) -> None:
    made = probe(Brokers(quorum(replica(4), replica(5, behind), replica(6))))
    for _ in range(3):
        found = await run(made)
    assert values(found, cat.CONTROLLER_UP) == {("4",): 1.0, ("5",): 0.0, ("6",): 1.0}
    assert values(found, cat.QUORUM_UP) == {(): 1.0}
    assert notes(found) == ["controller 5 does not follow the leader, controller 4"]


async def test_a_leader_that_was_elected_just_now_is_given_time_until_it_is_followed() -> None:
    now = 100.0
    brokers = Brokers(WELL)
    made = probe(brokers, clock=lambda: now)
    await run(made)
    brokers.answers[1] = quorum(replica(5), replica(6, None), replica(4, None), leader=5, epoch=2)
    for _ in range(5):
        found = await run(made)
        assert values(found, cat.QUORUM_UP) == {(): 1.0}
        assert set(values(found, cat.CONTROLLER_UP).values()) == {1.0}
        now += 0.5
    now += 1.0
    await run(made)
    found = await run(made)
    assert values(found, cat.QUORUM_UP) == {(): 0.0}
    assert values(found, cat.CONTROLLER_UP) == {("5",): 1.0, ("6",): 0.0, ("4",): 0.0}


async def test_a_leader_whom_no_majority_follows_is_lost_when_it_is_seen_twice() -> None:
    made = probe(Brokers(quorum(replica(4), replica(5, 2.0), replica(6, None))))
    assert values(await run(made), cat.QUORUM_UP) == {(): 1.0}
    found = await run(made)
    assert values(found, cat.QUORUM_UP) == {(): 0.0}
    assert "no majority: 1 of 3 controllers follow the leader, controller 4" in notes(found)


async def test_silence_of_brokers_that_live_is_a_quorum_without_leader() -> None:
    brokers = Brokers(None, None, None)
    found = await run(probe(brokers), 0.5)
    assert values(found, cat.QUORUM_UP) == {(): 0.0}
    assert notes(found)[0].startswith("no leader: brokers that answer get no word from a controller in 0.5 s")


async def test_one_silent_broker_says_nothing_while_another_gets_an_answer() -> None:
    for silent in range(1, 4):
        brokers = Brokers(*(None if number == silent else WELL for number in range(1, 4)))
        assert values(await run(probe(brokers)), cat.QUORUM_UP) == {(): 1.0}


async def test_a_broker_that_refuses_is_passed_over() -> None:
    refused = BrokerError(Reason.REFUSED, "nobody listens")
    assert values(await run(probe(Brokers(refused, WELL, refused))), cat.QUORUM_UP) == {(): 1.0}
    with pytest.raises(ProbeError, match="nobody listens"):
        await run(probe(Brokers(refused, refused)))


@pytest.mark.parametrize(
    "answer",
    [BrokerError(Reason.UNSUPPORTED, "broker 1 lacks request 55"), Quorum(31, -1, -1, (), ())],
    ids=["ZooKeeper", "no right"],
)
async def test_what_cannot_be_known_is_told_and_blames_nobody(answer: Answer) -> None:
    found = await run(probe(Brokers(answer)))
    reason = "unsupported" if isinstance(answer, BrokerError) else "authorization"
    assert values(found, cat.QUORUM_UNKNOWN_REASON) == {(reason,): 1.0}
    assert values(found, cat.QUORUM_UP) == {}
    assert notes(found) == []


DEAD = BrokerError(Reason.REFUSED, "nobody listens")
FOLLOWER = Quorum(6, -1, -1, (), ())


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ((DEAD, DEAD, FOLLOWER), "no majority: 2 of 3 controllers do not answer"),
        ((WELL, FOLLOWER, FOLLOWER), "no way: the controllers have a leader, and brokers get no word from it"),
    ],
    ids=["no majority", "cut off"],
)
async def test_controllers_that_are_named_tell_a_loss_from_an_election(
    answers: tuple[Quorum | BrokerError, ...], words: str
) -> None:
    began = asyncio.get_running_loop().time()
    brokers = Brokers(WELL, WELL)
    made = probe(brokers, Named(*answers))
    await run(made)
    brokers.answers = {1: None, 2: None}
    found = await run(made)
    assert values(found, cat.QUORUM_UP) == {(): 0.0}
    assert notes(found)[0].startswith(words)
    assert asyncio.get_running_loop().time() - began < 25, "long before the deadline"


async def test_while_they_elect_nothing_is_said_before_the_deadline() -> None:
    found = await run(probe(Brokers(None), Named(FOLLOWER, FOLLOWER, DEAD)), 3.0)
    assert notes(found)[0].startswith("no leader: ")


async def test_a_leader_of_a_new_epoch_is_one_that_brokers_have_yet_to_find() -> None:
    brokers = Brokers(WELL)
    made = probe(brokers, Named(WELL._replace(leader=5, epoch=2), FOLLOWER, DEAD))
    await run(made)
    brokers.answers[1] = None
    found = await run(made, 3.0)
    assert notes(found)[0].startswith("no leader: "), "at the deadline, and for no other reason"


async def test_brokers_that_turn_out_to_be_frozen_say_nothing_of_the_controllers() -> None:
    brokers = Brokers(None, None, None)
    made = probe(brokers)

    def freeze() -> None:
        for label in "123":
            made._topology.report(label, up=False)

    asyncio.get_running_loop().call_later(0.1, freeze)
    with pytest.raises(ProbeError, match="are down by now"):
        await run(made, 0.5)


async def test_whoever_another_had_to_be_asked_beside_and_whoever_is_fenced_comes_last() -> None:
    brokers = Brokers(None, WELL, WELL)
    made = probe(brokers)
    while "1" not in brokers.asked:
        await run(made)
    brokers.asked.clear()
    for _ in range(3):
        made._topology.fence(["2"])  # which each run judges anew
        await run(made)
    assert set(brokers.asked) == {"3"}
