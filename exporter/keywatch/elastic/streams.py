"""Which data streams of ours there are at a server, and what stands in their place or above their templates."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec
from msgspec import UNSET

from keywatch.elastic.lint import DATASETS
from keywatch.elastic.objects import ElasticObject, ObjectKind
from keywatch.elastic.product import Product
from keywatch.elastic.server import ElasticServer
from keywatch.net.shape import Count, shaped

PATTERNS = ("logs-keycloak.*-*", "logs-keycloak_exporter.*-*")
"""All data streams of ours; nothing else may be called so."""
_NAMESPACE, _NOBODYS = "default", "keywatch_simulates"


class _Entry(msgspec.Struct):
    name: str
    data_stream: Any = UNSET


class _Resolved(msgspec.Struct):
    indices: list[_Entry] = []
    aliases: list[_Entry] = []
    data_streams: list[_Entry] = []


class _IndexTemplate(msgspec.Struct):
    index_patterns: list[str] = []
    priority: Count | None = None


class _Listed(msgspec.Struct):
    name: str
    index_template: _IndexTemplate


class _IndexTemplates(msgspec.Struct):
    index_templates: list[_Listed] = []


class _Settings(msgspec.Struct):
    index: dict[str, Any] = {}


class _Template(msgspec.Struct):
    settings: _Settings = msgspec.field(default_factory=_Settings)


class _Simulated(msgspec.Struct):
    template: _Template = msgspec.field(default_factory=_Template)


async def resolve(server: ElasticServer, timeout: float) -> tuple[list[str], list[str]]:
    """Name the data streams that are there, and say of each alias or index in a stream's place what it is."""
    found = await (await server.api(timeout)).resolve(PATTERNS)
    resolved = shaped(found, _Resolved, server.peer.url)
    streams = sorted(entry.name for entry in resolved.data_streams)
    troubles = [
        f"{entry.name} is an alias and not a data stream: Logstash cannot write to it" for entry in resolved.aliases
    ]
    troubles += [
        f"{entry.name} is an index and not a data stream: it was there before its template"
        for entry in resolved.indices
        if entry.data_stream is UNSET
    ]
    return streams, troubles


async def rivals(server: ElasticServer, objects: Sequence[ElasticObject], timeout: float) -> list[str]:
    """Say which index templates of somebody else stand in the way of ours: with the same priority, or above it."""
    answer = await (await server.api(timeout)).index_templates()
    listed = shaped(answer, _IndexTemplates, server.peer.url)
    others = {entry.name: entry.index_template for entry in listed.index_templates}
    ours = [one for one in objects if one.kind is ObjectKind.INDEX]
    names = {one.name for one in ours}
    return [words for one in ours for words in _rivals(one, others, names)]


def _rivals(one: ElasticObject, others: Mapping[str, _IndexTemplate], names: set[str]) -> Iterator[str]:
    priority = one.body["priority"]
    for name, other in others.items():
        if name in names:
            continue
        theirs = other.priority or 0
        shared = [stream for stream in _streams(one) if _matches(stream, other.index_patterns)]
        if shared and theirs >= priority:
            how = "the same priority" if theirs == priority else "a higher priority"
            yield f"{one}: the index template {name[:100]} of somebody else has {how} ({theirs}) for {shared[0]}"


def _streams(one: ElasticObject) -> list[str]:
    streams = [f"logs-{dataset}-{_NAMESPACE}" for dataset in DATASETS]
    return [stream for stream in streams if _matches(stream, one.body["index_patterns"])]


def _matches(stream: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(stream, pattern) for pattern in patterns)


async def in_force(
    server: ElasticServer, product: Product, objects: Sequence[ElasticObject], timeout: float
) -> list[str]:
    """Simulate an index of each data stream, and say where the settings of our templates are not in force."""
    troubles = []
    wanted = {"default_pipeline": _setting(objects, "default_pipeline")}
    for one in objects:
        for stream in _streams(one) if one.kind is ObjectKind.INDEX else ():
            # OpenSearch cannot simulate an index by the name of a data stream that is there.
            name = f"{stream.removesuffix(_NAMESPACE)}{_NOBODYS}"
            found = await (await server.api(timeout)).simulated_index(name)
            index = shaped(found, _Simulated, server.peer.url).template.settings.index
            if index.get("default_pipeline") != wanted["default_pipeline"]:
                troubles.append(f"{stream}: would be made without the ingest pipeline {wanted['default_pipeline']}")
            if not product.open and "lifecycle" not in index and _setting(objects, "lifecycle"):
                troubles.append(f"{stream}: would be made without a lifecycle policy")
    return troubles


def _setting(objects: Sequence[ElasticObject], name: str) -> Any:
    for one in objects:
        index = (
            one.body.get("template", {}).get("settings", {}).get("index", {})
            if one.kind is ObjectKind.COMPONENT
            else {}
        )
        if name in index:
            return index[name]
    return None
