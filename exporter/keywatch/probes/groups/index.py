"""Which groups build on which partitions: so that a moved end offset costs the groups that it concerns, no others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping

from keywatch.engine.slices import Pieces
from keywatch.kafka.groups import Group
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.patterns import Patterns
from keywatch.probes.groups.series import GroupSheet


class LagIndex:
    """The sheets of all groups, those that are due to be reckoned anew, and the partitions that all of them need."""

    def __init__(self, topics: Patterns) -> None:
        self.sheets: dict[str, GroupSheet] = {}
        self.wanted: dict[str, tuple[int, ...]] = {}
        """Topic → partitions; the same object as long as it says the same."""
        self.due: dict[GroupSheet, None] = {}
        self.partitions: dict[TopicPartition, list[GroupSheet]] = {}
        """Each partition's groups."""
        self.strangers: frozenset[TopicPartition] = frozenset()
        """Partitions that were committed on and that metadata does not name."""
        self._patterns = topics
        self._topics: Mapping[str, Mapping[int, object]] = {}
        self._guessed: dict[GroupSheet, None] = {}
        self._behind: Counter[TopicPartition] = Counter()

    def follow(
        self,
        groups: Mapping[str, Group],
        topics: Mapping[str, Mapping[int, object]],
        make: Callable[[Group], GroupSheet],
    ) -> Pieces[None]:
        """Take in which groups there are and what they committed; `make` makes the sheet of a new one."""
        moved = topics is not self._topics
        outdated = False
        strangers: set[TopicPartition] = set()
        for name in [name for name, sheet in self.sheets.items() if groups.get(name) is not sheet.group]:
            self._drop(self.sheets.pop(name))
            outdated = True
        for count, (name, group) in enumerate(list(groups.items())):
            sheet = self.sheets.get(name)
            if sheet is None:
                sheet = self.sheets[name] = make(group)
            due, changed = sheet.follow(topics, self._patterns, moved=moved)
            if due:
                self.due[sheet] = None
            outdated = outdated or changed
            strangers |= sheet.strangers
            if count % 50 == 0:
                yield
        self._topics = topics
        self.strangers = frozenset(strangers)
        if outdated or not self.partitions:
            yield from self._rebuild()

    def touch(self, partition: TopicPartition, cycle: int) -> None:
        """Have the groups of a partition reckoned anew, because its end moved or is no longer known."""
        for sheet in self.partitions.get(partition, ()):
            sheet.touched = cycle
            self.due[sheet] = None

    def take_due(self) -> Collection[GroupSheet]:
        """Give the sheets that are due; they stay so until they are settled."""
        return list(self.due)

    def settle(self, sheet: GroupSheet, behind: Collection[TopicPartition]) -> None:
        """Take in that a sheet was reckoned, which was `behind` on these partitions before."""
        self.due.pop(sheet, None)
        if behind != sheet.behind:
            self._behind.subtract(behind)
            self._behind.update(sheet.behind)
        if sheet.guessed:
            self._guessed.setdefault(sheet)
        else:
            self._guessed.pop(sheet, None)

    def is_behind(self, partition: TopicPartition) -> bool:
        """Tell whether any group has something to read in the partition."""
        return self._behind[partition] > 0

    def building_on(self, partition: TopicPartition) -> Collection[GroupSheet]:
        """Give the sheets of the groups that committed on the partition."""
        return self.partitions.get(partition, ())

    def next_guessed(self) -> Iterator[GroupSheet]:
        """Give the sheets whose lag in seconds is an estimate; one that was given comes last the next time."""
        for sheet in list(self._guessed):
            del self._guessed[sheet]
            self._guessed[sheet] = None
            yield sheet

    def _drop(self, sheet: GroupSheet) -> None:
        self.due.pop(sheet, None)
        self._guessed.pop(sheet, None)
        self._behind.subtract(sheet.behind)

    def _rebuild(self) -> Pieces[None]:
        partitions: dict[TopicPartition, list[GroupSheet]] = {}
        for count, sheet in enumerate(self.sheets.values()):
            for partition in sheet.partitions:
                partitions.setdefault(partition, []).append(sheet)
            if count % 50 == 0:
                yield
        topics: dict[str, list[int]] = {}
        for partition in partitions:
            topics.setdefault(partition.topic, []).append(partition.partition)
        yield
        wanted = {topic: tuple(sorted(indexes)) for topic, indexes in sorted(topics.items())}
        self.partitions = partitions
        self._behind = +self._behind
        if wanted != self.wanted:
            self.wanted = wanted
