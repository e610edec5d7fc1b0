"""Asks in which datasets a record of Kafka is stored."""

from __future__ import annotations

import msgspec

from keywatch.elastic.server import NO_SEARCH, ElasticServer
from keywatch.kafka.records.search import Position
from keywatch.net.shape import shaped

_MOST = 10
_LONGEST = 255


class _DataStream(msgspec.Struct):
    dataset: str


class _Source(msgspec.Struct):
    data_stream: _DataStream


class _Hit(msgspec.Struct):
    source: _Source = msgspec.field(name="_source")


class _Hits(msgspec.Struct):
    hits: list[_Hit]


class _Found(msgspec.Struct):
    hits: _Hits


async def stored_as(server: ElasticServer, position: Position, namespace: str, timeout: float) -> list[str]:
    """Return the datasets that hold a document of this record, by name; raises `ProbeError`."""
    topic, partition = position.partition.topic, position.partition.partition
    terms = {"kafka.topic": topic, "kafka.partition": partition, "kafka.offset": position.offset}
    body = {
        "size": _MOST,
        "track_total_hits": False,
        "timeout": f"{max(int(timeout * 1000), 1)}ms",
        "_source": ["data_stream.dataset"],
        "query": {"bool": {"filter": [{"term": {field: value}} for field, value in terms.items()]}},
    }
    api = await server.api(timeout)
    answer = await api.search([f"logs-keycloak.*-{namespace}"], body)
    found = shaped(answer, _Found, f"{server.peer.url}: {NO_SEARCH}")
    return sorted({hit.source.data_stream.dataset[:_LONGEST] for hit in found.hits.hits})
