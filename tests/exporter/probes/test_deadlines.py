"""No run takes longer than its deadline, however the answers come: what is asked in a row adds up to no more."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, cast

import pytest

from keywatch.config.endpoint import Endpoint
from keywatch.elastic import clients
from keywatch.elastic.product import Name
from keywatch.elastic.server import ElasticServer
from keywatch.engine.probe import Probe, ProbeError, Reason, Schedule
from keywatch.kafka.chosen_groups import ChosenGroups
from keywatch.kafka.chosen_topics import ChosenTopics
from keywatch.kafka.client import Clients
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.groups import Groups
from keywatch.kafka.peers import Peers
from keywatch.kafka.records.allowance import Allowance
from keywatch.kafka.records.search import Position, RecordSearch
from keywatch.kafka.records.times import RecordTimes
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import requests
from keywatch.kafka.wire.groups import ListedGroup
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.listeners.known import KNOWN
from keywatch.net.http_peer import HttpPeer
from keywatch.patterns import Patterns
from keywatch.probes.canary.probe import CanaryProbe
from keywatch.probes.canary.topic import CanaryTopic
from keywatch.probes.cluster.broker import BrokerProbe
from keywatch.probes.cluster.broker_link import BrokerLink
from keywatch.probes.cluster.cluster import ClusterProbe
from keywatch.probes.cluster.configs import ConfigsProbe
from keywatch.probes.cluster.offsets import OffsetsProbe
from keywatch.probes.dead_letters.reader import DeadLetterReader
from keywatch.probes.dead_letters.topics import DlqTopicsProbe
from keywatch.probes.events.probe import EventsProbe
from keywatch.probes.events.realms import Realms
from keywatch.probes.groups.probe import GroupsProbe
from keywatch.probes.logs.elasticsearch import ElasticsearchProbe
from keywatch.probes.logs.log_canary import LogCanaryProbe
from keywatch.probes.logs.log_lag import LogLagProbe
from tests.exporter.fakes.dead_letter_topics import DlqPeers, FakeLetters, Topic
from tests.exporter.fakes.fake_cluster import FakePeers
from tests.exporter.fakes.just_in_time import (
    JustInTimePeers,
    JustInTimeServer,
    JustInTimeTimes,
    Took,
    always,
    part,
    wait,
)
from tests.exporter.fakes.metadata import metadata, partition
from tests.virtual_time import in_virtual_time

TIMEOUT = 10.0
SCHEDULE = Schedule(1.0, TIMEOUT)
EVERYTHING = Patterns((".*",))
TOOK = {
    "at once": always(0.0),
    **{f"{ratio:.0%} of the time": part(ratio) for ratio in (0.2, 0.4, 0.6, 0.8, 0.95, 0.999)},
    "too late": part(1.0),
    **{f"{seconds} s": always(seconds) for seconds in (0.1, 0.2, 0.5, 1.0, 2.0, 4.0)},
}

Make = Callable[[Took], Probe]


def clock() -> float:
    """Tell the loop's time, as far as there is a loop."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return 0.0


def topology(topics: int = 20, *, known: bool = True) -> Topology:
    made = Topology([Endpoint("k1", 9092)], clock=clock)
    if known:
        states = {f"t{index:04}": [partition(1, [1]), partition(2, [2])] for index in range(topics)}
        made.record(metadata([1, 2], states))
        made.report("1", up=True)
        made.report("2", up=True)
    return made


def chosen() -> ChosenTopics:
    return ChosenTopics(EVERYTHING, most=10_000, most_partitions=100_000)


def peers(took: Took, *arguments: Any, **options: Any) -> Peers:
    return cast("Peers", JustInTimePeers(took, *arguments, **options))


def cluster(took: Took) -> Probe:
    return ClusterProbe("c", topology(), peers(took), SCHEDULE, watch=["missing"], clock=clock)


def cluster_of_which_no_broker_answers(took: Took) -> Probe:
    where = topology()
    where.report("1", up=False)
    where.report("2", up=False)
    return ClusterProbe("c", where, peers(took), SCHEDULE, clock=clock)


def configs(took: Took) -> Probe:
    return ConfigsProbe("c", topology(4000), peers(took), SCHEDULE, chosen=chosen())


def offsets(took: Took) -> Probe:
    return OffsetsProbe("c", topology(), peers(took), SCHEDULE, chosen=chosen())


def groups_probe(took: Took, asked: Peers, named: int = 25, known: Topology | None = None) -> Probe:
    where = known or topology()
    groups = Groups(where, asked, ChosenGroups(lambda _: True), [f"not-there-{index}" for index in range(named)], clock)
    times = cast("RecordTimes", JustInTimeTimes(took))
    return GroupsProbe(
        "c", where, asked, groups, times, SCHEDULE, topics=EVERYTHING, beside=peers(took), fetches=10, clock=clock
    )


def listed(kind: str, count: int) -> list[ListedGroup]:
    return [ListedGroup(f"{kind}-{index}", "consumer", "Stable", kind) for index in range(count)]


def groups(took: Took) -> Probe:
    return groups_probe(took, peers(took, 10, [*listed("classic", 1200), *listed("share", 1200)]))


def groups_of_kafka_2_6(took: Took) -> Probe:
    return groups_probe(took, peers(took, 5, listed("classic", 300)))


def groups_of_kafka_before(took: Took) -> Probe:
    return groups_probe(took, peers(took, 3), named=300)


def groups_that_lag(took: Took) -> Probe:
    where = [TopicPartition(f"t{index:04}", 0) for index in range(20)]
    fake = FakePeers(ends=dict.fromkeys(where, 100))
    fake.commits = {f"g{index}": dict.fromkeys(where, 50) for index in range(20)}
    return groups_probe(took, peers(took, inner=fake))


class FakeTail:
    """A tail that reads nothing."""

    def __init__(self, *_: object) -> None:
        self.positions: dict[TopicPartition, int] = {TopicPartition("keycloak-events", 0): 5}
        self.lost: set[TopicPartition] = {TopicPartition("keycloak-events", 0)}
        self.troubles: Mapping[str, tuple[Reason, str]] = {}
        self.failure = None
        self.on_time = True
        self.moved = asyncio.Event()

    def subscribe(self, places: object, dropped: object = ()) -> None:
        """Take the order."""

    def end(self) -> None:
        """Nothing is held."""


def events(took: Took) -> Probe:
    where = Topology([Endpoint("k1", 9092)], clock=clock)
    where.record(metadata([1, 2], {"keycloak-events": [partition(1, [1]), partition(2, [2])]}))
    fake = FakePeers(ends={TopicPartition("keycloak-events", index): 100 for index in range(2)})
    return EventsProbe(
        "c", "l", KNOWN["snuk87"], where, peers(took, inner=fake), Clients("k1:9092", {}), SCHEDULE,
        realms=Realms({}, 10), max_bytes=1000, clock=clock,
    )  # fmt: skip


class JustInTimeLetters(FakeLetters):
    """Dead letters that come so late."""

    took: Took = staticmethod(always(0.0))

    async def fetch(self, wanted: Any, timeout: float) -> Any:
        """Read them."""
        await wait(self.took, timeout)
        return await super().fetch(wanted, 1.0)


def dead_letters(took: Took) -> Probe:
    fake = DlqPeers()
    fake.topics = {f"dead-{index}": Topic(1, [[0, 50], [0, 50]]) for index in range(5)}
    where = Topology([Endpoint("k1", 9092)], clock=clock)
    where.record(metadata([1, 2], {name: [partition(1, [1]), partition(2, [2])] for name in fake.topics}))
    letters = JustInTimeLetters(fake)
    letters.took = took
    return DlqTopicsProbe(
        "c", "dead", where, peers(took, inner=fake), cast("DeadLetterReader", letters), SCHEDULE,
        topics=Patterns(("dead.*",)), clock=clock,
    )  # fmt: skip


class FakeLink:
    """A link over which no record ever comes back."""

    read_trouble = None

    def __init__(self, *_: object, **__: object) -> None:
        """Make nothing."""

    def assign(self, positions: object) -> None:
        """Take the order."""

    def follow(self, leaders: object) -> None:
        """Take the order."""

    def send(self, leader: str, records: object) -> None:
        """Lose them."""

    def end(self) -> None:
        """Nothing is held."""


def canary(took: Took) -> Probe:
    where = Topology([Endpoint("k1", 9092)], clock=clock)
    where.record(metadata([1, 2], {"keywatch-canary": [partition(1, [1])]}))
    where.report("1", up=True)
    where.report("2", up=True)
    fake = FakePeers(ends={TopicPartition("keywatch-canary", 0): 100})

    class Creating(JustInTimePeers):
        """Answers also how a topic is kept."""

        async def ask(self, label: str, request: Any, timeout: float, read: Any) -> Any:
            """Answer it."""
            if request.api == requests.LIST_OFFSETS:
                return await super().ask(label, request, timeout, read)
            await self._wait(label, request, timeout)
            return 0, ""

    asked = cast("Peers", Creating(took, inner=fake))
    topic = CanaryTopic("keywatch-canary", where, asked, clock=clock)
    return CanaryProbe("c", where, asked, topic, SCHEDULE, link=lambda: asked, version=tuple, clock=clock)


def log_lag(took: Took) -> Probe:
    where = topology(2)
    partitions = [TopicPartition(f"t{topic:04}", index) for topic in range(2) for index in range(2)]
    fake = FakePeers(ends=dict.fromkeys(partitions, 100), commits={"logstash": dict.fromkeys(partitions[:2], 50)})
    asked = peers(took, inner=fake)
    body = (
        b'{"_shards": {"total": 1, "failed": 0}, "hits": {"hits": []}, "aggregations": {"read": {"topics": {"buckets":'
        b' []}}, "failed": {"doc_count": 0}}}'
    )
    return LogLagProbe(
        "c", where, asked, Groups(where, asked, ChosenGroups(lambda _: True), ["logstash", "other"], clock),
        cast("RecordTimes", JustInTimeTimes(took)), server(took, body), SCHEDULE,
        carried={"t0000": "logstash", "t0001": "logstash"}, clock=clock,
    )  # fmt: skip


def server(took: Took, body: bytes = b"{}") -> ElasticServer:
    return ElasticServer(cast("HttpPeer", JustInTimeServer(took, body)))


class JustInTimeWriter:
    """Writes a record in the time that the wiring gives it."""

    def __init__(self, took: Took) -> None:
        self.took = took
        self.written = 0

    async def write(self, key: bytes, value: bytes) -> Position:
        """Write it."""
        del key, value
        self.written += 1
        if not await wait(self.took, TIMEOUT * 0.4):
            raise ProbeError(Reason.TIMEOUT_RESPONSE, "late")
        return Position(TopicPartition("t0000", 0), 100)

    def close(self) -> None:
        """Nothing is held."""


def log_canary(took: Took) -> Probe:
    where = topology(2)
    partitions = [TopicPartition("t0000", index) for index in range(2)]
    fake = FakePeers(ends=dict.fromkeys(partitions, 100), commits={"logstash": dict.fromkeys(partitions, 500)})
    asked = peers(took, inner=fake)
    body = b'{"_shards": {"total": 1}, "aggregations": {"ids": {"buckets": []}}, "hits": {"hits": []}}'
    carried = ("logstash", Groups(where, asked, ChosenGroups(lambda _: True), ["logstash"], clock), asked)
    # One is written in each run, and each that was written is late by the second next one.
    return LogCanaryProbe(
        "c", where, "t0000", JustInTimeWriter(took), server(took, body), SCHEDULE,
        realm="r", carried=carried, every=0.0, limit=15.0, clock=clock,
    )  # fmt: skip


def elasticsearch(took: Took) -> Probe:
    return ElasticsearchProbe("c", server(took), SCHEDULE, clock=clock)


PROBES: list[Make] = [
    *(cluster, cluster_of_which_no_broker_answers, configs, offsets),
    *(groups, groups_of_kafka_2_6, groups_of_kafka_before, groups_that_lag),
    *(events, dead_letters, canary, log_lag, log_canary, elasticsearch),
]


@pytest.fixture(autouse=True)
def _without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    clients.load(Name.ELASTICSEARCH)  # a thread would: virtual time does not wait for one
    monkeypatch.setattr("keywatch.probes.events.probe.Tail", FakeTail)
    monkeypatch.setattr("keywatch.probes.canary.probe.CanaryLink", FakeLink)


async def times(make: Callable[[], Probe], runs: int = 4) -> list[float]:
    """Run a probe a few times in a row, and return how many seconds each run took."""
    probe, took = make(), []
    for _ in range(runs):
        begun = clock()
        with contextlib.suppress(ProbeError):
            await probe.run(probe.schedule.timeout)
        took.append(clock() - begun)
        await asyncio.sleep(1.0)
    await probe.close()
    return took


@pytest.mark.parametrize("took", TOOK.values(), ids=TOOK)
@pytest.mark.parametrize("make", PROBES)
def test_what_a_run_asks_adds_up_to_no_more_than_its_deadline(make: Make, took: Took) -> None:
    found, _ = in_virtual_time(times(lambda: make(took)))
    assert max(found) <= TIMEOUT + 0.01, found


@pytest.mark.parametrize("make", [cluster, configs, offsets, groups, groups_of_kafka_2_6, dead_letters, log_lag])
def test_a_run_before_anything_is_known_ends_in_time_too(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Topology, "partitions", _unknown)
    for took in TOOK.values():
        found, _ = in_virtual_time(times(lambda took=took: make(took), 1))  # type: ignore[misc] # mypy: default of lambda
        assert max(found) <= TIMEOUT + 0.01, found


async def _unknown(self: Topology, timeout: float) -> Mapping[str, Any]:
    """Learn of metadata in the last moment."""
    await asyncio.sleep(timeout)
    return self.topics or {}


@pytest.mark.parametrize("first", [0.0, 0.2, 0.49, 0.6, 1.0])
@pytest.mark.parametrize("then", [0.1, 0.5, 0.99, 1.0, 3.0])
def test_the_tries_of_a_broker_add_up_to_no_more(first: float, then: float, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[float] = []

    async def open_link(endpoint: Endpoint, timeout: float, *_: object, **__: object) -> BrokerLink:
        answers.append(first if not answers else then)
        await asyncio.sleep(answers[-1] * TIMEOUT)
        raise BrokerError(Reason.TLS_UNTRUSTED, f"{endpoint}: nobody signed it, {timeout:g}")

    monkeypatch.setattr("keywatch.probes.cluster.broker.open_link", open_link)

    def make() -> Probe:
        where = topology()
        return BrokerProbe("c", "1", where, SCHEDULE, clock=clock)

    found, _ = in_virtual_time(times(make))
    assert max(found) <= 2 * TIMEOUT + 0.01  # connecting and answering have the deadline each
    assert answers


@pytest.mark.parametrize("took", TOOK.values(), ids=TOOK)
def test_records_that_are_looked_for_are_found_or_given_up_in_twice_the_time(took: Took) -> None:
    async def find() -> None:
        search = RecordSearch(topology(), peers(took), Allowance(1e9))
        await search.find([Position(TopicPartition(f"t{index:04}", 0), 5) for index in range(20)], TIMEOUT)

    assert in_virtual_time(find())[1] <= 2 * TIMEOUT + 0.01


@pytest.mark.parametrize("delay", [0.05, 0.2, 0.45])
def test_groups_that_are_not_there_cost_nobody_his_lag_and_are_all_asked_for(delay: float) -> None:
    """Twenty of them, while an answer takes that long and the run has 2.5 s."""
    fake = FakePeers(ends={TopicPartition("t0000", 0): 100}, commits={"orders": {TopicPartition("t0000", 0): 40}})
    asked = JustInTimePeers(always(delay), inner=fake)

    async def read() -> tuple[list[float], Groups]:
        where = topology()
        names = [f"not-there-{index}" for index in range(20)]
        known = Groups(where, cast("Peers", asked), ChosenGroups(lambda _: True), names, clock)
        took = []
        for _ in range(6):
            begun = clock()
            await known.fetch(2.5 * 0.4)
            took.append(clock() - begun)
        return took, known

    (took, known), _ = in_virtual_time(read())
    assert max(took) <= 1.0 + 0.001
    if delay < 0.45:
        assert known.known["orders"].trouble is None
        assert known.known["orders"].offsets == {TopicPartition("t0000", 0): 40}
        assert asked.asked[requests.FIND_COORDINATOR] >= 20


def test_of_many_topics_those_that_there_was_no_time_for_come_first_in_the_next_run() -> None:
    """Eight requests of half a second each, and two seconds."""
    where = topology(4000)
    names = sorted(where.topics or {})

    class Telling(JustInTimePeers):
        """Answers with the least number of replicas in sync of every topic asked for."""

        async def ask(self, label: str, request: Any, timeout: float, read: Any) -> Any:
            """Answer it."""
            del read
            await self._wait(label, request, timeout)
            return {topic: (0, {"min.insync.replicas": "2"}) for topic in names if topic.encode() in request.body}

    where = topology(4000)

    async def run() -> list[str]:
        probe = ConfigsProbe("c", where, cast("Peers", Telling(always(0.5))), Schedule(1, 2.0), chosen=chosen())
        told = []
        for _ in range(4):
            try:
                await probe.run(2.0)
                told.append("whole")
            except ProbeError as error:
                told.append(f"{error.reason}, {len(error.samples)} known")
        return told

    told, _ = in_virtual_time(run())
    # Of each topic two things are told.
    assert told == [f"timeout_response, {count} known" for count in (2000, 4000, 7000, 8000)]
    assert len(where.min_in_sync) == 4000


def test_of_topics_that_are_refused_the_reason_and_the_words_are_of_the_same_one() -> None:
    class Refusing(JustInTimePeers):
        """Refuses two topics, for different reasons."""

        async def ask(self, *_: object) -> Any:
            """Answer it."""
            return {"t0000": (29, {}), "t0001": (3, {})}

    async def run() -> ProbeError:
        where = topology(2)
        probe = ConfigsProbe("c", where, cast("Peers", Refusing(always(0))), SCHEDULE, chosen=chosen())
        with pytest.raises(ProbeError) as error:
            await probe.run(3.0)
        return error.value

    error, _ = in_virtual_time(run())
    assert error.reason is Reason.AUTHORIZATION
    assert error.detail == "DescribeConfigs of 2 topics was refused, first DescribeConfigs on Topic:t0000 is missing"
