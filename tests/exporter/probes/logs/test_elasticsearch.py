"""Elasticsearch is up, yellow, red or away for a reason; a part that cannot be asked costs its own series only."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import AsyncIterator, Collection, Sequence
from typing import Any, cast

import pytest

from keywatch.elastic.product import Name, Product
from keywatch.elastic.server import ElasticServer
from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.metrics import logs as cat
from keywatch.metrics.metric import Metric
from keywatch.net.http_peer import HttpPeer
from keywatch.probes.logs.elasticsearch import ElasticsearchProbe
from tests.exporter.fakes.fake_elasticsearch import Reply, Stub, serving
from tests.exporter.fakes.misshapen import misshapen
from tests.slowness import Stopwatch

STREAMS = "logs-keycloak.*-*,logs-keycloak_exporter.*-*"
HEALTH = "GET _cluster/health"
NODES = "GET _nodes/stats"
STATS = f"GET _data_stream/{STREAMS}/_stats"


def stream(name: str, size: int, indices: int, newest: int) -> dict[str, Any]:
    return {"data_stream": name, "backing_indices": indices, "store_size_bytes": size, "maximum_timestamp": newest}


def node(available: int, failed: int) -> dict[str, Any]:
    disk = {"total": {"total_in_bytes": 1000, "available_in_bytes": available}}
    return {"fs": disk, "ingest": {"pipelines": {"logs-keycloak": {"failed": failed}}}}


def well(**stub: Any) -> Stub:
    streams = [
        stream("logs-keycloak.user_event-default", 100, 3, 1_764_000_000_500),
        stream("logs-keycloak.user_event-test", 10, 1, 1_764_000_900_000),
        stream("logs-keycloak.dlq-default", 5, 1, 0),
        stream("logs-keycloak.surprise-default", 1, 1, 1_000),
    ]
    return Stub(
        replies={
            HEALTH: Reply(200, {"status": "green", "number_of_nodes": 3, "unassigned_shards": 0}),
            NODES: Reply(200, {"nodes": {"a": node(800, 2), "b": node(120, 3)}}),
            STATS: Reply(200, {"data_streams": streams}),
        },
        **stub,
    )


@contextlib.asynccontextmanager
async def probing(stub: Stub, timeout: float = 3.0) -> AsyncIterator[ElasticsearchProbe]:
    with serving(stub):
        probe = ElasticsearchProbe("kafka", ElasticServer(HttpPeer(stub.url)), Schedule(10.0, timeout))
        try:
            yield probe
        finally:
            await probe.close()


def values(samples: Collection[Sample], metric: Metric) -> dict[tuple[str, ...], float]:
    return {sample.labels[1:]: sample.value for sample in samples if sample.metric is metric}


@pytest.mark.parametrize("product", [{}, {"product": "OpenSearch", "version": "3.8.0"}])
async def test_what_is_well_has_all_its_series(product: dict[str, str]) -> None:
    async with probing(well(**product)) as probe:
        samples = await probe.run(3.0)
    name = product.get("product", "Elasticsearch").lower()
    assert values(samples, cat.ELASTICSEARCH_UP) == {(): 1}
    assert values(samples, cat.ELASTICSEARCH_INFO) == {(name, product.get("version", "8.19.21")): 1}
    assert values(samples, cat.ELASTICSEARCH_STATUS) == {("green",): 1, ("yellow",): 0, ("red",): 0}
    assert values(samples, cat.ELASTICSEARCH_NODES) == {(): 3}
    assert values(samples, cat.ELASTICSEARCH_SHARDS_UNASSIGNED) == {(): 0}
    assert values(samples, cat.ELASTICSEARCH_DISK_AVAILABLE_RATIO) == {(): 0.12}, "the fullest node's"
    assert values(samples, cat.ELASTICSEARCH_DATA_STREAM_BYTES) == {
        ("keycloak.user_event",): 110, ("keycloak.dlq",): 5, ("other",): 1,
    }  # fmt: skip
    assert values(samples, cat.ELASTICSEARCH_BACKING_INDICES)[("keycloak.user_event",)] == 4
    newest = values(samples, cat.ELASTICSEARCH_NEWEST_EVENT_TIMESTAMP_SECONDS)
    assert newest[("keycloak.user_event",)] == 1_764_000_900.0
    assert ("keycloak.dlq",) not in newest, "a stream without documents has no newest one"
    assert values(samples, cat.ELASTICSEARCH_LIFECYCLE_ERROR_INDICES) == {(): 0}
    assert values(samples, cat.ELASTICSEARCH_BLOCKED_INDICES) == {(): 0}
    assert not [sample.note for sample in samples if sample.note]


async def test_ingest_failures_are_counted_from_where_keywatch_began_and_over_restarts() -> None:
    stub = well()
    async with probing(stub) as probe:
        grown: list[float] = []
        for failed in (2, 7, 1):
            stub.replies[NODES] = Reply(200, {"nodes": {"a": node(800, failed)}})
            grown += values(await probe.run(3.0), cat.ELASTICSEARCH_INGEST_FAILED_TOTAL).values()
    assert grown == [0, 5, 1]


async def test_another_cluster_at_the_address_is_down_and_gives_no_figures() -> None:
    stub = well()
    async with probing(stub) as probe:
        await probe.run(3.0)
        stub.uuid = "_na_"
        assert values(await probe.run(3.0), cat.ELASTICSEARCH_UP) == {(): 1}, "one that starts is none yet"
        stub.uuid = "another-one"
        for _ in range(2):
            with pytest.raises(ProbeError, match="the cluster another-one answers, but xZLJwvTbTmGb") as refusal:
                await probe.run(3.0)
            assert refusal.value.reason is Reason.OTHER_CLUSTER
            assert values(refusal.value.samples, cat.ELASTICSEARCH_UP) == {(): 0}
            assert not values(refusal.value.samples, cat.ELASTICSEARCH_NODES)
        stub.uuid = "xZLJwvTbTmGb-BFMBRf4Ew"
        assert values(await probe.run(3.0), cat.ELASTICSEARCH_UP) == {(): 1}


async def test_without_the_right_to_see_the_front_page_nobody_is_another_one() -> None:
    stub = well()
    async with probing(stub) as probe:
        await probe.run(3.0)
        stub.uuid = "another-one"
        stub.replies["GET ?filter_path=cluster_uuid"] = Reply(403, {})
        assert values(await probe.run(3.0), cat.ELASTICSEARCH_UP) == {(): 1}


async def test_red_is_told_with_its_reason() -> None:
    stub = well()
    stub.replies[HEALTH] = Reply(200, {"status": "red", "number_of_nodes": 3, "unassigned_shards": 4})
    async with probing(stub) as probe:
        samples = await probe.run(3.0)
    assert values(samples, cat.ELASTICSEARCH_STATUS) == {("green",): 0, ("yellow",): 0, ("red",): 1}
    assert [sample.note for sample in samples if sample.note] == ["a primary shard is missing"]


async def test_policies_that_stand_still_and_read_only_indices_are_counted_and_named() -> None:
    index = ".ds-logs-keycloak.user_event-default-2026.11.25-000001"
    stub = well()
    stub.replies[f"GET {STREAMS}/_ilm"] = Reply(200, {"indices": {index: {"step": "ERROR", "failed_step": "shrink"}}})
    blocked = {"settings": {"index.blocks.read_only_allow_delete": "true"}}
    stub.replies[f"GET {STREAMS}/_settings"] = Reply(200, {index: blocked})
    async with probing(stub) as probe:
        samples = await probe.run(3.0)
    assert values(samples, cat.ELASTICSEARCH_LIFECYCLE_ERROR_INDICES) == {(): 1}
    assert values(samples, cat.ELASTICSEARCH_BLOCKED_INDICES) == {(): 1}
    notes = {sample.note for sample in samples if sample.note}
    assert f"{index}: step shrink" in notes
    assert f"{index}: read_only_allow_delete: a disk passed the flood-stage watermark" in notes


@pytest.mark.parametrize("name", [NODES, STATS, f"GET {STREAMS}/_ilm", f"GET {STREAMS}/_settings"])
async def test_a_right_that_is_missing_costs_only_its_own_series(name: str) -> None:
    stub = well()
    stub.replies[name] = Reply(403, {"error": {"type": "security_exception", "reason": "x"}})
    async with probing(stub) as probe:
        with pytest.raises(ProbeError) as failed:
            await probe.run(3.0)
    assert failed.value.reason is Reason.AUTHORIZATION
    assert values(failed.value.samples, cat.ELASTICSEARCH_UP) == {(): 1}
    assert values(failed.value.samples, cat.ELASTICSEARCH_STATUS)[("green",)] == 1


async def test_a_core_without_data_streams_or_policies_is_well_all_the_same() -> None:
    stub = well()
    stub.replies[STATS] = Reply(400, {"error": "no handler found for uri"})
    stub.replies[f"GET {STREAMS}/_ilm"] = Reply(400, {"error": "no handler found for uri"})
    async with probing(stub) as probe:
        samples = await probe.run(3.0)
    assert values(samples, cat.ELASTICSEARCH_UP) == {(): 1}
    assert values(samples, cat.ELASTICSEARCH_LIFECYCLE_ERROR_INDICES) == {}


@pytest.mark.parametrize(
    ("name", "reply", "reason"),
    [
        (HEALTH, Reply(401, {}), Reason.AUTHENTICATION),
        (HEALTH, Reply(503, {"error": {"type": "master_not_discovered_exception"}}), Reason.REJECTED),
        (HEALTH, Reply(429, {}), Reason.REJECTED),
        ("GET ", Reply(200, {"version": {"number": "7.17.28"}, "tagline": "You Know, for Search"}), Reason.UNSUPPORTED),
        ("GET ", Reply(200, b"<html>"), Reason.PROTOCOL),
    ],
)
async def test_what_does_not_answer_as_it_should_is_down_for_a_reason(name: str, reply: Reply, reason: Reason) -> None:
    stub = well()
    stub.replies[name] = reply
    async with probing(stub) as probe:
        with pytest.raises(ProbeError) as failed:
            await probe.run(3.0)
    assert failed.value.reason is reason
    (down,) = failed.value.samples
    assert (down.metric, down.value) == (cat.ELASTICSEARCH_UP, 0.0)
    assert str(down.note).startswith(f"down, {reason}: ")


@pytest.mark.parametrize("name", [HEALTH, NODES, STATS, "GET "])
async def test_a_server_that_stands_still_costs_no_more_than_the_deadline(name: str) -> None:
    stub = well()
    stub.replies[name] = Reply(0)
    async with probing(stub, 0.5) as probe:
        watch = Stopwatch()
        with pytest.raises(ProbeError) as failed:
            await probe.run(0.5)
        assert watch.excuse("the probe gives up", 0.5 + 0.4), "what comes after the deadline is not the probe's"
    assert failed.value.reason is Reason.TIMEOUT_RESPONSE


async def test_after_a_failure_it_finds_out_anew_what_answers() -> None:
    stub = well()
    async with probing(stub) as probe:
        await probe.run(3.0)
        stub.replies[HEALTH].status = 503
        with pytest.raises(ProbeError):
            await probe.run(3.0)
        stub.replies[HEALTH].status, stub.version = 200, "9.3.0"
        samples = await probe.run(3.0)
    assert values(samples, cat.ELASTICSEARCH_INFO) == {("elasticsearch", "9.3.0"): 1}


NEWEST_INDEX = ".ds-logs-keycloak.user_event-default-2026.11.25-000001"
ILM, SETTINGS, ISM = f"GET {STREAMS}/_ilm", f"GET {STREAMS}/_settings", "GET _plugins/_ism"
# Which series are made of which answer.
SERIES = {
    HEALTH: {cat.ELASTICSEARCH_STATUS, cat.ELASTICSEARCH_NODES, cat.ELASTICSEARCH_SHARDS_UNASSIGNED},
    NODES: {cat.ELASTICSEARCH_DISK_AVAILABLE_RATIO, cat.ELASTICSEARCH_INGEST_FAILED_TOTAL},
    STATS: {
        cat.ELASTICSEARCH_DATA_STREAM_BYTES,
        cat.ELASTICSEARCH_BACKING_INDICES,
        cat.ELASTICSEARCH_NEWEST_EVENT_TIMESTAMP_SECONDS,
    },
    ILM: {cat.ELASTICSEARCH_LIFECYCLE_ERROR_INDICES},
    ISM: {cat.ELASTICSEARCH_LIFECYCLE_ERROR_INDICES},
    SETTINGS: {cat.ELASTICSEARCH_BLOCKED_INDICES},
}


class Answers:
    """Answers that come at once, by how the questions begin; in the place of a server."""

    def __init__(self, *, product: Name = Name.ELASTICSEARCH) -> None:
        self.peer = HttpPeer("http://elastic:9200")
        self.known = Product(product, "9.0.0")
        self.replies: dict[str, Any] = {name: copy.deepcopy(reply.body) for name, reply in well().replies.items()}
        self.replies[ILM] = {"indices": {NEWEST_INDEX: {"step": "ERROR", "failed_step": "shrink"}}}
        failed = {"step": {"name": "shrink", "step_status": "failed"}, "retry_info": None, "action": {"failed": False}}
        self.replies[ISM] = {NEWEST_INDEX: failed, "total_managed_indices": 1}
        self.replies[SETTINGS] = {NEWEST_INDEX: {"settings": {"index.blocks.write": "true"}}}

    async def product(self, timeout: float) -> Product:
        """Return what answers."""
        assert timeout > 0
        return self.known

    async def same_cluster(self, timeout: float) -> None:
        """Do nothing: it is."""
        assert timeout > 0

    def drop_product(self) -> None:
        """Do nothing."""

    async def load_client(self) -> None:
        """Do nothing: there is none."""

    async def api(self, timeout: float) -> Answers:
        """Return itself: what is asked of it, in place of a client."""
        assert timeout > 0
        return self

    async def health(self) -> Any:
        """Answer as a server does, like the others."""
        return self._told(HEALTH)

    async def node_stats(self, pipeline: str) -> Any:
        """Answer it."""
        assert pipeline
        return self._told(NODES)

    async def stream_stats(self, streams: Sequence[str]) -> Any:
        """Answer it."""
        return self._told(STATS, *streams)

    async def lifecycle(self, streams: Sequence[str]) -> Any:
        """Answer it."""
        return self._told(ISM if self.known.open else ILM, *streams)

    async def blocks(self, streams: Sequence[str]) -> Any:
        """Answer it."""
        return self._told(SETTINGS, *streams)

    def _told(self, name: str, *streams: str) -> Any:
        assert not streams or ",".join(streams) == STREAMS
        return copy.deepcopy(self.replies[name])


async def told(answers: Answers) -> tuple[ProbeError | None, Collection[Sample]]:
    """Return what two runs of a probe tell: the second one's failure and samples."""
    probe = ElasticsearchProbe("kafka", cast(ElasticServer, answers), Schedule(10.0, 3.0))
    with contextlib.suppress(ProbeError):
        await probe.run(3.0)
    try:
        return None, await probe.run(3.0)
    except ProbeError as failure:
        return failure, failure.samples


@pytest.mark.parametrize(("name", "product"), [
    *((name, Name.ELASTICSEARCH) for name in (HEALTH, NODES, STATS, ILM, SETTINGS)), (ISM, Name.OPENSEARCH)
])  # fmt: skip
async def test_an_answer_of_another_shape_costs_only_its_own_series(name: str, product: Name) -> None:
    answers = Answers(product=product)
    failure, calm = await told(answers)
    assert failure is None
    others = {sample for sample in calm if sample.metric not in SERIES[name]}
    refused = 0
    for words, shape in misshapen(answers.replies[name]):
        answers.replies[name] = shape
        failure, samples = await told(answers)
        if failure is not None:
            refused += 1
            assert failure.reason is Reason.PROTOCOL, words
            assert len(failure.detail) < 300
        assert {sample for sample in samples if sample.metric not in SERIES[name]} == others, words
        assert all(math.isfinite(sample.value) and sample.value >= 0 for sample in samples), words
    assert refused > 10


@pytest.mark.parametrize(
    ("name", "shape", "left"),
    [
        (HEALTH, {"status": None, "number_of_nodes": 3, "unassigned_shards": 0}, {cat.ELASTICSEARCH_NODES}),
        (HEALTH, {"status": "green", "number_of_nodes": 10**400}, {cat.ELASTICSEARCH_STATUS}),
        (NODES, {"nodes": {"a": {**node(1, 0), "fs": None}}}, {cat.ELASTICSEARCH_INGEST_FAILED_TOTAL}),
        (NODES, {"nodes": {"a": {**node(1, 0), "ingest": None}}}, {cat.ELASTICSEARCH_DISK_AVAILABLE_RATIO}),
        (NODES, {"nodes": {"a": node(1, 0), "b": None}}, {cat.ELASTICSEARCH_DISK_AVAILABLE_RATIO}),
        (
            STATS,
            {"data_streams": [{**stream("logs-keycloak.dlq-x", 1, 1, 1), "store_size_bytes": "9"}]},
            {cat.ELASTICSEARCH_BACKING_INDICES, cat.ELASTICSEARCH_NEWEST_EVENT_TIMESTAMP_SECONDS},
        ),
    ],
)
async def test_what_is_well_beside_another_shape_in_the_same_answer_is_told(
    name: str, shape: Any, left: set[Metric]
) -> None:
    answers = Answers()
    answers.replies[name] = shape
    failure, samples = await told(answers)
    assert failure is not None
    assert failure.reason is Reason.PROTOCOL
    assert left <= {sample.metric for sample in samples}


async def test_an_ingest_failure_is_counted_on_its_node_however_nodes_come_and_go() -> None:
    answers = Answers()
    probe = ElasticsearchProbe("kafka", cast(ElasticServer, answers), Schedule(10.0, 3.0))
    grown: list[float] = []
    for nodes in (
        {"a": 1000, "b": 400},
        {"a": 1000},  # b restarts, and is out of the cluster
        {"a": 1000, "b": 0},
        {"a": 1000, "b": 2},
        {"b": 2},  # a is partitioned away
        {"a": 1000, "b": 2},
        {"a": 1003, "b": 2},
        {"a": 0, "b": 2},  # a look between two
        {"a": 1003, "b": 2},
    ):
        answers.replies[NODES] = {"nodes": {name: node(800, failed) for name, failed in nodes.items()}}
        grown += values(await probe.run(3.0), cat.ELASTICSEARCH_INGEST_FAILED_TOTAL).values()
    assert grown == [0, 0, 0, 2, 0, 0, 3, 0, 0]


async def test_a_client_that_loads_for_longer_than_the_deadline_takes_nothing_from_the_server() -> None:
    class LoadedLate(Answers):
        now = 0.0

        async def load_client(self) -> None:
            """Load for ten times the deadline, as on a machine that has other things to do."""
            self.now += 30.0

    answers = LoadedLate()
    server = cast(ElasticServer, answers)
    probe = ElasticsearchProbe("kafka", server, Schedule(10.0, 3.0), clock=lambda: answers.now)
    assert values(await probe.run(3.0), cat.ELASTICSEARCH_UP) == {(): 1}
