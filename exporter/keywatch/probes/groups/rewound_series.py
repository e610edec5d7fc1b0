"""The series of one group's rewinds, with words for whoever wants to be called for the group."""

from __future__ import annotations

from collections.abc import Sequence

from keywatch.engine.series import Labels, LatestSeries, MetricSeries, Rows
from keywatch.metrics import lag as cat
from keywatch.probes.groups.lag import PartitionLag
from keywatch.probes.groups.rewinds import Rewinds

_WORDS = "its commits went back by {} offsets: it reads records again"
# As the alert KafkaGroupRewound.
_TOLD_FOR = 300.0


class RewoundSeries:
    """The series of the last rewind on each topic; none as long as there was none."""

    def __init__(self, labels: Labels) -> None:
        self.series: list[MetricSeries] = []
        self._labels = labels
        self._rewinds = Rewinds()
        self._latest = LatestSeries()
        self._rows = Rows([])

    def record(self, lags: Sequence[PartitionLag], coordinator: str, asked: int, now: float) -> None:
        """Take what was reckoned, as `Rewinds.record` has it."""
        self._rewinds.record(lags, coordinator, asked, now)
        if self._rewinds.last:
            self._rewinds.retain({lag.partition.topic for lag in lags})

    def drop(self, topic: str) -> None:
        """Drop a topic that was made anew."""
        self._rewinds.drop(topic)

    def take_new(self) -> list[str]:
        """Return the topic of each rewind since the last call."""
        new, self._rewinds.new = self._rewinds.new, []
        return new

    def lately(self, now: float) -> bool:
        """Whether its commits went back a short while ago."""
        return any(now - one.at < _TOLD_FOR for one in self._rewinds.last.values())

    def tell(self, now: float, *, called_for: bool) -> bool:
        """Make the series as of `now`; returns whether they are others than before."""
        last = self._rewinds.last
        if not last and not self.series:
            return False
        labels = tuple([(*self._labels, topic) for topic in last])
        if labels != self._rows.labels:
            self._rows = Rows(labels)
        tells = [called_for and now - one.at < _TOLD_FOR for one in last.values()]
        notes = tuple(
            [_WORDS.format(one.offsets) if told else None for told, one in zip(tells, last.values(), strict=True)]
        )
        before, self.series = self.series, []
        if last:
            at, offsets = [one.at for one in last.values()], [one.offsets for one in last.values()]
            words = notes if any(notes) else None
            self.series = [
                self._latest.record(cat.GROUP_REWOUND_TIMESTAMP_SECONDS, self._rows, at, words),
                self._latest.record(cat.GROUP_REWOUND_OFFSETS, self._rows, offsets),
            ]
        return self.series != before
