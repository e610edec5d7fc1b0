"""What goes wrong with data streams that exist: policies that stand still, and indices that take no documents."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from keywatch.elastic.errors import RefusedError
from keywatch.elastic.server import ElasticServer, Product
from keywatch.elastic.streams import PATTERNS

_ALL = ",".join(PATTERNS)
_BACKING = ",".join(f".ds-{pattern}" for pattern in PATTERNS)
_WORD = re.compile(r"[A-Za-z_.-]{1,80}")
# What a server without the interface answers: no handler, or none for this method.
_NO_SUCH_API = frozenset({400, 404, 405, 500})


async def lifecycle_errors(server: ElasticServer, product: Product, timeout: float) -> dict[str, str] | None:
    """Return each index whose policy stands still and in which step; None where there are no policies at all.

    Raises `ProbeError`.
    """
    path = f"_plugins/_ism/explain/{_BACKING}" if product.open else f"{_ALL}/_ilm/explain?only_errors=true"
    try:
        answer = await server.ask("GET", path, timeout)
    except RefusedError as error:
        if error.status in _NO_SUCH_API and not error.blocked:
            return None
        raise
    if product.open:
        return {name: _step(state) for name, state in answer.items() if isinstance(state, dict) and _failed(state)}
    indices = answer.get("indices", {})
    return {name: _word(state.get("failed_step")) for name, state in indices.items() if state.get("step") == "ERROR"}


def _failed(state: Mapping[str, Any]) -> bool:
    step, retry, action = (state.get(key) or {} for key in ("step", "retry_info", "action"))
    return bool(retry.get("failed") or action.get("failed") or step.get("step_status") == "failed")


def _step(state: Mapping[str, Any]) -> str:
    step, action = state.get("step") or {}, state.get("action") or {}
    return _word(step.get("name") or action.get("name"))


def _word(value: object) -> str:
    return value if isinstance(value, str) and _WORD.fullmatch(value) else "unknown"


async def blocked_indices(server: ElasticServer, timeout: float) -> dict[str, str]:
    """Return each index that takes no documents, and by which block; raises `ProbeError`.

    A policy makes older audit indices read-only; what counts is the newest of each stream.
    """
    path = f"{_ALL}/_settings/index.blocks.*?flat_settings=true&expand_wildcards=all&ignore_unavailable=true"
    answer = await server.ask("GET", path, timeout)
    blocked = {}
    newest = set(_newest(answer))
    for index, held in answer.items():
        blocks = [
            name.removeprefix("index.blocks.")
            for name, value in held.get("settings", {}).items()
            if str(value).lower() == "true" and name.startswith("index.blocks.")
        ]
        if "read_only_allow_delete" in blocks:
            blocked[index] = "read_only_allow_delete: a disk passed the flood-stage watermark"
        elif blocks and index in newest:
            blocked[index] = _word(blocks[0])
    return blocked


def _newest(indices: Mapping[str, object]) -> list[str]:
    """Name the newest index of each data stream: the one whose generation, at its name's end, is the highest."""
    newest: dict[str, str] = {}
    for index in indices:
        stream = index.rsplit("-", 2)[0]
        if stream not in newest or index.rsplit("-", 1)[-1] > newest[stream].rsplit("-", 1)[-1]:
            newest[stream] = index
    return list(newest.values())
