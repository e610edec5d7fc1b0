"""Finds out which of the two products answers, and in which version."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec

from keywatch.elastic.wire import Wire
from keywatch.engine.probe import ProbeError, Reason
from keywatch.net.http_peer import Answer
from keywatch.net.shape import shaped

_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})\.\d{1,4}[A-Za-z0-9.-]{0,40}")
_ELASTIC = "You Know, for Search"
_OPEN = "The OpenSearch Project"
_LOCAL = "_nodes/_local?filter_path=nodes.*.version"


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


async def product_at(wire: Wire, timeout: float) -> Product:
    """Ask what answers; raises `ProbeError` for any other product, and for versions too old.

    There is no client to ask by: each refuses the other's server, or takes it for its own.
    """
    answer = await wire.send("GET", "", timeout)
    # With rights on indices alone, or a core without its front page, only the header tells the product.
    if answer.status in {403, 405} and _by_header(answer):
        local = await wire.send("GET", _LOCAL, timeout)
        if local.status >= 400:
            raise wire.refusal(local, "GET", _LOCAL)
        nodes = shaped(wire.read(local.body), _LocalNodes, wire.peer.url).nodes
        return _checked(Name.ELASTICSEARCH, next((one.version for one in nodes.values()), None), wire.peer.url)
    if answer.status >= 400:
        raise wire.refusal(answer, "GET", "")
    page = wire.read(answer.body)
    name, version = _named(answer, page), _version(page)
    if name is None:
        words = "what answers is neither Elasticsearch nor OpenSearch"
        raise ProbeError(Reason.UNSUPPORTED, f"{wire.peer.url}: {words}")
    if name is Name.OPENSEARCH and version.get("distribution") is None:
        words = "it hides its version; compatibility.override_main_response_version must be off"
        raise ProbeError(Reason.UNSUPPORTED, f"{wire.peer.url}: OpenSearch: {words}")
    return _checked(name, version.get("number"), wire.peer.url)


async def name_at(wire: Wire, timeout: float) -> Name | None:
    """Ask who answers, in any version; None where it cannot be told now. Raises `ProbeError` where nobody answers.

    Who may search need not see the front page: what is forbidden there, or leads elsewhere, may be open below.
    """
    try:
        answer = await wire.send("GET", "", timeout)
        name = _named(answer, wire.read(answer.body) if answer.status < 400 else {})
    except ProbeError as error:
        if error.reason is not Reason.PROTOCOL:
            raise
        return None
    # Elasticsearch has its header on all that it answers.
    return Name.OPENSEARCH if name is None and answer.status == 403 else name


def _by_header(answer: Answer) -> bool:
    return answer.headers.get("X-Elastic-Product") == Name.ELASTICSEARCH


def _named(answer: Answer, page: Mapping[str, Any]) -> Name | None:
    tagline = str(page.get("tagline", ""))
    if _version(page).get("distribution") == "opensearch" or tagline.startswith(_OPEN):
        return Name.OPENSEARCH
    return Name.ELASTICSEARCH if _by_header(answer) or tagline == _ELASTIC else None


def _version(page: Mapping[str, Any]) -> Mapping[str, Any]:
    version = page.get("version")
    return version if isinstance(version, dict) else {}


def _checked(name: Name, number: object, url: str) -> Product:
    match = _VERSION.fullmatch(number) if isinstance(number, str) else None
    if match is None:
        raise ProbeError(Reason.PROTOCOL, f"{url}: {name} does not tell its version")
    lowest = _LOWEST[name]
    if (int(match[1]), int(match[2])) < lowest:
        words = f"{name} {match[0]} is too old; {lowest[0]}.{lowest[1]} or newer is needed"
        raise ProbeError(Reason.UNSUPPORTED, f"{url}: {words}")
    return Product(name, match[0])
