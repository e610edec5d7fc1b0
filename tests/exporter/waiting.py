"""Waits on the event loop for a condition with a deadline, so that no test sleeps and hopes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

from tests.slowness import Stopwatch

_T = TypeVar("_T")


async def until(condition: Callable[[], _T], what: str, deadline: float = 10.0) -> _T:
    """Ask `condition` until it gives something true and give that.

    Raises `TimeoutError` after `deadline` seconds and those by which the machine held up who takes part.
    """
    began, limit = time.monotonic(), deadline
    watch: Stopwatch | None = None
    while not (value := condition()):
        took = time.monotonic() - began
        if watch is None and took >= deadline / 4:  # a look costs a hundredth of a second, and most waits are short
            watch = Stopwatch()
        if took >= limit:
            limit = deadline + (watch.allowance(deadline) if watch is not None else 0.0)
        if took >= limit:
            raise TimeoutError(f"{what}: not within {limit:g} s, last seen: {value!r}")
        await asyncio.sleep(0.01)
    if watch is not None:
        watch.excuse(what, deadline, time.monotonic() - began)
    return value
