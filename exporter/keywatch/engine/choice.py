"""Which of more names than there is room for are kept: the more important ones, and of equal ones those kept before."""

from __future__ import annotations

from typing import Final

ALWAYS: Final = 0
"""The rank of what is named in the configuration: kept whatever else there is, and taking nobody's room."""


class Choice:
    """Keeps at most `most` names that weigh `most_weight` together at most, and beside them those of rank `ALWAYS`.

    A name is never put out for another of its rank, so that what is kept stays the same from look to look, whatever
    is made beside it; and a name's rank only ever gets better, so that two cannot take each other's place in turns.
    """

    def __init__(self, most: int, most_weight: int) -> None:
        self._most = most
        self._most_weight = most_weight
        self._kept: dict[str, tuple[int, int]] = {}
        """Name → rank and weight."""
        self._of_rank: dict[int, dict[str, None]] = {}
        self._weight_of: dict[int, int] = {}
        self.version = 0
        """Counts the names that were put out."""

    def __contains__(self, name: str) -> bool:
        return name in self._kept

    def __len__(self) -> int:
        return len(self._kept)

    def rank(self, name: str) -> int:
        """Return the rank of a name that is kept; raises `KeyError`."""
        return self._kept[name][0]

    def offer(self, name: str, rank: int, weight: int = 0) -> bool:
        """Keep the name if there is room, or if others can be put out whose rank is worse (higher); returns whether.

        A name that is kept already keeps its place, unless it has become too heavy for it.
        """
        known = self._kept.get(name)
        if known is not None:
            rank = min(rank, known[0])
            if (rank, weight) == known:
                return True
            if rank != known[0]:
                self._take_out(name)
        before = self._kept.get(name, (rank, 0))[1]
        if not self._make_room(rank, weight - before, is_new=name not in self._kept):
            if known is not None:
                self.release(name)  # unless it was taken out for its better rank
                self.version += 1
            return False
        self._kept[name] = (rank, weight)
        self._of_rank.setdefault(rank, {})[name] = None  # which leaves one that was there in its place
        self._weight_of[rank] = self._weight_of.get(rank, 0) + weight - before
        return True

    def release(self, name: str) -> None:
        """Take a name out that is not there any more, or that nobody wants."""
        if name in self._kept:
            self._take_out(name)

    def _make_room(self, rank: int, heavier: int, *, is_new: bool) -> bool:
        if rank == ALWAYS:
            return True
        count = sum(len(names) for other, names in self._of_rank.items() if other != ALWAYS) + is_new
        total = sum(held for other, held in self._weight_of.items() if other != ALWAYS) + heavier
        worse = sorted((one for one in self._of_rank if one > rank), reverse=True)
        if count - sum(len(self._of_rank[one]) for one in worse) > self._most:
            return False
        if total - sum(self._weight_of[one] for one in worse) > self._most_weight:
            return False
        for one in worse:
            while count > self._most and one in self._of_rank:
                last = next(reversed(self._of_rank[one]))  # the one that came last goes first
                total -= self._kept[last][1]
                count -= 1
                self._put_out(last)
            if total > self._most_weight:
                for last in [name for name in reversed(self._of_rank.get(one, {})) if self._kept[name][1]]:
                    if total > self._most_weight:
                        total -= self._kept[last][1]
                        self._put_out(last)
        return True

    def _put_out(self, name: str) -> None:
        self._take_out(name)
        self.version += 1

    def _take_out(self, name: str) -> None:
        rank, weight = self._kept.pop(name)
        del self._of_rank[rank][name]
        self._weight_of[rank] -= weight
        if not self._of_rank[rank]:
            del self._of_rank[rank], self._weight_of[rank]
