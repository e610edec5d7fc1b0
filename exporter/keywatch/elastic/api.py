"""What is asked of Elasticsearch and OpenSearch, whichever of their official clients asks it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from keywatch.elastic.objects import ObjectKind


class Api(Protocol):
    """One server for the length of one question or a few, all within the time that was given for them.

    Names of streams may be patterns. Each question gives the object that is answered, and raises `RefusedError` for a
    status of 400 or more, `ProbeError` for what comes before an answer.
    """

    async def cluster_uuid(self) -> dict[str, Any]:
        """Ask for the cluster's id: `cluster_uuid`."""

    async def health(self) -> dict[str, Any]:
        """Ask for the cluster's status, and for how many nodes and unassigned shards there are."""

    async def node_stats(self, pipeline: str) -> dict[str, Any]:
        """Ask for each node's disks, and for how many documents failed in an ingest pipeline there."""

    async def stream_stats(self, streams: Sequence[str]) -> dict[str, Any]:
        """Ask for sizes, indices and newest documents of data streams."""

    async def lifecycle(self, streams: Sequence[str]) -> dict[str, Any]:
        """Ask where the policies of the streams' indices stand."""

    async def blocks(self, streams: Sequence[str]) -> dict[str, Any]:
        """Ask for the write blocks of the streams' indices, as flat settings."""

    async def resolve(self, streams: Sequence[str]) -> dict[str, Any]:
        """Ask which indices, aliases and data streams have such names."""

    async def search(
        self, streams: Sequence[str], body: Mapping[str, Any], *, cached: bool | None = None
    ) -> dict[str, Any]:
        """Search; streams that are not there are none. `cached` says whether the cache of requests may answer."""

    async def index_templates(self) -> dict[str, Any]:
        """Ask for all index templates."""

    async def simulated_index(self, name: str) -> dict[str, Any]:
        """Ask of what an index of this name would be made."""

    async def held(self, kind: ObjectKind, name: str) -> dict[str, Any]:
        """Ask for an object."""

    async def put(
        self, kind: ObjectKind, name: str, body: Mapping[str, Any], revision: tuple[int, int] | None = None
    ) -> None:
        """Put an object, in place of that `revision` where the product has them; refusals in the server's own words."""

    async def roll_over(self, stream: str) -> None:
        """Have a data stream begin a new index, at its next document where the product can wait."""
