"""Reads and puts one object at a server, whose requests and answers differ by kind and product."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from keywatch.elastic.difference import differences
from keywatch.elastic.errors import RefusedError
from keywatch.elastic.objects import ElasticObject, ObjectKind
from keywatch.elastic.product import Product
from keywatch.elastic.server import ElasticServer
from keywatch.engine.probe import ProbeError, Reason

_OURS = "keywatch"
_STAMP = re.compile(r" \(keywatch, sha256 ([0-9a-f]{64})\)$")
_LISTS = {
    ObjectKind.COMPONENT: ("component_templates", "component_template"),
    ObjectKind.INDEX: ("index_templates", "index_template"),
}


@dataclass(frozen=True, slots=True)
class Held:
    """What a server holds under an object's name: its body without what marks it as ours, and that mark.

    `digest` is of what was put, None for what somebody else made. `revision` is what a put must name (OpenSearch).
    """

    body: Mapping[str, Any]
    digest: str | None
    revision: tuple[int, int] | None = None


async def held(server: ElasticServer, product: Product, one: ElasticObject, timeout: float) -> Held | None:
    """Read what is there under an object's name; None for nothing. Raises `ProbeError`."""
    api = await server.api(timeout)
    try:
        answer = await api.held(one.kind, one.name)
    except RefusedError as error:
        if error.status == 404:
            return None
        raise
    try:
        return _read(answer, one, product)
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError, StopIteration):
        raise ProbeError(Reason.PROTOCOL, f"{one}: the answer is not what {product} gives") from None


async def put(
    server: ElasticServer, product: Product, one: ElasticObject, revision: tuple[int, int] | None, timeout: float
) -> None:
    """Put an object with its digest; raises `ProbeError`."""
    await (await server.api(timeout)).put(one.kind, one.name, marked(one, product), revision)


def marked(one: ElasticObject, product: Product) -> dict[str, Any]:
    """Return the body to send: with the digest in `_meta`, or in the description where there is no `_meta`."""
    body = dict(one.body)
    inner = body
    if one.kind is ObjectKind.LIFECYCLE:
        inner = body["policy"] = dict(body["policy"])
    if _in_description(one, product):
        inner["description"] = f"{inner.get('description', '')} (keywatch, sha256 {one.digest})"
    else:
        inner["_meta"] = {**inner.get("_meta", {}), "managed_by": _OURS, "content_sha256": one.digest}
    return body


def changes(one: ElasticObject, found: Held) -> list[str]:
    """Name what a put would change; raises `ProbeError` for what is nested too deeply to be compared."""
    try:
        return list(differences(one.body, found.body))
    except RecursionError:
        raise ProbeError(Reason.PROTOCOL, f"{one}: what the server holds is nested too deeply") from None


def _in_description(one: ElasticObject, product: Product) -> bool:
    return product.open and one.kind in {ObjectKind.LIFECYCLE, ObjectKind.INGEST}


def _read(answer: Mapping[str, Any], one: ElasticObject, product: Product) -> Held:
    revision = None
    if one.kind in _LISTS:
        many, single = _LISTS[one.kind]
        inner = body = dict(next(entry for entry in answer[many] if entry["name"] == one.name)[single])
    elif one.kind is ObjectKind.INGEST:
        inner = body = dict(answer[one.name])
    elif product.open:
        inner = dict(answer["policy"])
        body = {"policy": inner}
        revision = int(answer["_seq_no"]), int(answer["_primary_term"])
    else:
        inner = dict(answer[one.name]["policy"])
        body = {"policy": inner}
    if _in_description(one, product):
        description = str(inner.get("description", ""))
        stamp = _STAMP.search(description)
        inner["description"] = _STAMP.sub("", description)
        return Held(body, stamp[1] if stamp else None, revision)
    meta = inner.get("_meta") or {}
    digest = meta.get("content_sha256") if meta.get("managed_by") == _OURS else None
    return Held(body, digest, revision)
