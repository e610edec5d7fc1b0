"""Asks Elasticsearch by its official client, whose lowest layer is ours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from elastic_transport import (
    ApiResponseMeta,
    BaseAsyncNode,
    HttpHeaders,
    JsonSerializer,
    NodeConfig,
    ObjectApiResponse,
    TransportApiResponse,
)
from elasticsearch import AsyncElasticsearch

from keywatch.elastic.api import Api
from keywatch.elastic.objects import ObjectKind
from keywatch.elastic.wire import Call, Wire

_JSON = "application/json"
# Who answers was found out before there was a client, also behind a proxy that takes this header away.
_KNOWN = {"content-type": _JSON, "x-elastic-product": "Elasticsearch"}


def connected(wire: Wire) -> Callable[[Call], Api]:
    """Make a client that speaks through `wire`; call what is returned for each question, or for a few."""
    client = AsyncElasticsearch(
        [NodeConfig("http", "server", 9200)],  # a name: where it is, the peer knows
        node_class=_node(wire),
        serializer=_Json(wire),
        max_retries=0,
        retry_on_status=(),
        meta_header=False,
    )
    return partial(ElasticsearchApi, client)


class ElasticsearchApi:
    """What `Api` says, of Elasticsearch."""

    def __init__(self, client: AsyncElasticsearch, call: Call) -> None:
        self._client = client
        self._call = call

    async def cluster_uuid(self) -> dict[str, Any]:
        """See `Api`."""
        return await self._ask(self._client.info(filter_path="cluster_uuid"))

    async def health(self) -> dict[str, Any]:
        """See `Api`."""
        wanted = ["status", "number_of_nodes", "unassigned_shards"]
        return await self._ask(self._client.cluster.health(filter_path=wanted))

    async def node_stats(self, pipeline: str) -> dict[str, Any]:
        """See `Api`."""
        wanted = ["nodes.*.fs.total", f"nodes.*.ingest.pipelines.{pipeline}.failed"]
        return await self._ask(self._client.nodes.stats(metric=["ingest", "fs"], filter_path=wanted))

    async def stream_stats(self, streams: Sequence[str]) -> dict[str, Any]:
        """See `Api`."""
        return await self._ask(self._client.indices.data_streams_stats(name=",".join(streams)))

    async def lifecycle(self, streams: Sequence[str]) -> dict[str, Any]:
        """See `Api`."""
        return await self._ask(self._client.ilm.explain_lifecycle(index=",".join(streams), only_errors=True))

    async def blocks(self, streams: Sequence[str]) -> dict[str, Any]:
        """See `Api`."""
        asked = self._client.indices.get_settings(
            index=list(streams),
            name="index.blocks.*",
            flat_settings=True,
            expand_wildcards="all",
            ignore_unavailable=True,
        )
        return await self._ask(asked)

    async def resolve(self, streams: Sequence[str]) -> dict[str, Any]:
        """See `Api`."""
        return await self._ask(self._client.indices.resolve_index(name=list(streams), expand_wildcards="all"))

    async def search(
        self, streams: Sequence[str], body: Mapping[str, Any], *, cached: bool | None = None
    ) -> dict[str, Any]:
        """See `Api`."""
        asked = self._client.search(
            index=list(streams), body=dict(body), ignore_unavailable=True, allow_no_indices=True, request_cache=cached
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
        ask: dict[ObjectKind, Callable[[], Awaitable[ObjectApiResponse[Any]]]] = {
            ObjectKind.LIFECYCLE: lambda: client.ilm.get_lifecycle(name=name),
            ObjectKind.INGEST: lambda: client.ingest.get_pipeline(id=name),
            ObjectKind.COMPONENT: lambda: client.cluster.get_component_template(name=name),
            ObjectKind.INDEX: lambda: client.indices.get_index_template(name=name),
        }
        return await self._ask(ask[kind]())

    async def put(
        self, kind: ObjectKind, name: str, body: Mapping[str, Any], revision: tuple[int, int] | None = None
    ) -> None:
        """See `Api`."""
        del revision  # of OpenSearch alone
        client, data = self._client, dict(body)
        ask: dict[ObjectKind, Callable[[], Awaitable[ObjectApiResponse[Any]]]] = {
            ObjectKind.LIFECYCLE: lambda: client.ilm.put_lifecycle(name=name, body=data),
            ObjectKind.INGEST: lambda: client.ingest.put_pipeline(id=name, body=data),
            ObjectKind.COMPONENT: lambda: client.cluster.put_component_template(name=name, body=data),
            ObjectKind.INDEX: lambda: client.indices.put_index_template(name=name, body=data),
        }
        await self._ask(ask[kind](), explain=True)

    async def roll_over(self, stream: str) -> None:
        """See `Api`: at the next document, so that no empty index comes."""
        await self._ask(self._client.indices.rollover(alias=stream, lazy=True), explain=True)

    async def _ask(self, question: Awaitable[ObjectApiResponse[Any]], *, explain: bool = False) -> dict[str, Any]:
        answer = await self._call(question, explain=explain)
        body: dict[str, Any] = answer.body
        return body


class _Json(JsonSerializer):
    """Reads answers as all of keywatch does: what is no JSON object is an error with a name, and is quoted nowhere."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def loads(self, data: bytes) -> dict[str, Any]:
        """Read an answer; raises `ProbeError`."""
        return self._wire.read(data)


def _node(wire: Wire) -> type[BaseAsyncNode]:
    class Node(BaseAsyncNode):
        """Has the client speak through the wire."""

        async def perform_request(  # type: ignore[override] # the base's base is one that blocks
            self,
            method: str,
            target: str,
            body: bytes | None = None,
            headers: HttpHeaders | None = None,
            request_timeout: object = None,
        ) -> TransportApiResponse:
            """Ask; raises `ProbeError`, which the client lets through. The time is the call's and not the client's."""
            del request_timeout
            answer = await wire.carry(method, target, body, headers)
            meta = ApiResponseMeta(answer.status, "1.1", HttpHeaders(_KNOWN), answer.took, self.config)
            return TransportApiResponse(meta, answer.body)

        async def close(self) -> None:  # type: ignore[override] # as above
            """Do nothing: the connections are the peer's."""

    return Node
