"""What goes wrong with data streams that exist: policies that stand still, and indices that take no documents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from keywatch.elastic.errors import RefusedError
from keywatch.elastic.product import Product
from keywatch.elastic.server import ElasticServer
from keywatch.elastic.streams import PATTERNS
from keywatch.net.shape import shaped

_HOW_MANY = "total_managed_indices"
_LONGEST_NAME = 255
_WORD = re.compile(r"[A-Za-z_.-]{1,80}")
# What a server without the interface answers: no handler, or none for this method.
_NO_SUCH_API = frozenset({400, 404, 405, 500})


class _Managed(msgspec.Struct):
    step: str | None = None
    failed_step: str | None = None


class _Ilm(msgspec.Struct):
    indices: dict[str, _Managed] = {}


class _Ism(msgspec.Struct):
    step: dict[str, Any] | None = None
    retry_info: dict[str, Any] | None = None
    action: dict[str, Any] | None = None


class _Held(msgspec.Struct):
    settings: dict[str, Any] = {}


async def lifecycle_errors(server: ElasticServer, product: Product, timeout: float) -> dict[str, str] | None:
    """Return each index whose policy stands still and in which step; None where there are no policies at all.

    Raises `ProbeError`.
    """
    api = await server.api(timeout)
    try:
        answer = await api.lifecycle(PATTERNS)
    except RefusedError as error:
        if error.status in _NO_SUCH_API and not error.blocked:
            return None
        raise
    if product.open:
        answer.pop(_HOW_MANY, None)
        states = shaped(answer, dict[str, _Ism], server.peer.url)
        return {_name(index): _step(state) for index, state in states.items() if _failed(state)}
    explained = shaped(answer, _Ilm, server.peer.url)
    return {_name(i): _word(state.failed_step) for i, state in explained.indices.items() if state.step == "ERROR"}


def _failed(state: _Ism) -> bool:
    step, retry, action = state.step or {}, state.retry_info or {}, state.action or {}
    return bool(retry.get("failed") or action.get("failed") or step.get("step_status") == "failed")


def _step(state: _Ism) -> str:
    return _word((state.step or {}).get("name") or (state.action or {}).get("name"))


def _name(index: str) -> str:
    return index[:_LONGEST_NAME]


def _word(value: object) -> str:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else "unknown"


async def blocked_indices(server: ElasticServer, timeout: float) -> dict[str, str]:
    """Return each index that takes no documents, and by which block; raises `ProbeError`.

    A policy makes older audit indices read-only; what counts is the newest of each stream.
    """
    found = await (await server.api(timeout)).blocks(PATTERNS)
    answer = shaped(found, dict[str, _Held], server.peer.url)
    blocked = {}
    newest = set(_newest(answer))
    for index, held in answer.items():
        blocks = [
            name.removeprefix("index.blocks.")
            for name, value in held.settings.items()
            if str(value).lower() == "true" and name.startswith("index.blocks.")
        ]
        if "read_only_allow_delete" in blocks:
            blocked[_name(index)] = "read_only_allow_delete: a disk passed the flood-stage watermark"
        elif blocks and index in newest:
            blocked[_name(index)] = _word(blocks[0])
    return blocked


def _newest(indices: Mapping[str, object]) -> list[str]:
    """Name the newest index of each data stream: the one whose generation, at its name's end, is the highest."""
    newest: dict[str, str] = {}
    for index in indices:
        stream = index.rsplit("-", 2)[0]
        if stream not in newest or index.rsplit("-", 1)[-1] > newest[stream].rsplit("-", 1)[-1]:
            newest[stream] = index
    return list(newest.values())
