"""Waits on the event loop for a condition with a deadline, so that no test sleeps and hopes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


async def until(condition: Callable[[], _T], what: str, deadline: float = 10.0) -> _T:
    """Ask `condition` until it gives something true and give that; raises `TimeoutError` after `deadline` seconds."""
    end = time.monotonic() + deadline
    while not (value := condition()):
        if time.monotonic() >= end:
            raise TimeoutError(f"{what}: not within {deadline:g} s, last seen: {value!r}")
        await asyncio.sleep(0.01)
    return value
