"""Has OpenSearch refuse documents of one data stream: for good, or for as long as it lasts."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.elastic.server import ElasticProcess

# A pipeline that refuses each document, as one of somebody else may: no type of event is a number.
_PIPELINE = "of-somebody"
_REFUSES = {"processors": [{"convert": {"field": "keycloak.event.type", "type": "integer"}}]}
_BLOCK = "index.blocks.read_only_allow_delete"


@contextmanager
def refusing(opensearch: ElasticProcess, stream: str) -> Iterator[None]:
    """Have each document of the stream refused with 400, which Logstash does not send again."""
    _done(opensearch, f"_ingest/pipeline/{_PIPELINE}", _REFUSES)
    with _setting(opensearch, stream, "index.final_pipeline", _PIPELINE):
        yield


@contextmanager
def read_only(opensearch: ElasticProcess, stream: str) -> Iterator[None]:
    """Have the stream's indices blocked as a full disk has them, with 429, which Logstash sends again."""
    with _setting(opensearch, stream, _BLOCK, True):
        yield


@contextmanager
def nowhere(opensearch: ElasticProcess, index: str) -> Iterator[None]:
    """Make an index whose primary shard may stand on no node."""
    settings = {"index.number_of_replicas": 0, "index.routing.allocation.require._name": "none"}
    _done(opensearch, f"{index}?wait_for_active_shards=0&timeout=1s", {"settings": settings})
    try:
        yield
    finally:
        status, answer = opensearch.ask("DELETE", index)
        assert status == 200, answer


@contextmanager
def _setting(opensearch: ElasticProcess, stream: str, name: str, value: object) -> Iterator[None]:
    _done(opensearch, f"{stream}/_settings", {name: value})
    try:
        yield
    finally:
        _done(opensearch, f"{stream}/_settings", {name: None})


def _done(opensearch: ElasticProcess, path: str, body: object) -> None:
    status, answer = opensearch.ask("PUT", path, body)
    assert status == 200, answer
