"""Which member of a group is behind: the lag of the partitions that are assigned to each client id on each host."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from keywatch.engine.series import LatestSeries, MetricSeries, Rows
from keywatch.engine.slices import Pieces
from keywatch.kafka.wire.members import Reading
from keywatch.metrics import members as cat
from keywatch.probes.groups.lag import PartitionLag
from keywatch.probes.groups.series import GroupSeries


class MemberSeries:
    """The series of one group's members, made anew only where assignments or lags changed."""

    def __init__(self, cluster: str, group: str) -> None:
        self._labels = (cluster, group)
        self._latest = LatestSeries()
        self._rows = Rows([])
        self._made_of: tuple[Reading | None, Sequence[PartitionLag], int] = (None, (), 0)
        self.series: list[MetricSeries] = []

    def record(self, reading: Reading | None, lags: Sequence[PartitionLag], most: int) -> int:
        """Make the series of `most` members at most; returns how many members there are."""
        owners = reading.owners if reading is not None else ()
        before = self._made_of
        if before[0] is reading and before[1] is lags and before[2] == most:
            return len(owners)
        self._made_of = reading, lags, most
        told = owners[:most]
        records = {lag.partition: lag.records or 0 for lag in lags}
        rows = [(*self._labels, owner.client, owner.host) for owner in told]
        if self._rows.labels != tuple(rows):
            self._rows = Rows(rows)
        sums = [sum(records.get(partition, 0) for partition in owner.partitions) for owner in told]
        self.series = [
            self._latest.record(cat.GROUP_MEMBER_LAG_RECORDS, self._rows, sums),
            self._latest.record(cat.GROUP_MEMBER_PARTITIONS, self._rows, [len(owner.partitions) for owner in told]),
        ]
        return len(owners)


class MemberLags:
    """The members of all groups, `most` of them: those of groups that matter first, the same ones from run to run."""

    def __init__(self, cluster: str, most: int) -> None:
        self._cluster = cluster
        self._most = most
        self._known: dict[str, MemberSeries] = {}
        self.left_out = 0
        """How many members there are beyond that."""

    def tell(self, groups: Iterable[GroupSeries], rank: Callable[[str], int]) -> Pieces[list[MetricSeries]]:
        """Return the series of the members of `groups`; `rank` says how much a group matters, the most with 0."""
        if not self._most:
            return []
        found: list[MetricSeries] = []
        left, total = self._most, 0
        ordered = sorted(groups, key=lambda one: (rank(one.group.name), one.group.name))
        known, self._known = self._known, {}
        for one in ordered:
            if one.group.reading is None:
                continue
            members = known.get(one.group.name) or MemberSeries(self._cluster, one.group.name)
            self._known[one.group.name] = members
            count = members.record(one.group.reading, one.lags, left)
            total, left = total + count, max(left - count, 0)
            found += members.series
            yield
        self.left_out = max(total - self._most, 0)
        return found
