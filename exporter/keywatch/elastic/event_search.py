"""Finds events by realm, type, client, user and time, newest first, or goes on with those that are still to come."""

from __future__ import annotations

import datetime as dt
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from keywatch.elastic.searched import searched
from keywatch.elastic.server import NO_SEARCH, ElasticServer
from keywatch.engine.probe import ProbeError, Reason
from keywatch.listeners.marked_event import CLIENT, TYPE
from keywatch.net.shape import shaped

_STREAMS = {
    "user": ("logs-keycloak.user_event-",),
    "admin": ("logs-keycloak.admin_event-",),
    "all": ("logs-keycloak.user_event-", "logs-keycloak.admin_event-"),
}
KINDS = tuple(_STREAMS)
# How much later than its neighbours a document may become visible: refreshes of shards are not one.
_OVERLAP_SECONDS = 15
_MOST_REMEMBERED = 20_000
_MOST_AT_ONCE = 1000
_MOST_PAGES = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are meant; what is empty does not matter. Moments are in UTC."""

    realm: str = ""
    types: Sequence[str] = ()
    client: str = ""
    user_id: str = ""
    user_hash: str = ""
    outcome: str = ""
    since: dt.datetime | None = None
    until: dt.datetime | None = None
    kind: str = "all"
    namespace: str = "*"


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One event: the document as it is stored."""

    id: str
    source: Mapping[str, Any]


class _Hit(msgspec.Struct):
    index: str | None = msgspec.field(default=None, name="_index")
    id: str | None = msgspec.field(default=None, name="_id")
    source: dict[str, Any] = msgspec.field(default_factory=dict, name="_source")
    sort: list[Any] | None = None


class _Hits(msgspec.Struct):
    hits: list[_Hit]


class _Found(msgspec.Struct):
    hits: _Hits


class NoStreamsError(ProbeError):
    """The server holds none of the data streams that events are in: it is another one, or nobody prepared it."""


async def search(server: ElasticServer, wanted: Wanted, most: int, timeout: float) -> list[StoredEvent]:
    """Return the newest `most` events, the newest first; raises `ProbeError`, and `NoStreamsError` at a wrong place."""
    body = {
        "size": most,
        "track_total_hits": False,
        "query": _query(wanted),
        "sort": [{"@timestamp": {"order": "desc", "unmapped_type": "date"}}],
    }
    return await _ask(server, wanted, body, timeout)


class Follower:
    """Gives events as they become visible, each once, in the order in which they were indexed."""

    def __init__(self, server: ElasticServer, wanted: Wanted, since: dt.datetime) -> None:
        self._server = server
        self._wanted = wanted
        self._since = since
        self._seen: OrderedDict[str, None] = OrderedDict()

    async def more(self, timeout: float) -> list[StoredEvent]:
        """Ask once for what is new; raises `ProbeError`."""
        begin = self._since - dt.timedelta(seconds=_OVERLAP_SECONDS)
        fresh: list[StoredEvent] = []
        after: list[Any] | None = None
        for _ in range(_MOST_PAGES):
            found, after = await self._page(begin, after, timeout)
            fresh += [event for event in found if event.id not in self._seen]
            self._seen.update(dict.fromkeys(event.id for event in found))
            for event in found:
                ingested = _ingested(event.source)
                self._since = max(self._since, ingested or self._since)
            if len(found) < _MOST_AT_ONCE or after is None:
                break
        while len(self._seen) > _MOST_REMEMBERED:
            self._seen.popitem(last=False)
        return fresh

    def pass_over(self, events: Sequence[StoredEvent]) -> None:
        """Take these as given already."""
        self._seen.update(dict.fromkeys(event.id for event in events))

    async def _page(
        self, begin: dt.datetime, after: list[Any] | None, timeout: float
    ) -> tuple[list[StoredEvent], list[Any] | None]:
        newer = {"range": {"event.ingested": {"gt": _text(begin)}}}
        body: dict[str, Any] = {
            "size": _MOST_AT_ONCE,
            "track_total_hits": False,
            "query": _query(self._wanted, newer),
            "sort": [{name: {"order": "asc", "unmapped_type": kind}} for name, kind in _ORDER],
        }
        if after is not None:
            body["search_after"] = after
        hits = await _hits(self._server, self._wanted, body, timeout)
        return [_event(hit) for hit in hits], hits[-1].sort if hits else None


_ORDER = (("event.ingested", "date"), ("event.id", "keyword"))


async def _ask(server: ElasticServer, wanted: Wanted, body: Mapping[str, Any], timeout: float) -> list[StoredEvent]:
    return [_event(hit) for hit in await _hits(server, wanted, body, timeout)]


async def _hits(server: ElasticServer, wanted: Wanted, body: Mapping[str, Any], timeout: float) -> list[_Hit]:
    api = await server.api(timeout)
    answer = await api.search([f"{stream}{wanted.namespace}" for stream in _STREAMS[wanted.kind]], body)
    whole, found = searched(answer, server.peer.url), shaped(answer, _Found, f"{server.peer.url}: {NO_SEARCH}")
    if whole.shards.failed:
        words = f"{whole.shards.failed} of {whole.shards.total} shards did not answer, so events may be missing"
        raise ProbeError(Reason.REPLICA_DOWN, words)
    if whole.shards.total == 0:
        streams = ", ".join(f"{stream}{wanted.namespace}" for stream in _STREAMS[wanted.kind])
        raise NoStreamsError(Reason.REJECTED, f"{server.peer.url} has no data stream {streams} that may be read")
    if whole.timed_out:
        raise ProbeError(Reason.TIMEOUT_RESPONSE, "the search was cut short, so events may be missing")
    return found.hits.hits


def _event(hit: _Hit) -> StoredEvent:
    return StoredEvent(f"{hit.index}/{hit.id}", hit.source)


def _ingested(source: Mapping[str, Any]) -> dt.datetime | None:
    event = source.get("event")
    return _moment(event.get("ingested")) if isinstance(event, dict) else None


def _query(wanted: Wanted, *more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the query; marked events of keywatch's own are nobody's, and are found where their realm is asked for."""
    query: dict[str, Any] = {"filter": [*_filters(wanted), *more]}
    if not wanted.realm:
        marks = {"keycloak.client.id": CLIENT, "keycloak.event.type": TYPE}
        query["must_not"] = [{"bool": {"filter": [{"term": {field: value}} for field, value in marks.items()]}}]
    return {"bool": query}


def _filters(wanted: Wanted) -> list[dict[str, Any]]:
    terms = {
        "keycloak.client.id": wanted.client,
        "user.id": wanted.user_id,
        "user.hash": wanted.user_hash,
        "event.outcome": wanted.outcome,
    }
    filters: list[dict[str, Any]] = [{"term": {field: value}} for field, value in terms.items() if value]
    if wanted.realm:  # listeners send an id, a name or both
        either = [{"term": {f"keycloak.realm.{key}": wanted.realm}} for key in ("id", "name")]
        filters.append({"bool": {"should": either, "minimum_should_match": 1}})
    if wanted.types:
        types = [{"terms": {"keycloak.event.type": list(wanted.types)}}]
        types += [{"terms": {"event.action": [kind.lower() for kind in wanted.types]}}]
        filters.append({"bool": {"should": types, "minimum_should_match": 1}})
    bounds = {"gte": wanted.since, "lte": wanted.until}
    if given := {name: _text(moment) for name, moment in bounds.items() if moment is not None}:
        filters.append({"range": {"@timestamp": given}})
    return filters


def _text(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(text: object) -> dt.datetime | None:
    try:
        moment = dt.datetime.fromisoformat(str(text))
        return moment.astimezone(dt.UTC) if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    except (ValueError, OverflowError):
        return None
