"""Asks OpenSearch by its official client, whose lowest layer is ours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlencode

from opensearchpy import AsyncOpenSearch, Connection, JSONSerializer

from keywatch.elastic.api import Api
from keywatch.elastic.objects import ObjectKind
from keywatch.elastic.wire import Call, Wire

_JSON = "application/json"


def connected(wire: Wire) -> Callable[[Call], Api]:
    """Make a client that speaks through `wire`; call what is returned for each question, or for a few."""
    client = AsyncOpenSearch(
        [{"host": "server"}],  # a name: where it is, the peer knows
        connection_class=_connection(wire),
        serializer=_Json(wire),
        max_retries=0,
        retry_on_status=(),
    )
    return partial(OpenSearchApi, client)


class OpenSearchApi:
    """What `Api` says, of OpenSearch."""

    def __init__(self, client: AsyncOpenSearch, call: Call) -> None:
        self._client = client
        self._call = call

    async def cluster_uuid(self) -> dict[str, Any]:
        """See `Api`."""
        return await self._ask(self._client.info(filter_path="cluster_uuid"))

    async def health(self) -> dict[str, Any]:
        """See `Api`."""
        wanted = "status,number_of_nodes,unassigned_shards"
        return await self._ask(self._client.cluster.health(filter_path=wanted))

    async def node_stats(self, pipeline: str) -> dict[str, Any]:
        """See `Api`."""
        wanted = f"nodes.*.fs.total,nodes.*.ingest.pipelines.{pipeline}.failed"
        return await self._ask(self._client.nodes.stats(metric="ingest,fs", filter_path=wanted))

    async def stream_stats(self, streams: Sequence[str]) -> dict[str, Any]:
        """See `Api`."""
        return await self._ask(self._client.indices.data_streams_stats(name=",".join(streams)))

    async def lifecycle(self, streams: Sequence[str]) -> dict[str, Any]:
        """See `Api`: it knows the backing indices by their own names only."""
        backing = ",".join(f".ds-{stream}" for stream in streams)
        return await self._ask(self._client.plugins.index_management.explain_index(backing))

    async def blocks(self, streams: Sequence[str]) -> dict[str, Any]:
        """See `Api`."""
        asked = self._client.indices.get_settings(
            index=",".join(streams),
            name="index.blocks.*",
            flat_settings=True,
            expand_wildcards="all",
            ignore_unavailable=True,
        )
        return await self._ask(asked)

    async def resolve(self, streams: Sequence[str]) -> dict[str, Any]:
        """See `Api`."""
        return await self._ask(self._client.indices.resolve_index(name=",".join(streams), expand_wildcards="all"))

    async def search(
        self, streams: Sequence[str], body: Mapping[str, Any], *, cached: bool | None = None
    ) -> dict[str, Any]:
        """See `Api`."""
        asked = self._client.search(
            index=",".join(streams),
            body=dict(body),
            ignore_unavailable=True,
            allow_no_indices=True,
            request_cache=cached,
        )
        return await self._ask(asked)

    async def index_templates(self) -> dict[str, Any]:
        """See `Api`."""
        return await self._ask(self._client.indices.get_index_template())

    async def simulated_index(self, name: str) -> dict[str, Any]:
        """See `Api`."""
        return await self._ask(self._client.indices.simulate_index_template(name=name))

    async def held(self, kind: ObjectKind, name: str) -> dict[str, Any]:
        """See `Api`."""
        client = self._client
        ask: dict[ObjectKind, Callable[[], Awaitable[Any]]] = {
            ObjectKind.LIFECYCLE: lambda: client.plugins.index_management.get_policy(name),
            ObjectKind.INGEST: lambda: client.ingest.get_pipeline(id=name),
            ObjectKind.COMPONENT: lambda: client.cluster.get_component_template(name=name),
            ObjectKind.INDEX: lambda: client.indices.get_index_template(name=name),
        }
        return await self._ask(ask[kind]())

    async def put(
        self, kind: ObjectKind, name: str, body: Mapping[str, Any], revision: tuple[int, int] | None = None
    ) -> None:
        """See `Api`."""
        client, data = self._client, dict(body)
        replaced = {} if revision is None else {"if_seq_no": revision[0], "if_primary_term": revision[1]}
        ask: dict[ObjectKind, Callable[[], Awaitable[Any]]] = {
            ObjectKind.LIFECYCLE: lambda: client.plugins.index_management.put_policy(name, body=data, params=replaced),
            ObjectKind.INGEST: lambda: client.ingest.put_pipeline(id=name, body=data),
            ObjectKind.COMPONENT: lambda: client.cluster.put_component_template(name=name, body=data),
            ObjectKind.INDEX: lambda: client.indices.put_index_template(name=name, body=data),
        }
        await self._ask(ask[kind](), explain=True)

    async def roll_over(self, stream: str) -> None:
        """See `Api`: at once, since it cannot wait for a document."""
        await self._ask(self._client.indices.rollover(alias=stream), explain=True)

    async def _ask(self, question: Awaitable[Any], *, explain: bool = False) -> dict[str, Any]:
        found: dict[str, Any] = await self._call(question, explain=explain)
        return found


class _Json(JSONSerializer):
    """Reads answers as all of keywatch does: what is no JSON object is an error with a name, and is quoted nowhere."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def loads(self, s: Any) -> dict[str, Any]:
        """Read an answer; raises `ProbeError`."""
        return self._wire.read(s)


def _connection(wire: Wire) -> type[Connection]:
    class Wired(Connection):
        """Has the client speak through the wire."""

        async def perform_request(
            self,
            method: str,
            url: str,
            params: Mapping[str, Any] | None = None,
            body: bytes | None = None,
            timeout: float | None = None,  # the client's; the time is the call's
            ignore: Collection[int] = (),
            headers: Mapping[str, str] | None = None,
        ) -> tuple[int, dict[str, str], bytes]:
            """Ask; raises `ProbeError`, which the client lets through."""
            del timeout, ignore, headers
            answer = await wire.carry(method, f"{url}?{urlencode(params)}" if params else url, body)
            # An empty body would be handed on unread.
            return answer.status, {"content-type": _JSON}, answer.body or b" "

    return Wired
