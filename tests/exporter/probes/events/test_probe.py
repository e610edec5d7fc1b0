"""The probe tells what came, how far reading is and what is wrong, and others get each event once, whatever breaks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError, Producer

from keywatch.config.endpoint import endpoint
from keywatch.demo.embedded import EmbeddedCluster
from keywatch.engine.probe import ProbeError, Reason, Schedule
from keywatch.engine.store import Key, Store
from keywatch.kafka.client import Clients
from keywatch.kafka.peers import Peers
from keywatch.kafka.records.tail import Tail
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.listeners.known import KNOWN
from keywatch.listeners.parser import MAX_BYTES
from keywatch.metrics import events as cat
from keywatch.metrics.metric import Metric
from keywatch.probes.cluster.cluster import ClusterProbe
from keywatch.probes.events.digest import EventTally
from keywatch.probes.events.probe import EventsProbe
from keywatch.probes.events.realms import Realms
from keywatch.probes.events.seen import SeenEvent
from tests.exporter.listeners.records import REALM, SUCCESS, Record, admin, user
from tests.exporter.waiting import until

EVENTS, ADMIN_EVENTS, FETCH = "keycloak-events", "keycloak-admin-events", 1
KEY = Key("kafka", "events", "snuk87")


@pytest.fixture
def cluster() -> Iterator[EmbeddedCluster]:
    with EmbeddedCluster() as made:
        made.create_topic(EVENTS, 3, 3)
        yield made


def write(cluster: EmbeddedCluster, records: Iterable[Record | bytes]) -> None:
    """Write records, spread over the partitions in turn, with the time that they have or now."""
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "log_level": 0, "linger.ms": 0})
    for number, record in enumerate(records):
        if not isinstance(record, Record):
            record = Record(EVENTS, None, record, 0)  # noqa: PLW2901 - 0 means now
        producer.produce(record.topic, record.value, partition=number % 3, timestamp=record.timestamp)
    assert producer.flush(20) == 0


def logins(first: int, count: int, type_: str = "LOGIN", **changed: Any) -> list[Record]:
    now = int(time.time() * 1000)
    return [
        user("snuk87", type_, **{"id": f"e-{first + number}", "time": now} | changed)._replace(timestamp=now)
        for number in range(count)
    ]


class Bed:
    """The probe and a store that takes what it tells."""

    def __init__(self, cluster: EmbeddedCluster) -> None:
        self.now = 100.0
        addresses = [endpoint(address) for address in cluster.bootstrap.split(",")]
        self.topology = Topology(addresses)
        self.metadata = ClusterProbe("kafka", self.topology, Peers(self.topology, None), Schedule(1.0, 1.0))
        self.probe = EventsProbe(
            "kafka", "snuk87", KNOWN["snuk87"], self.topology, Peers(self.topology, None),
            Clients(cluster.bootstrap, {}), Schedule(1.0, 6.0), realms=Realms({}, 10), max_bytes=MAX_BYTES,
            clock=lambda: self.now,
        )  # fmt: skip
        self.store = Store()
        self.error: ProbeError | None = None

    async def cycle(self, *, learn: bool = True) -> Bed:
        """Read metadata and run the probe once, as the runner does."""
        self.now += 1.0
        if learn:
            await self.metadata.run(1.0)
        self.error = None
        try:
            self.store.replace(KEY, await self.probe.run(6.0), time.time(), self.now + 10)
        except ProbeError as error:
            self.error = error
            self.store.degrade(KEY, error.samples, time.time(), self.now + 10)
        return self

    def series(self, metric: Metric) -> dict[tuple[str, ...], float]:
        """Return the series of a metric, their labels without cluster and listener."""
        return {labels[2:]: value for labels, value in self.store.values(metric).items()}

    def value(self, metric: Metric) -> float:
        """Return the one series of a metric."""
        ((_, value),) = self.series(metric).items()
        return value

    @property
    def received(self) -> float:
        """How many events came."""
        return sum(self.series(cat.EVENTS_RECEIVED_TOTAL).values())

    async def until(self, count: int) -> None:
        """Run until so many events came."""
        deadline = time.monotonic() + 60
        while (await self.cycle()).received < count:
            assert time.monotonic() < deadline, f"{self.received} of {count}: {self.error}"

    def down(self, brokers: Iterable[int], *, up: bool = False) -> None:
        """Say what a broker probe would find out."""
        for broker in brokers:
            self.topology.report(str(broker), up, None if up else Reason.REFUSED)


@asynccontextmanager
async def bed(cluster: EmbeddedCluster) -> AsyncIterator[Bed]:
    made = Bed(cluster)
    try:
        yield made
    finally:
        tail = made.probe._tail
        await made.probe.close()
        await made.metadata.close()
        if tail is not None:
            await asyncio.to_thread(tail._thread.join, 10)


async def test_the_past_is_not_replayed_and_what_comes_is_counted(cluster: EmbeddedCluster) -> None:
    write(cluster, logins(0, 30))
    async with bed(cluster) as it:
        await it.cycle()
        assert it.error is None
        assert it.received == 0
        assert it.value(cat.EVENTS_UP) == 1
        assert it.value(cat.EVENTS_PARTITIONS) == 3
        assert it.value(cat.EVENTS_SKIPPED_RECORDS_TOTAL) == 0
        cluster.create_topic(ADMIN_EVENTS, 3, 3)
        write(cluster, [*logins(100, 30), *logins(200, 6, "LOGIN_ERROR"), b"{", *logins(100, 3)])
        write(cluster, [admin("snuk87", "DELETE", id="a-1")])
        await it.until(37)
        assert it.series(cat.EVENTS_RECEIVED_TOTAL) == {
            ("shop", "login", "success"): 30,
            ("shop", "login", "error"): 6,
            ("shop", "admin_delete", "success"): 1,
        }
        assert it.value(cat.EVENTS_DUPLICATED_TOTAL) == 3
        assert it.series(cat.EVENTS_MALFORMED_TOTAL)["not_json",] == 1
        assert (it.value(cat.EVENTS_BEHIND_RECORDS), it.value(cat.EVENTS_PARTITIONS_UNREAD)) == (0, 0)
        assert abs(it.series(cat.EVENT_LAST_TIMESTAMP_SECONDS)["shop",] - time.time()) < 20
        (delays,) = it.store.histograms[cat.EVENT_DELIVERY_DELAY_SECONDS].values()
        assert sum(delays.counts) == 37
        assert it.value(cat.EVENTS_PARTITIONS) == 6


async def test_who_listens_gets_each_event_once_and_knows_how_far_they_are_complete(cluster: EmbeddedCluster) -> None:
    async with bed(cluster) as it:
        seen, heard = it.probe.seen, list[SeenEvent]()
        seen.on_batch(heard.extend)
        await it.cycle()
        assert (seen.caught_up, seen.since, seen.complete_until, seen.unbroken_since) == (True, 101.0, 101.0, 101.0)
        it.down((1, 2, 3), up=True)
        write(cluster, [*logins(0, 9), *logins(0, 3), b"{"])
        await it.until(9)
        assert [(event.realm_id, event.realm_name, event.event, event.outcome) for event in heard] == [
            (REALM, "shop", "login", SUCCESS)
        ] * 9
        assert all(0 <= time.monotonic() - event.arrived < 20 for event in heard)
        assert seen.realms.names[REALM] == "shop"
        while not seen.caught_up:
            await it.cycle()
        assert (seen.leaders_live, seen.complete_until, seen.unbroken_since) == (True, it.now, 101.0)


async def test_an_event_counts_though_who_listens_has_a_defect(cluster: EmbeddedCluster) -> None:
    told: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    async with bed(cluster) as it:

        def broken(events: Sequence[SeenEvent]) -> None:
            raise ZeroDivisionError(f"planted, at {len(events)} events")

        it.probe.seen.on_batch(broken)
        await it.cycle()
        write(cluster, logins(0, 3))
        await it.until(3)
        write(cluster, logins(3, 3))
        await it.until(6)
        assert it.received == 6
    assert all(isinstance(context["exception"], ZeroDivisionError) for context in told)
    assert len(told) >= 2


async def test_a_dead_leader_costs_its_own_partition_and_all_dead_ones_fail_the_probe(cluster: EmbeddedCluster) -> None:
    async with bed(cluster) as it:
        await it.cycle()
        cluster.stop_broker(2)
        it.down([2])
        await it.cycle()
        assert it.error is None
        assert (it.value(cat.EVENTS_UP), it.value(cat.EVENTS_PARTITIONS_UNREAD)) == (0, 1)
        assert not it.probe.seen.caught_up
        assert not it.probe.seen.leaders_live
        unbroken, complete = it.probe.seen.unbroken_since, it.probe.seen.complete_until
        for broker in (1, 3):
            cluster.stop_broker(broker)
        it.down([1, 3])
        await it.cycle(learn=False)
        assert it.error is not None
        assert (it.error.reason, it.value(cat.EVENTS_PARTITIONS_UNREAD)) == (Reason.NO_LEADER, 3)
        assert "3 of 3 partitions of snuk87 cannot be read: keycloak-events/0, its leader" in it.error.detail
        for broker in (1, 2, 3):
            cluster.start_broker(broker)
        it.down([1, 2, 3], up=True)
        write(cluster, logins(0, 9))
        await it.until(9)
        assert it.value(cat.EVENTS_UP) == 1
        assert it.probe.seen.unbroken_since == unbroken, "nothing was skipped"
        assert it.probe.seen.complete_until == it.now
        assert complete == 101.0


async def test_topics_that_are_not_there_are_named_and_read_from_their_beginning_when_they_come() -> None:
    with EmbeddedCluster() as cluster:
        async with bed(cluster) as it:
            await it.cycle()
            assert it.error is not None
            assert (it.error.reason, it.error.detail) == (Reason.UNKNOWN_TOPIC, "the topics of snuk87 are not there")
            assert (it.value(cat.EVENTS_UP), it.value(cat.EVENTS_DUPLICATED_TOTAL)) == (0, 0)
            assert not it.probe.seen.caught_up
            cluster.create_topic(EVENTS, 3, 3)
            write(cluster, logins(0, 9))
            await it.until(9)
            assert it.value(cat.EVENTS_UP) == 1


async def test_without_metadata_nothing_can_be_told_but_the_counters() -> None:
    with EmbeddedCluster() as cluster:
        async with bed(cluster) as it:
            await it.cycle(learn=False)
            assert it.error is not None
            assert it.error.reason is Reason.NO_METADATA
            assert it.value(cat.EVENTS_DUPLICATED_TOTAL) == 0
            assert it.series(cat.EVENTS_UP) == {}


async def test_a_defect_in_the_tail_is_told_and_reading_goes_on_where_it_was(
    cluster: EmbeddedCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bed(cluster) as it:
        await it.cycle()
        write(cluster, logins(0, 9))
        await it.until(9)
        with monkeypatch.context() as planted:

            def broken(*_: object, **__: object) -> None:
                raise ZeroDivisionError("planted")

            planted.setattr(it.probe._digest, "batch", broken)
            write(cluster, logins(9, 9))
            tail = it.probe._tail
            await until(lambda: tail is not None and tail.failure, "the tail has ended")
        with pytest.raises(ZeroDivisionError, match="planted"):
            await it.cycle()
        await it.until(18)
        assert it.received == 18
        assert it.error is None


async def test_a_client_that_cannot_be_made_is_a_failure_with_its_words(cluster: EmbeddedCluster) -> None:
    async with bed(cluster) as it:
        it.probe._clients = Clients(cluster.bootstrap, {"no.such.setting": 1})
        await it.cycle()
        tail = it.probe._tail
        await until(lambda: tail is not None and tail.failure, "the tail has ended")
        await it.cycle()
        assert it.error is not None
        assert "no.such.setting" in it.error.detail


async def test_a_run_that_is_cut_short_loses_no_count(cluster: EmbeddedCluster) -> None:
    async with bed(cluster) as it:
        await it.cycle()
        write(cluster, logins(0, 9))
        run = asyncio.ensure_future(it.probe.run(6.0))
        await asyncio.sleep(0)
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run
        await it.until(9)
        assert it.received == 9


async def test_reading_that_falls_behind_says_so_and_a_partition_that_stands_still_is_unread(
    cluster: EmbeddedCluster,
) -> None:
    async with bed(cluster) as it:
        await it.cycle()
        tail = it.probe._tail
        assert tail is not None
        assert tail.on_time
        cluster.request_errors(FETCH, [KafkaError.UNKNOWN_LEADER_EPOCH] * 10_000)
        write(cluster, logins(0, 9))
        await it.cycle()
        assert (it.value(cat.EVENTS_BEHIND_RECORDS), it.value(cat.EVENTS_UP), tail.on_time) == (9, 1, True)
        assert not it.probe.seen.caught_up
        it.now += 6
        await it.cycle()
        assert (it.value(cat.EVENTS_UP), it.value(cat.EVENTS_PARTITIONS_UNREAD), tail.on_time) == (0, 0, False)
        it.now += 6
        await it.cycle()
        assert (it.value(cat.EVENTS_UP), it.value(cat.EVENTS_PARTITIONS_UNREAD)) == (0, 3)
        assert it.error is not None
        assert "nothing came from it for 10 s" in it.error.detail


async def test_slow_brokers_are_read_like_others(cluster: EmbeddedCluster) -> None:
    async with bed(cluster) as it:
        await it.metadata.run(1.0)
        for broker in cluster.broker_ids:
            cluster.slow_broker(broker, 600)
        deadline = time.monotonic() + 90
        while it.probe.seen.complete_until is None:
            assert time.monotonic() < deadline
            await it.cycle(learn=False)
        write(cluster, logins(0, 9))
        while (await it.cycle(learn=False)).received < 9 or it.probe.seen.complete_until != it.now:
            assert time.monotonic() < deadline
            assert (it.error, it.value(cat.EVENTS_UP)) == (None, 1)


def test_under_a_steady_stream_events_are_complete_up_to_an_earlier_look(cluster: EmbeddedCluster) -> None:
    probe = Bed(cluster).probe
    first, second = TopicPartition(EVENTS, 0), TopicPartition(EVENTS, 1)
    probe._ends.known = {EVENTS: {0: 10, 1: 10}}
    tail = SimpleNamespace(positions={first: 8, second: 10})
    reach = partial(probe._reach, cast("Tail[EventTally]", tail))
    reach({}, 1.0)
    assert probe._kept_up == float("-inf")
    probe._ends.known = {EVENTS: {0: 20, 1: 10}}
    tail.positions[first] = 15
    reach({}, 2.0)
    assert probe._kept_up == 1.0, "behind the ends of now, but past those of the first look"
    reach({first: (Reason.NO_LEADER, "dead")}, 3.0)
    assert probe._kept_up == 3.0, "what cannot be read is not waited for"
    tail.positions[first] = 20
    reach({}, 4.0)
    assert probe._kept_up == 4.0
