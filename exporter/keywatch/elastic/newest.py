"""Finds out which of each partition's records is the newest that can be searched, and whether redaction ever failed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec

from keywatch.elastic.searched import searched
from keywatch.elastic.server import NO_SEARCH, ElasticServer
from keywatch.engine.probe import ProbeError, Reason
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.net.shape import Amount, Count, shaped

_WINDOW = "1h"
_MOST_TOPICS = 200
_MOST_PARTITIONS = 1000
_FAILED_TAG = "_redaction_failed"


@dataclass(frozen=True, slots=True)
class Newest:
    """The highest offset that can be searched, and the highest timestamp of a record, in Unix time; None for none."""

    offset: int
    time: float | None


@dataclass(frozen=True, slots=True)
class Recent:
    """What the documents of the last hour tell: the newest of each partition, and how many failed to be redacted."""

    newest: Mapping[TopicPartition, Newest]
    redaction_failed: int


_Milliseconds = Annotated[float, msgspec.Meta(ge=-(2**63), le=2**63)]


class _Offset(msgspec.Struct):
    value: Amount | None


class _Time(msgspec.Struct):
    value: _Milliseconds | None


class _PartitionBucket(msgspec.Struct):
    key: Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
    offset: _Offset
    time: _Time


class _Partitions(msgspec.Struct):
    buckets: list[_PartitionBucket]


class _TopicBucket(msgspec.Struct):
    key: str
    partitions: _Partitions


class _Topics(msgspec.Struct):
    buckets: list[_TopicBucket]


class _Read(msgspec.Struct):
    topics: _Topics


class _Failed(msgspec.Struct):
    doc_count: Count


class _Aggregations(msgspec.Struct):
    read: _Read
    failed: _Failed


class _Found(msgspec.Struct):
    aggregations: _Aggregations


class _Fields(msgspec.Struct):
    offset: list[Amount] = msgspec.field(default_factory=list, name="kafka.offset")
    # Of the format that is asked for, as text.
    timestamp: list[Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,19}(\.[0-9]{1,9})?$")] | _Milliseconds] = (
        msgspec.field(default_factory=list, name="kafka.timestamp")
    )


class _Hit(msgspec.Struct):
    fields: _Fields = msgspec.field(default_factory=_Fields)


class _Hits(msgspec.Struct):
    hits: list[_Hit] = []


class _Looked(msgspec.Struct):
    hits: _Hits = msgspec.field(default_factory=_Hits)


async def recent(
    server: ElasticServer,
    topics: Sequence[str],
    namespace: str,
    timeout: float,
    *,
    ages: Mapping[str, float] | None = None,
) -> Recent:
    """Ask about all documents that were indexed, or happened, in the last hour; raises `ProbeError`.

    Those that could not be read or were refused are of the same streams: their records are settled as well. `ages` are
    the seconds since a topic was made anew: what was indexed before is of another topic of that name.
    """
    since = {"gte": f"now-{_WINDOW}"}
    lately = [{"range": {"event.ingested": since}}, {"range": {"@timestamp": since}}]
    partition = {
        "terms": {"field": "kafka.partition", "size": _MOST_PARTITIONS},
        "aggs": {"offset": {"max": {"field": "kafka.offset"}}, "time": {"max": {"field": "kafka.timestamp"}}},
    }
    body = {
        "size": 0,
        "track_total_hits": False,
        "timeout": f"{max(int(timeout * 1000), 1)}ms",
        "query": {"bool": {"should": lately, "minimum_should_match": 1}},
        "aggs": {
            "read": {
                "filter": _of(topics, ages or {}),
                "aggs": {
                    "topics": {
                        "terms": {"field": "kafka.topic", "size": _MOST_TOPICS},
                        "aggs": {"partitions": partition},
                    }
                },
            },
            "failed": {"filter": {"term": {"tags": _FAILED_TAG}}},
        },
    }
    answer = await _ask(server, namespace, body, timeout)
    if "aggregations" not in answer and not searched(answer, server.peer.url).shards.total:
        return Recent({}, 0)  # there is no data stream yet
    found = shaped(answer, _Found, f"{server.peer.url}: {NO_SEARCH}").aggregations
    newest = {
        TopicPartition(topic.key, one.key): _newest(one.offset.value, one.time.value)
        for topic in found.read.topics.buckets
        for one in topic.partitions.buckets
        if one.offset.value is not None
    }
    return Recent(newest, found.failed.doc_count)


async def older(
    server: ElasticServer, partitions: Iterable[TopicPartition], namespace: str, timeout: float
) -> dict[TopicPartition, Newest]:
    """Ask about partitions without documents in the last hour, one after the other; raises `ProbeError`.

    Each question gets `timeout` seconds.
    """
    found = {}
    for partition in partitions:
        terms = {"kafka.topic": partition.topic, "kafka.partition": partition.partition}
        body = {
            "size": 1,
            "track_total_hits": False,
            "_source": False,
            "docvalue_fields": ["kafka.offset", {"field": "kafka.timestamp", "format": "epoch_millis"}],
            "query": {"bool": {"filter": [{"term": {field: value}} for field, value in terms.items()]}},
            "sort": [{"kafka.offset": {"order": "desc", "unmapped_type": "long"}}],
        }
        answer = await _ask(server, namespace, body, timeout)
        for hit in shaped(answer, _Looked, f"{server.peer.url}: {NO_SEARCH}").hits.hits:
            if hit.fields.offset:
                moment = hit.fields.timestamp
                found[partition] = _newest(hit.fields.offset[0], float(moment[0]) if moment else None)
    return found


def _of(topics: Sequence[str], ages: Mapping[str, float]) -> dict[str, Any]:
    """Return the filter for documents of these topics, as they are now."""
    wanted = {"terms": {"kafka.topic": list(topics)}}
    before = []
    for topic, age in ages.items():
        indexed = {"range": {"event.ingested": {"lt": f"now-{int(age)}s"}}}  # by the server's own clock
        before.append({"bool": {"filter": [{"term": {"kafka.topic": topic}}, indexed]}})
    return {"bool": {"filter": [wanted], "must_not": before}} if before else wanted


async def _ask(server: ElasticServer, namespace: str, body: Mapping[str, Any], timeout: float) -> dict[str, Any]:
    api = await server.api(timeout)
    # Only a request without a size may be told about the cache.
    answer = await api.search([f"logs-keycloak.*-{namespace}"], body, cached=None if body["size"] else False)
    whole = searched(answer, server.peer.url)
    if whole.timed_out:
        raise ProbeError(Reason.TIMEOUT_RESPONSE, "the search for the newest offsets was cut short")
    if whole.shards.failed:
        words = f"{whole.shards.failed} shards did not answer, so offsets may be missing"
        raise ProbeError(Reason.REPLICA_DOWN, words)
    return answer


def _newest(offset: float, milliseconds: float | None) -> Newest:
    return Newest(int(offset), None if milliseconds is None else milliseconds / 1000)
