"""Reads a dashboard with Grafana's own generated models and says what they do not know."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins

with warnings.catch_warnings():
    # It would rather have the form of Grafana 12 and later; this is the one that Grafana 11 reads too.
    warnings.simplefilter("ignore", DeprecationWarning)
    from grafana_foundation_sdk.models import dashboard as sdk

Json = dict[str, Any]


def problems(dashboard: Json) -> Iterator[str]:
    """Read the dashboard with Grafana's generated models, write it again, and say what vanished or changed."""
    register_default_plugins()

    try:
        again = json.loads(JSONEncoder(sort_keys=True).encode(sdk.Dashboard.from_json(dashboard)))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        yield f"cannot be read: {error!r}"
        return
    yield from _gone(dashboard, again, "")


def _gone(before: Any, after: Any, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key, value in before.items():
            if key in after:
                yield from _gone(value, after[key], f"{path}.{key}")
            elif value is not None:
                yield f"{path}.{key}: is unknown to Grafana"
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for index, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _gone(one, other, f"{path}[{index}]")
    elif before != after:
        yield f"{path}: {before!r} became {after!r}"
