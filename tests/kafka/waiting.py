"""Waits for a condition with a deadline, so that no test sleeps and hopes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from tests.slowness import Stopwatch

_T = TypeVar("_T")

POLL_SECONDS = 0.05


def wait_until(condition: Callable[[], _T], deadline: float, what: str, watch: Stopwatch | None = None) -> _T:
    """Call `condition` until it gives something true and return that.

    The condition is asked at least once, also with a `deadline` of 0 seconds. Raises `TimeoutError`, which names
    `what` was waited for and what the condition gave last, after `deadline` seconds and those that the machine held up
    who takes part; with `watch` both count from when that began.
    """
    began = watch.began if watch is not None else time.monotonic()
    limit = deadline
    while not (value := condition()):
        took = time.monotonic() - began
        if watch is None and took >= deadline / 4:  # a look costs a hundredth of a second, and most waits are short
            watch = Stopwatch()
        if took >= limit:
            limit = deadline + (watch.allowance(deadline) if watch is not None else 0.0)
        if took >= limit:
            raise TimeoutError(f"{what}: not within {limit:g} s, last seen: {value!r}")
        time.sleep(POLL_SECONDS)
    if watch is not None:
        watch.excuse(what, deadline, time.monotonic() - began)
    return value
