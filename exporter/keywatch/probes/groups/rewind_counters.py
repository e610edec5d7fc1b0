"""Counts rewinds of a bounded number of groups and topics by their names: a counter is kept when its group is gone."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterator

from keywatch.engine.probe import Sample
from keywatch.metrics import lag as cat

_MOST_COUNTED = 10_000
_OTHER = "other"


class RewindCounters:
    """The counters of one cluster; those of groups and topics beyond the bound are one, both of its labels `other`."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._known: dict[str, Collection[str]] = {}
        self._counted: set[tuple[str, str]] = set()

    def samples(self, group: str, topics: Collection[str], rewound: Collection[str]) -> Iterator[Sample]:
        """Return what to add for a group: nothing, or 0 for topics that are new, so that a first rewind is a rise."""
        if self._known.get(group) is not topics:
            self._known[group] = topics
            for topic in topics:
                if (group, topic) not in self._counted and len(self._counted) < _MOST_COUNTED:
                    self._counted.add((group, topic))
                    yield Sample(cat.GROUP_REWINDS_TOTAL, (self._cluster, group, topic), 0.0)
        for topic in rewound:
            named = (group, topic) if (group, topic) in self._counted else (_OTHER, _OTHER)
            yield Sample(cat.GROUP_REWINDS_TOTAL, (self._cluster, *named), 1.0)

    def retain(self, groups: Container[str]) -> None:
        """Drop what is remembered of all other groups; what was counted of them stays."""
        for group in [group for group in self._known if group not in groups]:
            del self._known[group]
