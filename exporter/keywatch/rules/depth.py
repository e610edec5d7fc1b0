"""Lets what nests be read by calls that nest, as deep as it is bearable."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

DEEPEST: Final = 2000
"""Levels of parentheses, or of blocks, that are read."""
# Each level is that many calls, at most.
_CALLS: Final = 8


@contextmanager
def room() -> Iterator[None]:
    """Let calls nest that deep; calls from Python to Python cost no stack of C's."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(max(before, DEEPEST * _CALLS + 1000))
    try:
        yield
    finally:
        sys.setrecursionlimit(before)
