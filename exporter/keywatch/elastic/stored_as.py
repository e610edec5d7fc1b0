"""Asks in which datasets a record of Kafka is stored."""

from __future__ import annotations

from keywatch.elastic.server import NO_SEARCH, ElasticServer
from keywatch.engine.probe import ProbeError, Reason
from keywatch.kafka.records.search import Position

_MOST = 10


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
    path = f"logs-keycloak.*-{namespace}/_search?ignore_unavailable=true&allow_no_indices=true"
    answer = await server.ask("POST", path, timeout, body)
    try:
        hits = answer["hits"]["hits"]
        return sorted({str(hit["_source"]["data_stream"]["dataset"]) for hit in hits})
    except (KeyError, TypeError):
        raise ProbeError(Reason.PROTOCOL, f"{server.peer.url}: {NO_SEARCH}") from None
