"""What each answer to a search says of itself: whether it is whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from keywatch.elastic.server import NO_SEARCH
from keywatch.net.shape import Count, shaped


class Shards(msgspec.Struct):
    """How many shards were asked, and how many of them did not answer."""

    total: Count | None = None
    failed: Count = 0


class Searched(msgspec.Struct):
    """Whether time ran out, and what became of the shards."""

    timed_out: bool = False
    shards: Shards = msgspec.field(default_factory=Shards, name="_shards")


def searched(answer: Mapping[str, Any], url: str) -> Searched:
    """Read it; raises `ProbeError` for what is no answer to a search."""
    return shaped(answer, Searched, f"{url}: {NO_SEARCH}")
