"""Which names are meant: include and exclude patterns over whole names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from keywatch.bounds import NAMES_REMEMBERED
from keywatch.names import LONGEST


def checked(text: str) -> str:
    """Return a pattern back that is a regular expression; raises `ValueError`."""
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"{text!r} is not a regular expression: {error}") from error
    return text


class Patterns:
    """Regular expressions that must match a whole name: at least one of `include`, none of `exclude`.

    Two are equal when their expressions are, so that whatever is made of them need not be made anew.
    """

    def __init__(self, include: Sequence[str] = (".*",), exclude: Sequence[str] = ()) -> None:
        self._texts = tuple(include), tuple(exclude)
        self._include = [re.compile(pattern, re.DOTALL) for pattern in include]
        self._exclude = [re.compile(pattern, re.DOTALL) for pattern in exclude]
        # Of names of a usual length: 100,000 of the longest that Kafka allows would be 3 GB.
        self._cached = lru_cache(maxsize=NAMES_REMEMBERED)(self._match)

    def __contains__(self, name: str) -> bool:
        """Return whether the name is meant."""
        return self._cached(name) if len(name) <= LONGEST else self._match(name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Patterns) and self._texts == other._texts

    def __hash__(self) -> int:
        return hash(self._texts)

    def _match(self, name: str) -> bool:
        included = any(pattern.fullmatch(name) for pattern in self._include)
        return included and not any(pattern.fullmatch(name) for pattern in self._exclude)
