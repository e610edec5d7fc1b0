"""One Elasticsearch or OpenSearch: which product it is, whether it is still the same cluster, and who asks it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable

from keywatch.elastic.api import Api
from keywatch.elastic.clients import client_of
from keywatch.elastic.errors import RefusedError
from keywatch.elastic.identity import ClusterIdentity
from keywatch.elastic.product import Name, Product, name_at, product_at
from keywatch.elastic.wire import Call, Wire
from keywatch.engine.probe import Reason
from keywatch.net.http_peer import REASONS as HTTP_REASONS
from keywatch.net.http_peer import HttpPeer

NO_SEARCH = "a search is answered without what each Elasticsearch gives: is it a proxy that answers?"
"""What is said of such an answer."""
REASONS = HTTP_REASONS | {Reason.REJECTED, Reason.UNSUPPORTED, Reason.STORAGE, Reason.OTHER_CLUSTER}
"""Why a server may not do what it is asked."""
_UUID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NOT_FORMED = "_na_"
_LEAST_SECONDS = 0.001


class ElasticServer:
    """One server. A request that is refused for the moment is tried `retries` more times, ever later.

    Whoever asks at the same address shares the `identity`: what one has found to be another cluster, none asks.
    """

    def __init__(
        self, peer: HttpPeer, *, identity: ClusterIdentity | None = None, retries: int = 0, first_pause: float = 0.5
    ) -> None:
        self.peer = peer
        self._wire = Wire(peer, retries=retries, first_pause=first_pause)
        self._product: Product | None = None
        self._name: Name | None = None
        self._clients: dict[Name, Callable[[Call], Api]] = {}
        self._identity = identity or ClusterIdentity()

    async def product(self, timeout: float) -> Product:
        """Find out what answers, once; raises `ProbeError` for any other product, and for versions too old."""
        if self._product is None:
            self._product = await product_at(self._wire, timeout)
            self._name = self._product.name
        return self._product

    async def api(self, timeout: float) -> Api:
        """Return who asks it: the product's own client, for what is left of `timeout` seconds once that is known.

        What is neither product is asked in plain JSON all the same, and its answer tells so. Raises `ProbeError` where
        nobody answers, or another cluster than the one that is watched.
        """
        self._identity.check()
        return await self._api(timeout)

    async def _api(self, timeout: float) -> Api:
        began = asyncio.get_running_loop().time()
        if self._name is None:
            self._name = await name_at(self._wire, timeout)
        left = timeout - (asyncio.get_running_loop().time() - began)
        client = await self.load_client()
        return client(Call(max(left, _LEAST_SECONDS)))

    async def load_client(self) -> Callable[[Call], Api]:
        """Return the client of what answers; loading it for the first time is no time that the server takes."""
        name = self._name or Name.OPENSEARCH
        if name not in self._clients:
            self._clients[name] = (await client_of(name))(self._wire)
        return self._clients[name]

    async def same_cluster(self, timeout: float) -> None:
        """Hold the cluster that answered first; raises `ProbeError` when another one answers at the address.

        Without the right to see the front page, and while a cluster has not formed yet, nobody is another one.
        """
        api = await self._api(timeout)
        try:
            uuid = (await api.cluster_uuid()).get("cluster_uuid")
        except RefusedError:
            return
        if not isinstance(uuid, str) or not _UUID.fullmatch(uuid) or uuid == _NOT_FORMED:
            return
        self._identity.meet(uuid, self.peer.url)

    def drop_product(self) -> None:
        """Find out anew what answers, because it may have been replaced."""
        self._product = self._name = None

    async def close(self) -> None:
        """Close the connections."""
        await self.peer.close()
