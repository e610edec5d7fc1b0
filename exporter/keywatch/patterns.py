"""Which names are meant: include and exclude patterns over whole names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache


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
        self._include = [re.compile(pattern) for pattern in include]
        self._exclude = [re.compile(pattern) for pattern in exclude]
        self._cached = lru_cache(maxsize=100_000)(self._match)

    def __contains__(self, name: str) -> bool:
        """Return whether the name is meant."""
        return self._cached(name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Patterns) and self._texts == other._texts

    def __hash__(self) -> int:
        return hash(self._texts)

    def _match(self, name: str) -> bool:
        included = any(pattern.fullmatch(name) for pattern in self._include)
        return included and not any(pattern.fullmatch(name) for pattern in self._exclude)
