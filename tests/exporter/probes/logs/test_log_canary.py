"""A marked event goes the whole way of logs; one that does not arrive in time is told, with where it is stuck."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from keywatch.config.endpoint import Endpoint
from keywatch.elastic.server import ElasticServer
from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.kafka.chosen_groups import ChosenGroups
from keywatch.kafka.groups import Groups
from keywatch.kafka.peers import Peers
from keywatch.kafka.records.record import Moment, Record
from keywatch.kafka.records.search import Position
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.listeners.known import KNOWN
from keywatch.listeners.marked_event import KEY, marked_event
from keywatch.listeners.parser import Parser
from keywatch.metrics import log_canary as cat
from keywatch.metrics.metric import Metric
from keywatch.net.http_peer import HttpPeer
from keywatch.probes.events.digest import Digest
from keywatch.probes.logs.log_canary import LogCanaryProbe
from tests.exporter.fakes.fake_cluster import FakePeers
from tests.exporter.fakes.metadata import metadata, partition

PLACE = TopicPartition("keycloak.events", 1)
GROUP = "keywatch-keycloak-user-events"
REALM = "keywatch-canary"


class FakeWriter:
    """Keeps what is written, at offsets from 100 on."""

    def __init__(self) -> None:
        self.values: list[bytes] = []
        self.failure: ProbeError | None = None

    async def write(self, key: bytes, value: bytes) -> Position:
        """Take a record."""
        assert key == KEY
        if self.failure is not None:
            raise self.failure
        self.values.append(value)
        return Position(PLACE, 99 + len(self.values))

    def close(self) -> None:
        """Nothing is held."""

    @property
    def ids(self) -> list[str]:
        """Return the ids of the events."""
        return [json.loads(value)["id"] for value in self.values]


class FakeServer:
    """Answers searches from what is searchable."""

    def __init__(self) -> None:
        self.searchable: set[str] = set()
        self.failure: ProbeError | None = None
        self.answer: dict[str, Any] | None = None
        self.elsewhere: list[str] | ProbeError = []
        self.asked = 0
        self.peer = HttpPeer("http://elasticsearch:9200")

    async def api(self, timeout: float) -> FakeServer:
        """Return itself: what is asked of it, in place of a client."""
        assert timeout > 0
        return self

    async def search(
        self, streams: Sequence[str], body: Mapping[str, Any], *, cached: bool | None = None
    ) -> dict[str, Any]:
        """Answer a search."""
        if streams == ["logs-keycloak.*-default"]:
            return self._stored(body)
        assert streams == ["logs-keycloak.user_event-default"]
        assert cached is False
        self.asked += 1
        if self.failure is not None:
            raise self.failure
        if self.answer is not None:
            return self.answer
        wanted = body["query"]["terms"]["event.id"]
        buckets = [{"key": one, "doc_count": 1} for one in wanted if one in self.searchable]
        return {"_shards": {"total": 1, "failed": 0}, "aggregations": {"ids": {"buckets": buckets}}}

    def _stored(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """Return what is stored of the first record."""
        first = [{"term": {"kafka.topic": PLACE.topic}}, {"term": {"kafka.partition": PLACE.partition}}]
        assert body["query"]["bool"]["filter"] == [*first, {"term": {"kafka.offset": 100}}]
        if isinstance(self.elsewhere, ProbeError):
            raise self.elsewhere
        return {"hits": {"hits": [{"_source": {"data_stream": {"dataset": one}}} for one in self.elsewhere]}}

    async def close(self) -> None:
        """Nothing is held."""


class Bed:
    """A probe with Kafka and a search in memory, and a clock that is moved by hand."""

    def __init__(self, *, known_group: bool = True) -> None:
        self.now = 1000.0
        self.writer, self.server = FakeWriter(), FakeServer()
        self.peers = FakePeers(ends={PLACE: 200})
        self.peers.commits[GROUP] = {PLACE: 100}
        self.topology = topology = Topology([Endpoint("k1", 9092)])
        topology.record(metadata([1, 2], {PLACE.topic: [partition(1, [1]), partition(2, [2])]}))
        peers = cast("Peers", self.peers)
        carried = (GROUP, Groups(topology, peers, ChosenGroups(GROUP.__eq__), (GROUP,)), peers) if known_group else None
        self.probe = LogCanaryProbe(
            "kafka", topology, PLACE.topic, self.writer, cast("ElasticServer", self.server), Schedule(1.0, 5.0),
            realm=REALM, carried=carried,
            every=30.0, limit=60.0, clock=lambda: self.now, wall=lambda: self.now + 1_790_000_000,
        )  # fmt: skip
        self.told: list[Sample] = []
        self.counted: dict[str, float] = {}

    def cycle(self, seconds: float = 1.0) -> Bed:
        """Run the probe once, then let time pass."""
        try:
            self.told = list(asyncio.run(self.probe.run(5.0)))
        except ProbeError as error:
            self.told = list(error.samples)
            raise
        finally:
            for sample in self.told:
                if sample.metric is cat.LOG_CANARY_EVENTS_TOTAL:
                    self.counted[sample.labels[-1]] = self.counted.get(sample.labels[-1], 0.0) + sample.value
            self.now += seconds
        return self

    def last(self, metric: Metric) -> float | None:
        """Return the last value of a metric; None when it was not told."""
        return next((sample.value for sample in reversed(self.told) if sample.metric is metric), None)

    @property
    def note(self) -> str | None:
        """Return what is said of events that do not arrive."""
        return next((sample.note for sample in self.told if sample.metric is cat.LOG_CANARY_UP), None)


def test_an_event_that_is_found_tells_how_long_it_took() -> None:
    bed = Bed()
    bed.cycle(2.0)
    assert bed.last(cat.LOG_CANARY_UP) is None, "nothing is known yet"
    bed.server.searchable.update(bed.writer.ids)
    bed.cycle()
    assert bed.last(cat.LOG_CANARY_UP) == 1
    assert bed.last(cat.LOG_CANARY_ROUND_TRIP_SECONDS) == bed.last(cat.LOG_CANARY_LAST_ROUND_TRIP_SECONDS) == 2.0
    assert bed.last(cat.LOG_CANARY_LAST_FOUND_TIMESTAMP_SECONDS) == 1_790_001_002
    assert bed.last(cat.LOG_CANARY_LIMIT_SECONDS) == 60
    assert bed.counted == {"found": 1, "late": 0, "lost": 0, "refused": 0}


def test_nothing_is_asked_while_nothing_is_under_way_and_the_next_event_comes_when_it_is_due() -> None:
    bed = Bed()
    bed.cycle()
    bed.server.searchable.update(bed.writer.ids)
    bed.cycle()
    asked = bed.server.asked
    for _ in range(27):
        bed.cycle()
    assert (bed.server.asked, len(bed.writer.values)) == (asked, 1)
    bed.cycle().cycle()
    assert len(bed.writer.values) == 2
    assert bed.last(cat.LOG_CANARY_UP) == 1, "what was found before holds until the next is judged"


@pytest.mark.parametrize(
    ("committed", "words"),
    [
        (100, "keycloak.events/1 at 100 was not found within 60 s, and keywatch-keycloak-user-events has not read it"),
        (101, "keycloak.events/1 at 100 was not found within 60 s, although keywatch-keycloak-user-events has read it"),
        (None, "keycloak.events/1 at 100 was not found within 60 s, and keywatch-keycloak-user-events has not read it"),
    ],
)
def test_an_event_that_is_not_found_in_time_is_told_with_where_it_is_stuck(committed: int | None, words: str) -> None:
    bed = Bed()
    bed.peers.commits[GROUP] = {} if committed is None else {PLACE: committed}
    bed.cycle(60.0).cycle(1.0)
    assert bed.last(cat.LOG_CANARY_UP) is None, "a minute is not over yet"
    bed.cycle()
    assert bed.last(cat.LOG_CANARY_UP) == 0
    assert bed.note == f"marked events cannot be searched: {words}"


@pytest.mark.parametrize(
    ("datasets", "words"),
    [
        (["keycloak.unparsed"], ": it is stored as keycloak.unparsed"),
        (
            ["keycloak.user_event", "keycloak.rejected", "keycloak.user_event"],
            ": it is stored as keycloak.rejected and keycloak.user_event",
        ),
        (ProbeError(Reason.TIMEOUT_RESPONSE, "late"), ""),
    ],
)
@pytest.mark.parametrize("known_group", [True, False])
def test_an_event_that_is_stored_as_something_else_is_told_so(
    datasets: list[str] | ProbeError, words: str, known_group: bool
) -> None:
    bed = Bed(known_group=known_group)
    bed.peers.commits[GROUP] = {PLACE: 101}
    bed.server.elsewhere = datasets
    bed.cycle(61.0).cycle()
    assert bed.note is not None
    assert bed.note.endswith(f"{'has read it' if known_group else 'within 60 s'}{words}")


def test_without_a_known_group_it_says_less() -> None:
    bed = Bed(known_group=False)
    bed.cycle(61.0).cycle()
    assert bed.note == "marked events cannot be searched: keycloak.events/1 at 100 was not found within 60 s"


def test_an_event_that_comes_late_is_counted_as_late_and_the_next_in_time_ends_the_trouble() -> None:
    bed = Bed()
    bed.cycle(61.0).cycle()
    bed.server.searchable.update(bed.writer.ids[:1])
    bed.cycle()
    assert bed.counted == {"found": 0, "late": 1, "lost": 0, "refused": 0}
    assert bed.last(cat.LOG_CANARY_UP) == 0, "late is not in time"
    bed.server.searchable.update(bed.writer.ids)
    bed.cycle()
    assert (bed.last(cat.LOG_CANARY_UP), bed.note) == (1, None)


def test_an_event_that_never_comes_is_lost_and_not_looked_for_any_more() -> None:
    bed = Bed()
    bed.cycle(61.0)
    bed.cycle(540.0)
    bed.server.searchable.update(bed.writer.ids[1:])
    bed.cycle()
    assert bed.counted["lost"] == 1
    asked = bed.server.asked
    bed.server.searchable.update(bed.writer.ids)
    bed.cycle()
    assert bed.server.asked == asked + 1, "only the newest is under way"
    assert bed.counted["lost"] == 1


def test_what_kafka_refuses_is_told_at_once_and_tried_again_when_the_next_is_due() -> None:
    bed = Bed()
    bed.writer.failure = ProbeError(Reason.AUTHORIZATION, "Write on Topic:keycloak.events is missing")
    with pytest.raises(ProbeError, match="Write on Topic") as failed:
        bed.cycle()
    assert failed.value.reason is Reason.AUTHORIZATION
    assert bed.last(cat.LOG_CANARY_UP) == 0
    assert bed.note is not None
    assert "Kafka did not take it, authorization: Write on Topic:keycloak.events is missing" in bed.note
    bed.cycle()
    assert bed.counted["refused"] == 1, "not every second"


def test_nothing_is_written_to_a_topic_that_is_not_there() -> None:
    bed = Bed()
    bed.topology.record(metadata([1, 2], {"another": [partition(1, [1])]}))
    with pytest.raises(ProbeError, match="of marked events is not there") as failed:
        bed.cycle()
    assert failed.value.reason is Reason.UNKNOWN_TOPIC
    assert bed.writer.values == []
    assert (bed.last(cat.LOG_CANARY_UP), bed.counted["refused"]) == (0, 1)


def test_a_search_that_fails_is_the_probes_failure_and_after_the_limit_the_reason() -> None:
    bed = Bed()
    bed.server.failure = ProbeError(Reason.REFUSED, "http://elasticsearch:9200: connection refused")
    for _ in range(2):
        with pytest.raises(ProbeError, match="refused"):
            bed.cycle(30.5)
        assert bed.last(cat.LOG_CANARY_UP) is None
    with pytest.raises(ProbeError, match="refused"):
        bed.cycle()
    assert bed.note == "marked events cannot be searched: refused: http://elasticsearch:9200: connection refused"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"_shards": {"total": 3, "failed": 0}}, Reason.PROTOCOL),
        ({"_shards": {"total": 3, "failed": 1}, "aggregations": {"ids": {"buckets": []}}}, Reason.REPLICA_DOWN),
        ({"timed_out": True, "_shards": {"total": 3, "failed": 0}}, Reason.TIMEOUT_RESPONSE),
        ({"_shards": {"total": 3}, "aggregations": {"ids": 5}}, Reason.PROTOCOL),
    ],
)
def test_an_answer_that_is_not_whole_is_no_verdict(answer: dict[str, Any], reason: Reason) -> None:
    bed = Bed()
    bed.server.answer = answer
    with pytest.raises(ProbeError) as failed:
        bed.cycle()
    assert failed.value.reason is reason


def test_before_the_first_document_there_is_no_stream_and_nothing_fails() -> None:
    bed = Bed()
    bed.server.answer = {"_shards": {"total": 0, "failed": 0}, "hits": {"hits": []}}
    bed.cycle()
    assert bed.last(cat.LOG_CANARY_UP) is None


def test_the_event_is_one_that_a_listener_writes_and_keywatch_does_not_count_it() -> None:
    event_id, value = marked_event(REALM, 1_790_000_000.5)
    parse = Parser(KNOWN["scriptonbasestar"]).parse
    found = parse("keycloak.events", KEY, value)
    assert (found.event_id, found.realm_id, found.event, found.time) == (  # type: ignore[union-attr]
        event_id,
        REALM,
        "client_info",
        1_790_000_000.5,
    )
    digest = Digest(parse)
    now = Moment(1_790_000_001.0, 1.0)
    records = [Record("keycloak.events", KEY, value, 1_790_000_000.6)]
    tally = digest.batch(records, now, on_time=True, wanted=True)
    assert (tally.received, tally.size, tally.seen, tally.last) == ({}, 0, [], {})
    other = [Record("keycloak.events", b"other", value, 1_790_000_000.6)]
    assert digest.batch(other, now, on_time=True, wanted=True).received.total() == 1
