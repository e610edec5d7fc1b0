"""Asks which of some events can be searched by now."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from keywatch.elastic.searched import searched
from keywatch.elastic.server import NO_SEARCH, ElasticServer
from keywatch.engine.probe import ProbeError, Reason
from keywatch.net.shape import shaped


class _Bucket(msgspec.Struct):
    key: str


class _Ids(msgspec.Struct):
    buckets: list[_Bucket]


class _Aggregations(msgspec.Struct):
    ids: _Ids


class _Found(msgspec.Struct):
    aggregations: _Aggregations


async def findable(server: ElasticServer, ids: Collection[str], namespace: str, timeout: float) -> set[str]:
    """Return the event `ids` that a search finds; raises `ProbeError`, also for an answer that is not whole."""
    body = {
        "size": 0,
        "track_total_hits": False,
        "timeout": f"{max(int(timeout * 1000), 1)}ms",
        "query": {"terms": {"event.id": sorted(ids)}},
        "aggs": {"ids": {"terms": {"field": "event.id", "size": len(ids)}}},
    }
    api = await server.api(timeout)
    answer = await api.search([f"logs-keycloak.user_event-{namespace}"], body, cached=False)
    whole = searched(answer, server.peer.url)
    if whole.timed_out:
        raise ProbeError(Reason.TIMEOUT_RESPONSE, "the search for the marked event was cut short")
    if whole.shards.failed:
        raise ProbeError(Reason.REPLICA_DOWN, f"{whole.shards.failed} shards did not answer, so events may be missing")
    if "aggregations" not in answer and not whole.shards.total:  # there is no data stream yet
        return set()
    found = shaped(answer, _Found, f"{server.peer.url}: {NO_SEARCH}")
    return {bucket.key for bucket in found.aggregations.ids.buckets}
