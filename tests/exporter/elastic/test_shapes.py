"""Whatever an answer of Elasticsearch or OpenSearch is made of, it is read or refused as such, and nothing else."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from keywatch.elastic import opensearch
from keywatch.elastic.bootstrap import Consent, plan
from keywatch.elastic.event_search import Follower, Wanted, search
from keywatch.elastic.findable import findable
from keywatch.elastic.newest import older, recent
from keywatch.elastic.objects import ElasticObject, ObjectKind, load, shipped
from keywatch.elastic.product import Name, Product
from keywatch.elastic.server import ElasticServer
from keywatch.elastic.stored_as import stored_as
from keywatch.elastic.stored_objects import changes, held, marked
from keywatch.elastic.streams import in_force, resolve, rivals
from keywatch.engine.probe import ProbeError, Reason
from keywatch.kafka.records.search import Position
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.net.http_peer import Answer, HttpPeer
from tests.exporter.fakes.misshapen import misshapen

ELASTIC, OPEN = Product(Name.ELASTICSEARCH, "9.0.0"), Product(Name.OPENSEARCH, "3.8.0")
OBJECTS = load(shipped())
SINCE = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@dataclass
class OneAnswer:
    """Gives one answer to everything; in the place of a server."""

    answer: Any
    known: Product = ELASTIC
    peer: HttpPeer = field(default_factory=lambda: HttpPeer("http://elastic:9200"))

    async def product(self, timeout: float) -> Product:
        """Return what answers."""
        assert timeout > 0
        return self.known

    async def api(self, timeout: float) -> OneAnswer:
        """Return itself: what is asked of it, in place of a client."""
        assert timeout > 0
        return self

    async def _ask(self, *_: object, **__: object) -> Any:
        """Return the answer, which whoever asked may change."""
        return dict(self.answer)

    search = resolve = index_templates = simulated_index = held = _ask


def first(kind: ObjectKind, objects: list[ElasticObject] = OBJECTS) -> ElasticObject:
    return next(one for one in objects if one.kind is kind)


async def differences(server: ElasticServer, product: Product, one: ElasticObject) -> list[str]:
    found = await held(server, product, one, 1.0)
    return [] if found is None else changes(one, found)


async def weaker(server: ElasticServer, policy: ElasticObject) -> Any:
    return await plan(server, [policy], Consent(), 1.0)


HITS = {"timed_out": False, "_shards": {"total": 2, "failed": 0}}
EVENT = {
    "_index": ".ds-logs-keycloak.user_event-default-000001",
    "_id": "1",
    "_source": {"event": {"ingested": "2026-01-02T00:00:00Z"}, "data_stream": {"dataset": "keycloak.user_event"}},
    "sort": [1, "a"],
}
PARTITION = {"key": 0, "offset": {"value": 7.0}, "time": {"value": 1.7e12}}
READ = {"topics": {"buckets": [{"key": "t", "partitions": {"buckets": [PARTITION]}}]}}
FIELDS = {"kafka.offset": [7], "kafka.timestamp": ["1764000000000"]}
POLICY = first(ObjectKind.LIFECYCLE)
ISM = first(ObjectKind.LIFECYCLE, opensearch.translate(OBJECTS))
COMPONENT, INDEX, INGEST = (first(kind) for kind in (ObjectKind.COMPONENT, ObjectKind.INDEX, ObjectKind.INGEST))
T0 = TopicPartition("t", 0)
Reading = Callable[[ElasticServer], Awaitable[Any]]
READINGS: dict[str, tuple[Any, Reading]] = {
    "search": ({**HITS, "hits": {"hits": [EVENT]}}, lambda server: search(server, Wanted(), 10, 1.0)),
    "follow": ({**HITS, "hits": {"hits": [EVENT]}}, lambda server: Follower(server, Wanted(), SINCE).more(1.0)),
    "findable": (
        {**HITS, "aggregations": {"ids": {"buckets": [{"key": "a", "doc_count": 1}]}}},
        lambda server: findable(server, ["a"], "default", 1.0),
    ),
    "stored as": (
        {**HITS, "hits": {"hits": [EVENT]}},
        lambda server: stored_as(server, Position(T0, 7), "default", 1.0),
    ),
    "newest": (
        {**HITS, "aggregations": {"read": READ, "failed": {"doc_count": 0}}},
        lambda server: recent(server, ["t"], "default", 1.0),
    ),
    "older": ({**HITS, "hits": {"hits": [{"fields": FIELDS}]}}, lambda server: older(server, [T0], "default", 1.0)),
    "resolve": (
        {
            "indices": [{"name": "i", "data_stream": "s"}],
            "aliases": [{"name": "a"}],
            "data_streams": [{"name": "s"}],
        },
        lambda server: resolve(server, 1.0),
    ),
    "rivals": (
        {"index_templates": [{"name": "n", "index_template": {"index_patterns": ["logs-*"], "priority": 900}}]},
        lambda server: rivals(server, OBJECTS, 1.0),
    ),
    "in force": (
        {"template": {"settings": {"index": {"default_pipeline": "p", "lifecycle": {"name": "l"}}}}},
        lambda server: in_force(server, ELASTIC, OBJECTS, 1.0),
    ),
    "policy": (
        {POLICY.name: {"version": 1, **marked(POLICY, ELASTIC)}},
        lambda server: differences(server, ELASTIC, POLICY),
    ),
    "open policy": (
        {"_seq_no": 1, "_primary_term": 1, **marked(ISM, OPEN)},
        lambda server: differences(server, OPEN, ISM),
    ),
    "pipeline": ({INGEST.name: marked(INGEST, ELASTIC)}, lambda server: differences(server, ELASTIC, INGEST)),
    "component": (
        {"component_templates": [{"name": COMPONENT.name, "component_template": marked(COMPONENT, ELASTIC)}]},
        lambda server: differences(server, ELASTIC, COMPONENT),
    ),
    "index template": (
        {"index_templates": [{"name": INDEX.name, "index_template": marked(INDEX, ELASTIC)}]},
        lambda server: differences(server, ELASTIC, INDEX),
    ),
    "retention": ({POLICY.name: marked(POLICY, ELASTIC)}, lambda server: weaker(server, POLICY)),
}


@pytest.mark.parametrize(("answer", "read"), READINGS.values(), ids=READINGS)
async def test_an_answer_of_another_shape_is_read_or_refused_and_nothing_else(answer: Any, read: Reading) -> None:
    await read(cast(ElasticServer, OneAnswer(answer)))
    refused = 0
    for words, shape in misshapen(answer):
        failure = await refusal(read(cast(ElasticServer, OneAnswer(shape))))
        if failure is not None:
            assert failure.reason in {Reason.PROTOCOL, Reason.REPLICA_DOWN, Reason.TIMEOUT_RESPONSE}, words
            assert len(failure.detail) < 500, words
            refused += failure.reason is Reason.PROTOCOL
    assert refused


async def refusal(reading: Awaitable[Any]) -> ProbeError | None:
    try:
        await reading
    except ProbeError as failure:
        return failure
    return None


async def test_an_object_that_is_nested_too_deeply_is_refused() -> None:
    deep: Any = 1
    for _ in range(900):
        deep = [deep, 2]
    held_so = {INGEST.name: {**INGEST.body, "processors": deep, "on_failure": {"more": deep}}}
    with pytest.raises(ProbeError, match="nested too deeply"):
        await differences(cast(ElasticServer, OneAnswer(held_so)), ELASTIC, INGEST)


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", 5, None, {"a": 1}])
async def test_a_moment_that_is_none_does_not_end_the_following(moment: object) -> None:
    hit = {**EVENT, "_source": {"event": {"ingested": moment}}}
    follower = Follower(cast(ElasticServer, OneAnswer({**HITS, "hits": {"hits": [hit]}})), Wanted(), SINCE)
    assert len(await follower.more(1.0)) == 1
    assert await follower.more(1.0) == []


class FrontPage(HttpPeer):
    """Answers each request with one page."""

    def __init__(self, page: Any) -> None:
        super().__init__("http://elastic:9200")
        self._page = page

    async def ask(self, *_: object, **__: object) -> Answer:
        """Return the page: forbidden as a front page, to be had as that of the nodes."""
        return self._page.pop(0)  # type: ignore[no-any-return] # what the test put there


async def test_who_answers_is_found_out_or_refused_whatever_the_page_is_made_of() -> None:

    nodes = {"nodes": {"a": {"version": "9.0.0"}}}
    for words, shape in misshapen(nodes):
        product = {"X-Elastic-Product": "Elasticsearch"}
        pages = [Answer(403, "", b"{}", 0.0, product), Answer(200, "", json.dumps(shape).encode(), 0.0, product)]
        with pytest.raises(ProbeError) as refused:
            await ElasticServer(FrontPage(pages)).product(1.0)
        assert refused.value.reason is Reason.PROTOCOL, words
