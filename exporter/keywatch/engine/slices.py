"""Long work done in short pieces, so that nothing holds the event loop while a large cluster is read or rendered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Generator
from typing import TypeVar

_T = TypeVar("_T")
# A broker's answer waits behind a piece; a probe gives it a second, and the goal for any piece is 20 ms.
_LONGEST = 0.004

Pieces = Generator[None, None, _T]
"""Work that yields where it may be interrupted, and returns its result."""


async def in_slices(pieces: Pieces[_T], longest: float = _LONGEST, rest: float = 0.0) -> _T:
    """Do the work on the event loop, letting others run whenever `longest` seconds have passed.

    What is not urgent and much rests for so many seconds each time, so that it takes a share of a core, not all of it.
    """
    clock = time.perf_counter
    until = clock() + longest
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return] # what the generator returned
        if clock() >= until:
            await asyncio.sleep(rest)
            until = clock() + longest


async def to_the_end(pieces: Pieces[_T]) -> _T:
    """Do the work as `in_slices` does, and the rest at once when cancelled: for what may not be left half done."""
    try:
        return await in_slices(pieces)
    except asyncio.CancelledError:
        at_once(pieces)
        raise


def at_once(pieces: Pieces[_T]) -> _T:
    """Do the work without a break, where nothing else waits."""
    while True:
        try:
            next(pieces)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return] # as above
