"""Takes an answer in JSON for what it should be; what is of another shape is told by its place, never by its words."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

from keywatch.engine.probe import ProbeError, Reason

_T = TypeVar("_T")
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""How many there are of something, or how many bytes."""
Amount = Annotated[float, msgspec.Meta(ge=0, le=2**63)]
"""A number that is neither negative, nor NaN, nor beyond all bounds."""


def shaped(data: object, shape: type[_T], whose: str) -> _T:
    """Return what was read from JSON as what it should be; raises `ProbeError` with `whose` answer is of another shape.

    Members that the shape does not name are passed over.
    """
    try:
        return msgspec.convert(data, shape)
    # SystemError: what msgspec before 0.20 makes of a number too large for a float.
    except (msgspec.ValidationError, OverflowError, RecursionError, SystemError) as error:
        raise ProbeError(Reason.PROTOCOL, f"{whose}: an answer of another shape: {error}") from None


class Shapes:
    """Takes parts of one answer by themselves: a part of another shape is noted, and costs only itself."""

    def __init__(self, whose: str) -> None:
        self._whose = whose
        self.failure: ProbeError | None = None
        """What is of another shape, the first of it."""

    def take(self, data: object, shape: type[_T]) -> _T | None:
        """Return a part as what it should be; None, and a note, if it is of another shape."""
        try:
            return shaped(data, shape, self._whose)
        except ProbeError as failure:
            self.failure = self.failure or failure
            return None
