"""Which data streams of ours there are at a server, and what stands in their place or above their templates."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from keywatch.elastic.lint import DATASETS
from keywatch.elastic.objects import ElasticObject, ObjectKind
from keywatch.elastic.server import ElasticServer, Product

PATTERNS = ("logs-keycloak.*-*", "logs-keycloak_exporter.*-*")
"""All data streams of ours; nothing else may be called so."""
_ALL = ",".join(PATTERNS)
_NAMESPACE, _NOBODYS = "default", "keywatch_simulates"


async def resolve(server: ElasticServer, timeout: float) -> tuple[list[str], list[str]]:
    """Name the data streams that are there, and say of each alias or index in a stream's place what it is."""
    found = await server.ask("GET", f"_resolve/index/{_ALL}?expand_wildcards=all", timeout)
    streams = sorted(str(entry["name"]) for entry in found.get("data_streams", ()))
    troubles = [
        f"{entry['name']} is an alias and not a data stream: Logstash cannot write to it" for entry in found["aliases"]
    ]
    troubles += [
        f"{entry['name']} is an index and not a data stream: it was there before its template"
        for entry in found.get("indices", ())
        if "data_stream" not in entry
    ]
    return streams, troubles


async def rivals(server: ElasticServer, objects: Sequence[ElasticObject], timeout: float) -> list[str]:
    """Say which index templates of somebody else stand in the way of ours: with the same priority, or above it."""
    answer = await server.ask("GET", "_index_template", timeout)
    others = {str(entry["name"]): entry["index_template"] for entry in answer.get("index_templates", ())}
    ours = [one for one in objects if one.kind is ObjectKind.INDEX]
    names = {one.name for one in ours}
    return [words for one in ours for words in _rivals(one, others, names)]


def _rivals(one: ElasticObject, others: Mapping[str, Any], names: set[str]) -> Iterator[str]:
    priority = one.body["priority"]
    for name, other in others.items():
        if name in names:
            continue
        theirs = int(other.get("priority") or 0)
        shared = [stream for stream in _streams(one) if _matches(stream, other.get("index_patterns", ()))]
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
            found = await server.ask("POST", f"_index_template/_simulate_index/{name}", timeout)
            index = found.get("template", {}).get("settings", {}).get("index", {})
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
