"""The three lags tell apart what Logstash has not read from what it read and nobody can find."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, cast

import pytest

from keywatch.config.endpoint import Endpoint
from keywatch.elastic.newest import Newest
from keywatch.elastic.server import ElasticServer
from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.kafka.chosen_groups import ChosenGroups
from keywatch.kafka.groups import Groups
from keywatch.kafka.peers import Peers
from keywatch.kafka.records.times import RecordTimes
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.metrics import logs as cat
from keywatch.metrics.metric import Metric
from keywatch.net.http_peer import HttpPeer
from keywatch.probes.logs.log_lag import LogLagProbe, _Partition
from tests.exporter.fakes.fake_cluster import FakePeers, FakeTimes
from tests.exporter.fakes.metadata import metadata, partition

A0, A1, B0, B1 = (TopicPartition(topic, index) for topic in ("a", "b") for index in range(2))
GROUP = "logstash-a"


class FakeServer:
    """Answers searches from what is searchable: each partition's newest offset and its time in Unix seconds."""

    def __init__(self) -> None:
        self.recent: dict[TopicPartition, tuple[int, float | None]] = {}
        self.old: dict[TopicPartition, tuple[int, float]] = {}
        self.anew: dict[TopicPartition, tuple[int, float]] = {}
        """What is told of topics of which only documents since they were made anew are wanted."""
        self.failed = 0
        self.failure: ProbeError | None = None
        self.answer: dict[str, Any] | None = None
        self.bodies: list[Mapping[str, Any]] = []
        self.cached: list[bool | None] = []
        self.timeouts: list[float] = []
        self.peer = HttpPeer("http://elasticsearch:9200")

    async def api(self, timeout: float) -> FakeServer:
        """Return itself: what is asked of it, in place of a client."""
        assert timeout > 0
        self.timeouts.append(timeout)
        return self

    async def search(self, streams: Sequence[str], body: Mapping[str, Any], *, cached: bool | None) -> dict[str, Any]:
        """Answer a search."""
        assert streams == ["logs-keycloak.*-default"]
        self.bodies.append(body)
        self.cached.append(cached)
        if self.failure is not None:
            raise self.failure
        if self.answer is not None:
            return self.answer
        if body["size"]:
            terms = [term["term"] for term in body["query"]["bool"]["filter"]]
            wanted = TopicPartition(terms[0]["kafka.topic"], terms[1]["kafka.partition"])
            hits = [self._hit(*self.old[wanted])] if wanted in self.old else []
            return {"_shards": {"total": 1, "failed": 0}, "hits": {"hits": hits}}
        topics: dict[str, list[dict[str, Any]]] = {}
        left_out = body["aggs"]["read"]["filter"].get("bool", {}).get("must_not", ())
        cut = {one["bool"]["filter"][0]["term"]["kafka.topic"] for one in left_out}
        told = {one: newest for one, newest in self.recent.items() if one.topic not in cut} | self.anew
        for one, (offset, moment) in told.items():
            entry = {
                "key": one.partition,
                "offset": {"value": float(offset)},
                "time": {"value": moment and moment * 1000},
            }
            topics.setdefault(one.topic, []).append(entry)
        buckets = [{"key": topic, "partitions": {"buckets": some}} for topic, some in topics.items()]
        aggregations = {"read": {"topics": {"buckets": buckets}}, "failed": {"doc_count": self.failed}}
        return {"_shards": {"total": 1, "failed": 0}, "aggregations": aggregations}

    @staticmethod
    def _hit(offset: int, moment: float) -> dict[str, Any]:
        return {"fields": {"kafka.offset": [offset], "kafka.timestamp": [str(int(moment * 1000))]}}

    async def close(self) -> None:
        """Nothing is held."""


class Bed:
    """A probe on a cluster and a search in memory."""

    def __init__(self) -> None:
        self.peers = FakePeers(ends=dict.fromkeys((A0, A1, B0, B1), 100))
        self.peers.commits[GROUP] = dict.fromkeys((A0, A1, B0, B1), 100)
        self.times = FakeTimes()
        self.server = FakeServer()
        self.topology = Topology([Endpoint("k1", 9092)])
        told = metadata([1, 2], {topic: [partition(1, [1]), partition(2, [2])] for topic in ("a", "b")})
        self.topology.record(told)
        peers = cast("Peers", self.peers)
        groups = Groups(self.topology, peers, ChosenGroups(lambda _: True), (GROUP,))
        self.probe = LogLagProbe(
            "kafka", self.topology, peers, groups, cast("RecordTimes", self.times), cast("ElasticServer", self.server),
            Schedule(5.0, 4.0), carried={"a": GROUP, "b": GROUP}, clock=lambda: self.now,
        )  # fmt: skip
        self.now = 0.0
        self.told: list[Sample] = []

    def cycle(self) -> Bed:
        """Run the probe once."""
        self.told = list(asyncio.run(self.probe.run(4.0)))
        return self

    def series(self, metric: Metric) -> dict[str, float]:
        """Return the series of a metric by topic."""
        return {sample.labels[-1]: sample.value for sample in self.told if sample.metric is metric}


def test_when_all_is_searchable_every_lag_is_0() -> None:
    bed = Bed()
    bed.server.recent = dict.fromkeys((A0, A1, B0, B1), (99, 1000.0))
    bed.cycle()
    zero = {"a": 0, "b": 0}
    for metric in (
        cat.LOG_CONSUME_LAG_RECORDS,
        cat.LOG_INDEX_LAG_RECORDS,
        cat.LOG_LAG_SECONDS,
        cat.LOG_PARTITIONS_UNKNOWN,
    ):
        assert bed.series(metric) == zero, metric


def test_what_logstash_has_not_read_is_consume_lag_and_no_index_lag() -> None:
    bed = Bed()
    bed.peers.commits[GROUP] = {A0: 70, A1: 100, B0: 100, B1: 100}
    bed.server.recent = {A0: (69, 1000.0), **dict.fromkeys((A1, B0, B1), (99, 1000.0))}
    bed.times.written = {99: 1030.0}
    bed.cycle()
    assert bed.series(cat.LOG_CONSUME_LAG_RECORDS) == {"a": 30, "b": 0}
    assert bed.series(cat.LOG_INDEX_LAG_RECORDS) == {"a": 0, "b": 0}
    assert bed.series(cat.LOG_LAG_SECONDS) == {"a": 30, "b": 0}


def test_what_was_read_and_cannot_be_found_is_index_lag() -> None:
    bed = Bed()
    bed.server.recent = {A0: (89, 1000.0), A1: (94, 1020.0), **dict.fromkeys((B0, B1), (99, 1000.0))}
    bed.times.written = {99: 1030.0}
    bed.cycle()
    assert bed.series(cat.LOG_CONSUME_LAG_RECORDS) == {"a": 0, "b": 0}
    assert bed.series(cat.LOG_INDEX_LAG_RECORDS) == {"a": 15, "b": 0}
    assert bed.series(cat.LOG_LAG_SECONDS) == {"a": 30, "b": 0}, "the worst partition"


def test_a_topic_that_is_idle_for_long_is_looked_up_once_and_is_not_behind() -> None:
    bed = Bed()
    bed.server.recent = dict.fromkeys((A0, A1), (99, 1000.0))
    bed.server.old = {B0: (99, 10.0), B1: (89, 10.0)}
    bed.times.written = {99: 25.0}
    bed.cycle()
    assert bed.series(cat.LOG_INDEX_LAG_RECORDS) == {"a": 0, "b": 10}
    assert bed.series(cat.LOG_LAG_SECONDS) == {"a": 0, "b": 15}
    asked = len(bed.server.bodies)
    bed.cycle()
    assert len(bed.server.bodies) == asked + 1, "what is known is not looked up again"


def test_a_partition_without_any_document_is_looked_up_once() -> None:
    bed = Bed()
    bed.server.recent = dict.fromkeys((A0, A1, B0), (99, 1000.0))
    bed.cycle()
    assert [body["size"] for body in bed.server.bodies] == [0, 1]
    bed.cycle()
    assert [body["size"] for body in bed.server.bodies] == [0, 1, 0]


def test_what_is_asked_again_and_again_is_never_answered_from_a_cache() -> None:
    bed = Bed()
    bed.server.recent = dict.fromkeys((A0, A1, B0), (99, 1000.0))
    bed.cycle()
    # With a size the parameter is refused.
    assert bed.server.cached == [False, None]


def test_the_search_has_what_kafka_left_of_the_deadline_and_no_more() -> None:
    bed = Bed()
    bed.cycle()
    first, *others = bed.server.timeouts
    assert 2 < first < 3, "of 4 seconds, of which the fakes take none"
    assert len(others) == 4
    assert sum(others) <= 3.4, "the lookups share what the search left"


def test_where_nothing_was_ever_searchable_the_lag_grows_from_where_keywatch_began() -> None:
    bed = Bed()
    bed.cycle()
    assert bed.series(cat.LOG_INDEX_LAG_RECORDS) == {"a": 0, "b": 0}
    bed.peers.ends[A0] = bed.peers.commits[GROUP][A0] = 140
    bed.cycle()
    assert bed.series(cat.LOG_INDEX_LAG_RECORDS) == {"a": 40, "b": 0}
    assert bed.series(cat.LOG_WRITTEN_RECORDS_TOTAL) == {"a": 40, "b": 0}
    assert bed.series(cat.LOG_SEARCHABLE_RECORDS_TOTAL) == {"a": 0, "b": 0}


def test_counters_tell_that_records_come_and_that_the_search_stands_still() -> None:
    bed = Bed()
    bed.server.recent = dict.fromkeys((A0, A1, B0, B1), (99, 1000.0))
    bed.cycle()
    assert bed.series(cat.LOG_WRITTEN_RECORDS_TOTAL) == {"a": 0, "b": 0}
    bed.peers.ends[A0], bed.server.recent[A0] = 150, (120, 1001.0)
    bed.cycle()
    assert bed.series(cat.LOG_WRITTEN_RECORDS_TOTAL) == {"a": 50, "b": 0}
    assert bed.series(cat.LOG_SEARCHABLE_RECORDS_TOTAL) == {"a": 21, "b": 0}


@pytest.mark.parametrize("hidden", ["records", "documents", "all documents"])
def test_where_times_cannot_be_read_the_lag_counts_from_when_the_records_were_seen(hidden: str) -> None:
    bed = Bed()
    bed.server.recent = dict.fromkeys((A0, A1, B0, B1), (99, 1000.0))
    bed.cycle()
    assert bed.series(cat.LOG_LAG_SECONDS) == {"a": 0, "b": 0}
    if hidden != "records":
        bed.times.written = dict.fromkeys(range(100, 200), 1500.0)
    if hidden == "documents":
        bed.server.recent[A0] = (99, None)
        bed.probe._known[A0].newest = Newest(99, None)
    if hidden == "all documents":
        bed.probe._known[A0].newest = None
        bed.server.recent.pop(A0)
    bed.peers.ends[A0] = bed.peers.commits[GROUP][A0] = 110
    seconds = []
    for passed in (0, 200, 150, 50):
        bed.now += passed
        bed.peers.ends[A0] += 1
        seconds.append(bed.cycle().series(cat.LOG_LAG_SECONDS)["a"])
    assert seconds == [0, 200, 350, 400], "KeycloakLogsLate fires above 300"
    bed.server.recent[A0] = (111, None)
    assert bed.cycle().series(cat.LOG_LAG_SECONDS) == {"a": 50, "b": 0}, "the first that is missing came 50 s ago"
    bed.server.recent[A0] = (113, None)
    assert bed.cycle().series(cat.LOG_LAG_SECONDS) == {"a": 0, "b": 0}


def test_what_lies_at_the_end_and_is_no_record_is_not_missing() -> None:
    bed = Bed()
    bed.server.recent = dict.fromkeys((A0, A1, B0, B1), (98, 1000.0))
    bed.times.written = {99: None}
    bed.cycle()
    bed.now += 500
    assert bed.cycle().series(cat.LOG_LAG_SECONDS) == {"a": 0, "b": 0}


def test_of_a_partition_that_grows_for_days_few_moments_are_remembered() -> None:
    known = _Partition()
    for second in range(10_000):
        known.look(float(second), second + 1)
    assert len(known.ends) <= 60
    assert known.waited(10_000.0, 0) == 10_000


def test_an_end_that_falls_for_a_moment_is_not_written_again() -> None:
    bed = Bed()
    bed.server.recent = dict.fromkeys((A0, A1, B0, B1), (49, 1000.0))
    written = []
    for end in (100, 97, 100, 103, 4):
        bed.peers.ends[A0] = end
        written.append(bed.cycle().series(cat.LOG_WRITTEN_RECORDS_TOTAL)["a"])
    assert written == [0, 0, 0, 3, 4], "the last one is of a topic made anew"


def test_a_group_that_never_committed_has_read_nothing() -> None:
    bed = Bed()
    bed.peers.commits[GROUP] = {B0: 100, B1: 100}
    bed.peers.starts[A0] = 40
    bed.cycle()
    assert bed.series(cat.LOG_CONSUME_LAG_RECORDS) == {"a": 160, "b": 0}


def test_a_topic_that_was_made_anew_begins_anew() -> None:
    bed = Bed()
    bed.server.recent = dict.fromkeys((A0, A1, B0, B1), (99, 1000.0))
    bed.cycle()
    bed.peers.ends |= {A0: 5, A1: 0}
    bed.peers.commits[GROUP] |= {A0: 5, A1: 0}
    for _ in range(2):  # the documents of the topic before are still there
        bed.cycle()
        assert bed.series(cat.LOG_CONSUME_LAG_RECORDS) == {"a": 0, "b": 0}
        assert bed.series(cat.LOG_INDEX_LAG_RECORDS) == {"a": 0, "b": 0}
        assert bed.series(cat.LOG_SEARCHABLE_RECORDS_TOTAL) == {"a": 0, "b": 0}
    bed.peers.ends |= {A0: 12, A1: 2}
    bed.peers.commits[GROUP] |= {A0: 12, A1: 2}
    bed.server.anew = {A0: (8, 1001.0)}
    bed.cycle()
    assert not any(body["size"] for body in bed.server.bodies), "what is older is of another topic"
    assert bed.series(cat.LOG_SEARCHABLE_RECORDS_TOTAL) == {"a": 4, "b": 0}
    assert bed.series(cat.LOG_INDEX_LAG_RECORDS) == {"a": 5, "b": 0}, "what was searchable before hides nothing"


def test_partitions_that_cannot_be_read_are_counted_and_left_out() -> None:
    bed = Bed()
    bed.server.recent = dict.fromkeys((A0, A1, B0, B1), (49, 1000.0))
    del bed.peers.ends[A1]
    bed.cycle()
    assert bed.series(cat.LOG_PARTITIONS_UNKNOWN) == {"a": 1, "b": 0}
    assert bed.series(cat.LOG_INDEX_LAG_RECORDS) == {"a": 50, "b": 100}


def test_a_group_that_is_not_there_leaves_all_unknown() -> None:
    bed = Bed()
    bed.peers.commits.clear()
    bed.cycle()
    assert bed.series(cat.LOG_PARTITIONS_UNKNOWN) == {"a": 2, "b": 2}


def test_what_kafka_tells_is_told_also_while_the_search_fails() -> None:
    bed = Bed()
    bed.peers.ends[A0] = 130
    bed.server.failure = ProbeError(Reason.REFUSED, "connection refused")
    with pytest.raises(ProbeError) as failed:
        bed.cycle()
    assert failed.value.reason is Reason.REFUSED
    bed.told = list(failed.value.samples)
    assert bed.series(cat.LOG_CONSUME_LAG_RECORDS) == {"a": 30, "b": 0}
    assert bed.series(cat.LOG_INDEX_LAG_RECORDS) == {}, "nobody knows"


def test_documents_whose_redaction_failed_are_counted_and_told() -> None:
    bed = Bed()
    bed.server.recent = dict.fromkeys((A0, A1, B0, B1), (99, 1000.0))
    bed.server.failed = 3
    bed.cycle()
    assert bed.series(cat.LOG_REDACTION_FAILED_DOCUMENTS) == {"kafka": 3}
    (note,) = (sample.note for sample in bed.told if sample.metric is cat.LOG_REDACTION_FAILED_DOCUMENTS)
    assert note == "3 documents of the last hour were left empty, since redaction failed"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"_shards": {"total": 3, "failed": 0}}, Reason.PROTOCOL),
        ({"_shards": {"total": 3, "failed": 1}, "aggregations": {}}, Reason.REPLICA_DOWN),
        ({"timed_out": True, "_shards": {"total": 3, "failed": 0}}, Reason.TIMEOUT_RESPONSE),
        ({"_shards": {"total": 3}, "aggregations": {"read": 1, "failed": 2}}, Reason.PROTOCOL),
    ],
)
def test_an_answer_that_is_not_whole_is_no_lag(answer: dict[str, Any], reason: Reason) -> None:
    bed = Bed()
    bed.server.answer = answer
    with pytest.raises(ProbeError) as failed:
        bed.cycle()
    assert failed.value.reason is reason
    assert not [sample for sample in failed.value.samples if sample.metric is cat.LOG_INDEX_LAG_RECORDS]


def test_without_any_data_stream_nothing_is_searchable_and_nothing_fails() -> None:
    bed = Bed()
    bed.server.answer = {"_shards": {"total": 0, "failed": 0}, "hits": {"hits": []}}
    bed.cycle()
    assert bed.series(cat.LOG_INDEX_LAG_RECORDS) == {"a": 0, "b": 0}
