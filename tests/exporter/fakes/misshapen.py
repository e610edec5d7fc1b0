"""Answers in JSON with one thing in another shape: in every place of an answer each shape that hurt somebody."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

SHAPES: dict[str, Any] = {
    "null": None,
    "text": "x",
    "list": [1],
    "object": {"a": {"b": None}},
    "long": int("9" * 400),
    "negative": -5,
    "NaN": float("nan"),
    "Inf": float("inf"),
    "1e308": 1e308,
    "true": True,
}


def misshapen(answer: Any) -> Iterator[tuple[str, Any]]:
    """Give each answer that there is with one place of it in another shape, and words for which it is."""
    for path in _places(answer):
        for name, shape in SHAPES.items():
            made = copy.deepcopy(answer)
            *above, last = path
            within = made
            for key in above:
                within = within[key]
            within[last] = shape
            yield f"{'.'.join(map(str, path))} is {name}", made


def _places(answer: Any) -> Iterator[tuple[Any, ...]]:
    inner = answer.items() if isinstance(answer, dict) else enumerate(answer) if isinstance(answer, list) else ()
    for key, value in inner:
        yield (key,)
        for path in _places(value):
            yield (key, *path)
