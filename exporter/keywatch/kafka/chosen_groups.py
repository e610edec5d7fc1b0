"""Which of a cluster's groups are read, and of which of them the commits: any client may make more than can be."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from keywatch import bounds
from keywatch.engine.choice import ALWAYS, Choice
from keywatch.kafka.wire.groups import ListedGroup

_WITHOUT_MEMBERS = frozenset({"Empty", "Dead"})
_NO_BOUND = 2**62
_PUT_OUT = 99
_UNLIMITED = 3  # the rank of groups with members and without a limit


class ListedPart(NamedTuple):
    """Some of the groups that a broker lists: those that are read, and how many are left out beside them."""

    groups: tuple[ListedGroup, ...]
    left_out: int


class ChosenGroups:
    """Chooses `most` groups, and of them those that committed on `most_partitions` partitions together.

    Those that are `named` come first and are bounded by the configuration alone. Then come those that have a limit,
    then those that had members since they are known, then those that were there before.
    """

    def __init__(
        self,
        wanted: Callable[[str], bool],
        named: Collection[str] = (),
        limited: Callable[[str], bool] = lambda _: False,
        most: int = bounds.GROUPS,
        most_partitions: int = bounds.GROUP_PARTITIONS,
    ) -> None:
        self._wanted = wanted
        self._named = frozenset(named)
        self._limited = limited
        self._groups = Choice(most, 0)
        self._reckoned = Choice(_NO_BOUND, most_partitions)
        self._freed = 0
        self._room = most
        self._waiting = False
        self.left_out: dict[str, int] = {}
        """Broker → groups that it listed and that are left out."""

    @property
    def version(self) -> tuple[int, int]:
        """Another one when groups that were left out should be looked at again, or such that were chosen."""
        return self._groups.version, self._freed

    def begin(self, *, first: bool) -> None:
        """Begin a cycle: in all but the `first` one, only some of those that came are taken in at once."""
        if not first:
            self._room = bounds.NEW_GROUPS
        self._freed += self._waiting
        self._waiting = False

    def sort(self, listed: Sequence[ListedGroup]) -> ListedPart:
        """Return those of the listed groups that are read."""
        chosen: list[ListedGroup] = []
        left_out = 0
        for group in listed:
            if group.state == "Dead" or not self._wanted(group.name):
                continue
            if self._offer(group.name, self._rank(group)):
                chosen.append(group)
            else:
                left_out += 1
        return ListedPart(tuple(chosen), left_out)

    def __contains__(self, name: str) -> bool:
        return name in self._groups

    def reckoned(self, name: str, partitions: int) -> bool:
        """Return whether the lag of a group that committed on so many partitions is reckoned; not of one put out."""
        if name not in self._named and name not in self._groups:
            return False
        return self._reckoned.offer(name, self.rank(name), partitions)

    def rank(self, name: str) -> int:
        """Return how much a group matters, the most with 0; least one that was put out since it was listed."""
        if name in self._named:
            return ALWAYS
        return self._groups.rank(name) if name in self._groups else _PUT_OUT

    def is_reckoned(self, name: str) -> bool:
        """Return whether the lag of a group is reckoned still."""
        return name in self._reckoned

    def release(self, name: str) -> None:
        """Give the room of a group that is gone to others."""
        self._groups.release(name)
        self._reckoned.release(name)
        self._freed += any(self.left_out.values())

    def put_out(self, name: str, broker: str, *, uncounted: bool) -> None:
        """Let go of a group that was put out for another one, and count it if that was after its broker listed it."""
        self._reckoned.release(name)
        self.left_out[broker] = self.left_out.get(broker, 0) + uncounted

    def _offer(self, name: str, rank: int) -> bool:
        may_wait = rank >= _UNLIMITED and name not in self._groups
        if may_wait and self._room <= 0:
            self._waiting = True
            return False
        taken = self._groups.offer(name, rank)
        self._room -= may_wait and taken
        return taken

    def _rank(self, group: ListedGroup) -> int:
        if group.name in self._named:
            return ALWAYS
        without_members = group.state in _WITHOUT_MEMBERS
        return (1 if self._limited(group.name) else _UNLIMITED) + without_members
