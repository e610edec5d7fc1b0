"""What a consumer group is in one word, the worst that holds, so that nobody has to put it together himself."""

from __future__ import annotations

from enum import StrEnum

from keywatch.engine.series import Labels, LatestSeries, MetricSeries, Rows
from keywatch.metrics import groups as cat


class GroupVerdict(StrEnum):
    """The values of the label `verdict`, the one that is told first before those that hold as well."""

    UNKNOWN = "unknown"  # nobody answers for it, or its lag is not known
    REWOUND = "rewound"  # its commits went back within the last five minutes
    WITHOUT_MEMBERS = "without_members"  # records wait, and nobody reads
    STUCK = "stuck"  # records wait, and nothing was committed for five minutes
    LATE = "late"  # a limit of its lag is passed
    STOPPED = "stopped"  # it has no members, and read all
    OK = "ok"


class VerdictSeries:
    """1 for what one group is, 0 for what it was."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._held: tuple[GroupVerdict, ...] = ()
        self._rows = Rows([])
        self._latest = LatestSeries()

    def record(self, verdict: GroupVerdict) -> MetricSeries:
        """Return the series now that it is this."""
        if verdict not in self._held:
            self._held = (*self._held, verdict)
            self._rows = Rows([(*self._labels, held) for held in self._held])
        return self._latest.record(cat.GROUP_VERDICT, self._rows, [int(held is verdict) for held in self._held])
