"""Asks which of some events can be searched by now."""

from __future__ import annotations

from collections.abc import Collection

from keywatch.elastic.server import NO_SEARCH, ElasticServer
from keywatch.engine.probe import ProbeError, Reason


async def findable(server: ElasticServer, ids: Collection[str], namespace: str, timeout: float) -> set[str]:
    """Return the event `ids` that a search finds; raises `ProbeError`, also for an answer that is not whole."""
    body = {
        "size": 0,
        "track_total_hits": False,
        "timeout": f"{max(int(timeout * 1000), 1)}ms",
        "query": {"terms": {"event.id": sorted(ids)}},
        "aggs": {"ids": {"terms": {"field": "event.id", "size": len(ids)}}},
    }
    streams = f"logs-keycloak.user_event-{namespace}"
    path = f"{streams}/_search?ignore_unavailable=true&allow_no_indices=true&request_cache=false"
    answer = await server.ask("POST", path, timeout, body)
    shards = answer.get("_shards", {})
    if answer.get("timed_out"):
        raise ProbeError(Reason.TIMEOUT_RESPONSE, "the search for the marked event was cut short")
    if shards.get("failed"):
        raise ProbeError(Reason.REPLICA_DOWN, f"{shards['failed']} shards did not answer, so events may be missing")
    try:
        return {str(bucket["key"]) for bucket in answer["aggregations"]["ids"]["buckets"]}
    except (KeyError, TypeError):
        if not shards.get("total"):  # there is no data stream yet, so there are no aggregations
            return set()
        raise ProbeError(Reason.PROTOCOL, f"{server.peer.url}: {NO_SEARCH}") from None
