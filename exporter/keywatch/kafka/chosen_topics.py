"""Which of a cluster's topics are looked at: watched ones first, and as many of the others as there is room for."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from keywatch import bounds
from keywatch.engine.choice import ALWAYS, Choice
from keywatch.engine.left_out import left_out
from keywatch.engine.probe import Sample
from keywatch.engine.slices import Pieces, in_slices
from keywatch.engine.store import Key
from keywatch.kafka.wire.requests import PartitionState
from keywatch.patterns import Patterns

_OTHERS = ALWAYS + 1
_TOPICS_PER_PIECE = 1000

Topics = Mapping[str, Mapping[int, PartitionState]]
"""Topic → partition → state."""


class ChosenTopics:
    """Chooses `most` topics that the patterns mean, with `most_partitions` partitions together, beside the watched.

    A topic is looked at as a whole or not at all. Probes that share one of these look at the same topics.
    """

    def __init__(
        self,
        meant: Patterns,
        watch: Sequence[str] = (),
        most: int = bounds.TOPICS,
        most_partitions: int = bounds.TOPIC_PARTITIONS,
        *,
        bound: str = "topics.max_topics or max_partitions",
    ) -> None:
        self.meant = meant
        self.watch = tuple(watch)
        self.left_out = 0
        """Topics that are left out, because there are more than are looked at."""
        self.partitions_left_out = 0
        self._bound = bound
        self._choice = Choice(most, most_partitions)
        self._topics: Topics = {}
        self._chosen: Topics = {}
        self._choosing = asyncio.Lock()

    async def of(self, topics: Topics) -> Topics:
        """Return those of the cluster's topics that are looked at; the same object for the same one."""
        async with self._choosing:
            if topics is not self._topics:
                self._chosen = await in_slices(self._choose(topics))
                self._topics = topics
        return self._chosen

    def samples(self, key: Key) -> list[Sample]:
        """Tell how much the probe of this key leaves out."""
        return [
            left_out(key, "topic", self.left_out, self._bound),
            left_out(key, "partition", self.partitions_left_out, self._bound),
        ]

    def _choose(self, topics: Topics) -> Pieces[Topics]:
        for name in [name for name in self._chosen if name not in topics]:
            self._choice.release(name)
        yield
        # Those that were chosen before come before those that are new, wherever a broker names them.
        before = {name: states for name, states in topics.items() if name in self._chosen}
        yield
        self.left_out = self.partitions_left_out = 0
        for some in (before, topics):
            for count, (name, states) in enumerate(some.items()):
                self._offer(name, len(states), first=some is before)
                if count % _TOPICS_PER_PIECE == 0:
                    yield
        return {name: states for name, states in topics.items() if name in self._choice}

    def _offer(self, name: str, partitions: int, *, first: bool) -> None:
        watched = name in self.watch
        if not watched and name not in self.meant:
            self._choice.release(name)
        elif not self._choice.offer(name, ALWAYS if watched else _OTHERS, partitions) and not first:
            self.left_out += 1
            self.partitions_left_out += partitions
