"""Asks for many names in portions whose answers can be read: one with a huge answer costs itself, no neighbour."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from typing import Any

from keywatch.kafka.connection import BrokerError


def portions(names: Iterable[str], most: int, most_weight: int, weigh: Callable[[str], int]) -> Iterator[Sequence[str]]:
    """Return at most `most` names at a time, whose answers are expected to weigh `most_weight` together at most."""
    portion: list[str] = []
    expected = 0
    for name in names:
        weight = weigh(name)
        if portion and (len(portion) >= most or expected + weight > most_weight):
            yield portion
            portion, expected = [], 0
        portion.append(name)
        expected += weight
    if portion:
        yield portion


async def in_portions(
    asked: Iterable[Sequence[str]],
    ask: Callable[[Sequence[str]], Coroutine[Any, Any, None]],
    too_large: Callable[[str, BrokerError], None],
) -> None:
    """Ask portion by portion, and for the halves of one whose answer is too large; raises `BrokerError`.

    A single name whose answer is too large is given to `too_large`.
    """
    left = deque(asked)
    while left:
        names = left.popleft()
        try:
            await ask(names)
        except BrokerError as error:
            if not error.too_large:
                raise
            if len(names) > 1:
                left.extendleft((names[len(names) // 2 :], names[: len(names) // 2]))
            else:
                too_large(names[0], error)
