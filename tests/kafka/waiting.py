"""Waits for a condition with a deadline, so that no test sleeps and hopes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")

POLL_SECONDS = 0.05


def wait_until(condition: Callable[[], _T], deadline: float, what: str) -> _T:
    """Call `condition` until it gives something true and return that.

    The condition is asked at least once, also with a `deadline` of 0 seconds. Raises `TimeoutError`, which names
    `what` was waited for and what the condition gave last, after `deadline` seconds.
    """
    end = time.monotonic() + deadline
    while not (value := condition()):
        if time.monotonic() >= end:
            raise TimeoutError(f"{what}: not within {deadline:g} s, last seen: {value!r}")
        time.sleep(POLL_SECONDS)
    return value
