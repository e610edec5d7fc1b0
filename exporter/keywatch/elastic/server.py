"""Speaks to one Elasticsearch or OpenSearch: JSON there and back, which product it is, and when to try again."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from keywatch.elastic.errors import RETRIED, RefusedError, error_of
from keywatch.engine.probe import ProbeError, Reason
from keywatch.net.http_peer import REASONS as HTTP_REASONS
from keywatch.net.http_peer import Answer, HttpPeer
from keywatch.net.shape import shaped

_MOST_BYTES = 16 * 1024 * 1024
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0
NO_SEARCH = "a search is answered without what each Elasticsearch gives: is it a proxy that answers?"
"""What is said of such an answer."""
REASONS = HTTP_REASONS | {Reason.REJECTED, Reason.UNSUPPORTED, Reason.STORAGE, Reason.OTHER_CLUSTER}
"""Why a server may not do what it is asked."""
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})\.\d{1,4}[A-Za-z0-9.-]{0,40}")
_UUID_PATH = "?filter_path=cluster_uuid"
_UUID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_NOT_FORMED = "_na_"
_ELASTIC = "You Know, for Search"
_OPEN = "The OpenSearch Project"


class Name(StrEnum):
    """The two products that are spoken to."""

    ELASTICSEARCH = "Elasticsearch"
    OPENSEARCH = "OpenSearch"


# Lazy rollover came with Elasticsearch 8.13, fields of type wildcard with OpenSearch 2.15.
_LOWEST = {Name.ELASTICSEARCH: (8, 13), Name.OPENSEARCH: (2, 15)}


class _LocalNode(msgspec.Struct):
    version: str | None = None


class _LocalNodes(msgspec.Struct):
    nodes: dict[str, _LocalNode] = {}


@dataclass(frozen=True, slots=True)
class Product:
    """What answers, and in which version."""

    name: Name
    version: str

    @property
    def open(self) -> bool:
        """Whether it is OpenSearch."""
        return self.name is Name.OPENSEARCH

    def __str__(self) -> str:
        """Return it as people say it."""
        return f"{self.name} {self.version}"


class ElasticServer:
    """One server. A request that is refused for the moment is tried `retries` more times, ever later.

    Plain JSON is sent and asked for, which every version of both products takes.
    """

    def __init__(self, peer: HttpPeer, *, retries: int = 0, first_pause: float = _FIRST_PAUSE) -> None:
        self.peer = peer
        self._retries = retries
        self._first_pause = first_pause
        self._product: Product | None = None
        self._uuid = ""

    async def product(self, timeout: float) -> Product:
        """Find out what answers, once; raises `ProbeError` for any other product, and for versions too old."""
        if self._product is None:
            self._product = await self._identify(timeout)
        return self._product

    async def same_cluster(self, timeout: float) -> None:
        """Hold the cluster that answered first; raises `ProbeError` when another one answers at the address.

        Without the right to see the front page, and while a cluster has not formed yet, nobody is another one.
        """
        answer = await self._send("GET", _UUID_PATH, timeout, None)
        if answer.status >= 400:
            return
        uuid = _object(answer, self.peer.url).get("cluster_uuid")
        if not isinstance(uuid, str) or not _UUID.fullmatch(uuid) or uuid == _NOT_FORMED:
            return
        self._uuid = self._uuid or uuid
        if uuid != self._uuid:
            words = f"{self.peer.url}: the cluster {uuid} answers, but {self._uuid} is watched; restart if it is meant"
            raise ProbeError(Reason.OTHER_CLUSTER, words)

    def drop_product(self) -> None:
        """Find out anew what answers, because it may have been replaced."""
        self._product = None

    async def ask(
        self, method: str, path: str, timeout: float, body: object = None, *, explain: bool = False
    ) -> dict[str, Any]:
        """Send a request, each try of which gets `timeout` seconds, and give the object that is answered.

        Raises `RefusedError` for a status of 400 or more, `ProbeError` for what comes before an answer. `explain` has
        the server's own words told; leave it off where they may quote a document.
        """
        answer = await self._send(method, path, timeout, body)
        if answer.status >= 400:
            raise error_of(answer, f"{method} {self.peer.url}/{path.partition('?')[0]}", explain=explain)
        return _object(answer, self.peer.url)

    async def find(self, path: str, timeout: float) -> dict[str, Any] | None:
        """Ask for something that may not be there: None for it; otherwise as `ask`."""
        try:
            return await self.ask("GET", path, timeout)
        except RefusedError as error:
            if error.status == 404:
                return None
            raise

    async def close(self) -> None:
        """Close the connections."""
        await self.peer.close()

    async def _send(self, method: str, path: str, timeout: float, body: object) -> Answer:
        data = None if body is None else json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
        pause = self._first_pause
        for left in range(self._retries, -1, -1):
            answer = await self.peer.ask(method, path, timeout, _MOST_BYTES, json=data)
            blocked = answer.status >= 400 and error_of(answer, "").blocked
            if not left or answer.status not in RETRIED or blocked:
                break
            await asyncio.sleep(min(_asked_pause(answer) or pause, _LONGEST_PAUSE))
            pause *= 2
        return answer

    async def _identify(self, timeout: float) -> Product:
        answer = await self._send("GET", "", timeout, None)
        # With rights on indices alone, or a core without its front page, only the header tells the product.
        by_header = answer.headers.get("X-Elastic-Product") == Name.ELASTICSEARCH
        if answer.status in {403, 405} and by_header:
            local = await self.ask("GET", "_nodes/_local?filter_path=nodes.*.version", timeout)
            versions = [node.version for node in shaped(local, _LocalNodes, self.peer.url).nodes.values()]
            return self._checked(Name.ELASTICSEARCH, versions[0] if versions else None)
        if answer.status >= 400:
            raise error_of(answer, f"GET {self.peer.url}/")
        page = _object(answer, self.peer.url)
        version = page.get("version")
        number = version.get("number") if isinstance(version, dict) else None
        distribution = version.get("distribution") if isinstance(version, dict) else None
        tagline = str(page.get("tagline", ""))
        if distribution == "opensearch" or tagline.startswith(_OPEN):
            if distribution is None:
                words = "it hides its version; compatibility.override_main_response_version must be off"
                raise ProbeError(Reason.UNSUPPORTED, f"{self.peer.url}: OpenSearch: {words}")
            return self._checked(Name.OPENSEARCH, number)
        if by_header or tagline == _ELASTIC:
            return self._checked(Name.ELASTICSEARCH, number)
        raise ProbeError(Reason.UNSUPPORTED, f"{self.peer.url}: what answers is neither Elasticsearch nor OpenSearch")

    def _checked(self, name: Name, number: object) -> Product:
        match = _VERSION.fullmatch(number) if isinstance(number, str) else None
        if match is None:
            raise ProbeError(Reason.PROTOCOL, f"{self.peer.url}: {name} does not tell its version")
        lowest = _LOWEST[name]
        if (int(match[1]), int(match[2])) < lowest:
            words = f"{name} {match[0]} is too old; {lowest[0]}.{lowest[1]} or newer is needed"
            raise ProbeError(Reason.UNSUPPORTED, f"{self.peer.url}: {words}")
        return Product(name, match[0])


def _asked_pause(answer: Answer) -> float | None:
    """Return the seconds after which the server wants to be asked again, if it says so."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None


def _object(answer: Answer, url: str) -> dict[str, Any]:
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ProbeError(Reason.PROTOCOL, f"{url}: the answer is not a JSON object: a proxy, or another product")
    return found
