"""One moment by which something has to be done, handed down so that all its parts share it."""

from __future__ import annotations

import asyncio
from typing import Self


class Deadline:
    """The moment, on the event loop's clock; parts are given what is `left`, and none begins when that is nothing."""

    __slots__ = ("_loop", "_whole", "at")

    def __init__(self, seconds: float) -> None:
        """Set it `seconds` from now on; needs a running event loop."""
        self._loop = asyncio.get_running_loop()
        self._whole = seconds
        self.at = self._loop.time() + seconds

    @property
    def left(self) -> float:
        """The seconds that are left, 0 when it is over."""
        return max(self.at - self._loop.time(), 0.0)

    @property
    def over(self) -> bool:
        """Whether nothing is left."""
        return self.left <= 0

    def share(self, ratio: float) -> Self:
        """Return one for a part: it may take this share of the whole time from now on, and no more than is left."""
        return type(self)(min(self._whole * ratio, self.left))
