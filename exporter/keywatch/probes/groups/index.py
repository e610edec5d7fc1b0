"""Which groups build on which partitions: so that a moved end offset costs the groups that it concerns, no others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from keywatch.engine.slices import Pieces
from keywatch.kafka.consumer_group import ConsumerGroup
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.patterns import Patterns
from keywatch.probes.groups.series import GroupSeries

_PARTITIONS_PER_PIECE = 500


class LagIndex:
    """The series of all groups, those that are due to be reckoned anew, and the partitions that all of them need."""

    def __init__(self, topics: Patterns) -> None:
        self.series: dict[str, GroupSeries] = {}
        self.wanted: dict[str, tuple[int, ...]] = {}
        """Topic → partitions; the same object as long as it says the same."""
        self.due: dict[GroupSeries, None] = {}
        self.partitions: dict[TopicPartition, list[GroupSeries]] = {}
        """The groups that committed on each partition."""
        self.stale: set[str] = set()
        """Topics that hold something else now, and on some of whose partitions some of their groups never committed."""
        self.strangers: frozenset[TopicPartition] = frozenset()
        """Partitions that were committed on and that metadata does not name."""
        self._patterns = topics
        self._topics: Mapping[str, Mapping[int, object]] = {}
        self._partial: dict[str, list[GroupSeries]] = {}
        self._claimed: dict[TopicPartition, list[GroupSeries]] = {}
        self._guessed: dict[GroupSeries, None] = {}
        self._behind: Counter[TopicPartition] = Counter()

    def update(
        self,
        groups: Mapping[str, ConsumerGroup],
        topics: Mapping[str, Mapping[int, object]],
        make: Callable[[ConsumerGroup], GroupSeries],
    ) -> Pieces[None]:
        """Record which groups there are and what they committed; `make` makes the group_series of a new one."""
        moved = topics is not self._topics
        outdated = False
        strangers: set[TopicPartition] = set()
        for name in [name for name, group_series in self.series.items() if groups.get(name) is not group_series.group]:
            self._drop(self.series.pop(name))
            outdated = True
        for count, (name, group) in enumerate(list(groups.items())):
            group_series = self.series.get(name)
            if group_series is None:
                group_series = self.series[name] = make(group)
            due, changed = group_series.update(topics, self._patterns, moved=moved)
            if due:
                self.due[group_series] = None
            outdated = outdated or changed
            strangers |= group_series.strangers
            if count % 50 == 0:
                yield
        self._topics = topics
        self.strangers = frozenset(strangers)
        if outdated or not self.partitions:
            yield from self._rebuild()

    def touch(self, partition: TopicPartition, cycle: int) -> None:
        """Have the groups of a partition reckoned anew, because its end moved or is no longer known."""
        for concerned in (self.partitions, self._claimed):
            for group_series in concerned.get(partition, ()):
                group_series.touched = cycle
                self.due[group_series] = None
        if partition.topic in self._partial:
            self.stale.add(partition.topic)

    def due_now(self) -> Collection[GroupSeries]:
        """Return the series that are due; they stay so until they are settled."""
        return list(self.due)

    def lacking_commits(self, topics: Iterable[str]) -> Collection[GroupSeries]:
        """Return the series of the groups that read one of the topics and never committed on some of its partitions."""
        return dict.fromkeys(group_series for topic in topics for group_series in self._partial.get(topic, ()))

    def record(self, group_series: GroupSeries, behind: Collection[TopicPartition]) -> None:
        """Record that a group_series was reckoned, which was `behind` on these partitions before."""
        self.due.pop(group_series, None)
        if behind != group_series.behind:
            self._behind.subtract(behind)
            self._behind.update(group_series.behind)
        if group_series.guessed:
            self._guessed.setdefault(group_series)
        else:
            self._guessed.pop(group_series, None)

    def is_behind(self, partition: TopicPartition) -> bool:
        """Return whether any group has something to read in the partition."""
        return self._behind[partition] > 0

    def building_on(self, partition: TopicPartition) -> Collection[GroupSeries]:
        """Return the series of the groups that committed on the partition."""
        return self.partitions.get(partition, ())

    def next_guessed(self) -> Iterator[GroupSeries]:
        """Return the series whose lag in seconds is an estimate; one that was given comes last the next time."""
        for group_series in list(self._guessed):
            del self._guessed[group_series]
            self._guessed[group_series] = None
            yield group_series

    def _drop(self, group_series: GroupSeries) -> None:
        self.due.pop(group_series, None)
        self._guessed.pop(group_series, None)
        self._behind.subtract(group_series.behind)

    def _rebuild(self) -> Pieces[None]:
        partitions: dict[TopicPartition, list[GroupSeries]] = {}
        claimed: dict[TopicPartition, list[GroupSeries]] = {}
        partial: dict[str, list[GroupSeries]] = {}
        count = 0
        for group_series in self.series.values():
            for partition in group_series.partitions:
                partitions.setdefault(partition, []).append(group_series)
            for partition in group_series.reads.claimed:
                claimed.setdefault(partition, []).append(group_series)
            for topic in group_series.reads.partial:
                partial.setdefault(topic, []).append(group_series)
            count += 1 + len(group_series.partitions) + len(group_series.reads.claimed)
            if count >= _PARTITIONS_PER_PIECE:
                count = 0
                yield
        topics: dict[str, list[int]] = {}
        for partition in partitions:
            if partition.topic not in partial:
                topics.setdefault(partition.topic, []).append(partition.partition)
        yield
        for topic in partial:
            topics[topic] = list(self._topics[topic])
            yield
        wanted = {topic: tuple(sorted(indexes)) for topic, indexes in sorted(topics.items())}
        self.partitions, self._claimed, self._partial = partitions, claimed, partial
        self.stale = set(partial)
        self._behind = +self._behind
        if wanted != self.wanted:
            self.wanted = wanted
