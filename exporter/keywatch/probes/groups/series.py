"""The series of one consumer group: made anew only where the group, its commits or its partitions changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from keywatch.engine.counted import counted
from keywatch.engine.series import LatestSeries, MetricSeries, Rows, Value
from keywatch.kafka.consumer_group import ConsumerGroup
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.metrics import groups as cat
from keywatch.metrics import lag as lag_metrics
from keywatch.metrics import retention
from keywatch.metrics.metric import Metric
from keywatch.patterns import Patterns
from keywatch.probes.groups.lag import PartitionLag, TopicLag, by_topic
from keywatch.probes.groups.reads import Reads
from keywatch.probes.groups.rewound_series import RewoundSeries
from keywatch.probes.groups.standing import Standing
from keywatch.probes.groups.uncommitted import Arrivals, Filled, Holding
from keywatch.probes.groups.verdict import GroupVerdict, VerdictSeries

STATES = (
    "Stable",
    "Empty",
    "PreparingRebalance",
    "CompletingRebalance",
    "Assigning",
    "Reconciling",
    "NotReady",
    "Dead",
    "Unknown",
)
_NONE: frozenset[TopicPartition] = frozenset()
_NOBODY = "nobody reads it: records wait, and the group has no members"
# What members call themselves is up to them.
_LONGEST_TYPE = 40


@dataclass(frozen=True, slots=True)
class Limit:
    """What lag is tolerated of the groups that a pattern names; None means any."""

    groups: Patterns
    records: float | None
    seconds: float | None
    retention_left: float | None = None


class GroupSeries:
    """One group's series, and what the probe has to know of it to leave it alone."""

    def __init__(
        self, cluster: str, group: ConsumerGroup, limit: Limit | None, *, detail: bool, watched: bool = False
    ) -> None:
        self.group = group
        self.partitions: tuple[TopicPartition, ...] = ()
        self.reads = Reads()
        self.strangers = _NONE
        """Partitions that it committed on and metadata does not name: deleted ones, or very new ones."""
        self.topics: frozenset[str] = frozenset()
        """Those whose lag was reckoned; the same object as long as they are the same."""
        self.touched = 0
        """The last cycle in which the end of one of its partitions moved, or was not read."""
        self.lagless = False
        """Whether everything was read and nothing is behind."""
        self.behind = _NONE
        self.guessed: tuple[TopicPartition, ...] = ()
        """Partitions whose lag in seconds is an estimate."""
        self.series: list[MetricSeries] = []
        self._labels = (cluster, group.name)
        self._limit = limit
        self._detail = detail
        self._watched = watched
        self._latest = LatestSeries()
        self._itself = Rows([self._labels])
        self._rows: dict[tuple[object, ...], Rows] = {}
        self._told: tuple[object, ...] = ()
        self._read: tuple[object, ...] | None = None
        self._state: list[MetricSeries] = []
        self._lag: list[MetricSeries] = []
        self._lags: Sequence[PartitionLag] = ()
        self._uncommitted: dict[str, Holding] = {}
        self._arrived: dict[str, int] = {}
        self._arrivals = Arrivals()
        self._since: dict[str, float] = {}
        self._ageless = False
        self._abandoned = False
        self._standing = Standing()
        self._rewound = RewoundSeries(self._labels)
        self._verdict = VerdictSeries(self._labels)
        self._most_records = 0

    @property
    def retention_limit(self) -> float | None:
        """With fewer seconds left until unread records are deleted somebody is called; None: nobody is."""
        return self._limit.retention_left if self._limit is not None else None

    @property
    def lags(self) -> Sequence[PartitionLag]:
        """The lag of each partition; the same object until it is reckoned anew."""
        return self._lags

    @property
    def matters(self) -> bool:
        """Whether somebody reads by it, or wants to be called for it."""
        return self._called_for or bool(self.group.members)

    def oldest_unread(self) -> dict[str, float | None]:
        """Return topic → Unix time of the oldest record that the group has not read; None where it has read all."""
        behind = {partition.topic for partition in self.behind}
        return {topic: since if topic in behind else None for topic, since in self._since.items()}

    def update(self, topics: Mapping[str, Mapping[int, object]], wanted: Patterns, *, moved: bool) -> tuple[bool, bool]:
        """Record what was read of the group; returns whether its lag is due anew, and whether its partitions changed.

        Its partitions are those that exist, because commits outlive a deleted topic and mean nothing then; `moved` says
        that `topics` are others than before.
        """
        group = self.group
        roots = (group.trouble, bool(group.unreckoned), group.kind, group.protocol)
        told = (*roots, group.state, group.coordinator, group.members)
        abandoned = self._called_for and group.members == 0
        due = told[:4] != self._told[:4] or abandoned != self._abandoned
        self._abandoned = abandoned
        if told != self._told:
            self._told = told
            self._state = self._state_series()
            self.series = [*self._state, *self._lag, *self._rewound.series]
        read = (group.offsets, group.unread, group.reading, group.was_read)
        same = self._read is not None and all(new is old for new, old in zip(read, self._read, strict=True))
        if same and not moved:
            return due, False
        self._read = read
        named: Iterable[TopicPartition] = dict.fromkeys((*group.offsets, *group.unread))
        meant = [partition for partition in named if partition.topic in wanted]
        partitions = tuple([p for p in meant if p.partition in topics.get(p.topic, ())])
        self.strangers = _NONE if len(partitions) == len(meant) else frozenset(meant).difference(partitions)
        reads = Reads.of(group, partitions, topics, wanted)
        self._arrivals.learn({topic: len(topics[topic]) for topic in reads.topics})
        if partitions == self.partitions and reads == self.reads:
            return due or not same, False
        self.partitions, self.reads = partitions, reads
        return True, True

    def record(self, lags: Sequence[PartitionLag], now: float) -> None:
        """Make the lag's series from the lags of all partitions, reckoned at `now` (Unix time)."""
        self._lags = lags
        left = self.reads.left
        if left:
            lags = [lag for lag in lags if lag.partition.topic not in left]
        topics = by_topic(lags)
        self._most_records = max((topic.records or 0 for topic in topics.values()), default=0)
        self._rewound.record(lags, self.group.coordinator, self.group.asked, now)
        if self.topics != topics.keys():
            self.topics = frozenset(topics)
        self.behind = frozenset([lag.partition for lag in lags if lag.records != 0])
        self.guessed = tuple([lag.partition for lag in lags if lag.estimated])
        self.lagless = bool(lags) and not self.behind and not any(topic.unknown for topic in topics.values())
        self._since = {name: now - topic.seconds for name, topic in topics.items() if topic.seconds is not None}
        self._standing.record(self._since, now)
        # Records from the future, or only transaction markers are left.
        self._ageless = any(topic.records and topic.seconds == 0 for topic in topics.values())
        rows: dict[tuple[object, ...], Rows] = {}
        self._lag = list(self._lag_series(topics, rows, now))
        if left:
            self._lag.append(self._left_series(rows))
        if self._detail:
            self._lag += self._detail_series(lags, rows)
        self._rows = rows
        self._rewound.tell(now, called_for=self._called_for)
        self.series = [*self._state, *self._lag, *self._rewound.series]

    def record_uncommitted(
        self, holding: Callable[[str], Holding], filled: Filled, end: Callable[[TopicPartition], int | None]
    ) -> bool:
        """Reckon what waits where nothing was committed, from what whole topics and single partitions hold.

        `end` gives the ends of partitions. Returns whether it is another than before, so that the series are due anew.
        """
        uncommitted = {topic: holding(topic).without(own, filled) for topic, own in self.reads.partial.items()}
        arrived = self._arrivals.count(self.reads.claimed, end)
        if uncommitted == self._uncommitted and arrived == self._arrived:
            return False
        self._uncommitted, self._arrived = uncommitted, arrived
        return True

    def take_rewinds(self) -> list[str]:
        """Return the topic of each rewind since the last call."""
        return self._rewound.take_new()

    def drop(self, topic: str) -> None:
        """Drop what was known of a topic, because it was made anew."""
        self._rewound.drop(topic)

    def age(self, now: float) -> bool:
        """Let the lag in seconds grow to `now`; returns whether that was enough: an age of 0 may stay so or may not."""
        if self._rewound.tell(now, called_for=self._called_for):
            self.series = [*self._state, *self._lag, *self._rewound.series]
        if not self.behind or not self._since:
            return True
        if self._ageless:
            return False
        for index, series in enumerate(self._lag):
            if series.metric is cat.GROUP_LAG_SECONDS:
                behind = {partition.topic for partition in self.behind}
                ages = {t: now - since if t in behind else 0.0 for t, since in self._since.items()}
                self._lag[index] = self._seconds(ages, series.rows, now)
                self.series = [*self._state, *self._lag, *self._rewound.series]
        return True

    def verdict(self, now: float) -> MetricSeries:
        """Return the series of what the group is at `now`, in one word."""
        return self._verdict.record(self._judge(now))

    def _judge(self, now: float) -> GroupVerdict:
        behind = {partition.topic for partition in self.behind}
        if self.group.trouble is not None or self.group.unreckoned or not self.topics:
            return GroupVerdict.UNKNOWN
        if self._rewound.lately(now):
            return GroupVerdict.REWOUND
        if self.group.members == 0:
            return GroupVerdict.WITHOUT_MEMBERS if behind else GroupVerdict.STOPPED
        if any(self._standing.words(topic, now) for topic in behind):
            return GroupVerdict.STUCK
        return GroupVerdict.LATE if self._is_late(behind, now) else GroupVerdict.OK

    def _is_late(self, behind: Iterable[str], now: float) -> bool:
        """Return whether a limit of its lag is passed."""
        if self._limit is None:
            return False
        records, seconds = self._limit.records, self._limit.seconds
        oldest = min((self._since[topic] for topic in behind if topic in self._since), default=now)
        return (records is not None and self._most_records > records) or (
            seconds is not None and now - oldest > seconds
        )

    def _state_series(self) -> list[MetricSeries]:
        group = self.group
        trouble = f"{group.trouble[0]}: {group.trouble[1]}" if group.trouble else None
        made = [self._one(cat.GROUP_UP, int(trouble is None), trouble)]
        if trouble is None:
            states = Rows([(*self._labels, state) for state in STATES])
            flags = [int(state == group.state) for state in STATES]
            made.append(self._latest.record(cat.GROUP_STATE, states, flags))
            if group.members is not None:
                made.append(self._one(cat.GROUP_MEMBERS, group.members))
            kind = (group.protocol or "none")[:_LONGEST_TYPE]
            info = Rows([(*self._labels, group.kind or "unknown", kind, group.coordinator)])
            made.append(self._latest.record(cat.GROUP_INFO, info, [1]))
        if self._limit is not None and self._limit.records is not None:
            made.append(self._one(cat.GROUP_LAG_RECORDS_LIMIT, self._limit.records))
        if self._limit is not None and self._limit.seconds is not None:
            made.append(self._one(cat.GROUP_LAG_SECONDS_LIMIT, self._limit.seconds))
        if (least := self.retention_limit) is not None:
            made.append(self._one(retention.GROUP_RETENTION_LEFT_SECONDS_LIMIT, least))
        if self._watched:
            made.append(self._one(lag_metrics.GROUP_WATCHED, 1))
        return made

    def _lag_series(
        self, topics: Mapping[str, TopicLag], rows: dict[tuple[object, ...], Rows], now: float
    ) -> Iterable[MetricSeries]:
        if self.group.unreckoned:
            return
        behind = {name: topic.records for name, topic in topics.items() if topic.records is not None}
        if behind:
            most = self._limit.records if self._limit else None
            notes = [
                _NOBODY if value and self._abandoned else _above("records", value, most) for value in behind.values()
            ]
            yield self._put(cat.GROUP_LAG_RECORDS, self._topics(behind, rows), list(behind.values()), notes)
        aged = {name: topic.seconds for name, topic in topics.items() if topic.seconds is not None}
        if aged:
            yield self._seconds(aged, self._topics(aged, rows), now)
        # Of a topic that was committed on nowhere nothing but this is known.
        topics = {**dict.fromkeys(self._uncommitted, TopicLag()), **topics}
        unread = [topic.unknown for topic in topics.values()]
        missing = [self._uncommitted.get(name, Holding()) for name in topics]
        unknown = [one + held.filled + held.unread for one, held in zip(unread, missing, strict=True)]
        words = "could not be read, and what was known of its lag last stands"
        notes = [f"{counted(count, 'partition')} {words}" if count else None for count in unread]
        if topics:
            yield self._put(cat.GROUP_PARTITIONS_UNKNOWN, self._topics(topics, rows), unknown, notes)
            astray = [topic.astray for topic in topics.values()]
            notes = [
                f"{counted(t.astray, 'commit', 'is', 'are')} out of range; {t.words}" if t.astray else None
                for t in topics.values()
            ]
            yield self._put(lag_metrics.GROUP_PARTITIONS_OUT_OF_RANGE, self._topics(topics, rows), astray, notes)
        yield from self._uncommitted_series(rows)
        yield self._one(cat.GROUP_LAG_SECONDS_ESTIMATED, sum(topic.estimated for topic in topics.values()))
        # Of what it committed elsewhere, on topics that are left out or were deleted, nothing is claimed.
        if behind or (self.group.was_read and not (self.group.offsets or self.group.shares_work)):
            yield self._one(lag_metrics.GROUP_LAG_KNOWN, int(bool(behind)))

    def _uncommitted_series(self, rows: dict[tuple[object, ...], Rows]) -> Iterable[MetricSeries]:
        if not self._uncommitted:
            return
        labels, held = self._topics(self._uncommitted, rows), self._uncommitted.values()
        yield self._put(lag_metrics.GROUP_PARTITIONS_UNCOMMITTED, labels, [one.filled for one in held], ())
        yield self._put(lag_metrics.GROUP_UNCOMMITTED_RECORDS, labels, [one.records for one in held], ())
        arrived = [self._arrived.get(topic, 0) for topic in self._uncommitted]
        words = "assigned, given records, and never committed on"
        notes = [f"{counted(count, 'partition', 'is', 'are')} {words}" if count else None for count in arrived]
        yield self._put(lag_metrics.GROUP_PARTITIONS_ASSIGNED_UNCOMMITTED, labels, arrived, notes)

    def _left_series(self, rows: dict[tuple[object, ...], Rows]) -> MetricSeries:
        left: dict[str, int] = {}
        for lag in self._lags:
            if lag.partition.topic in self.reads.left:
                left[lag.partition.topic] = left.get(lag.partition.topic, 0) + (lag.records or 0)
        return self._put(lag_metrics.GROUP_LEFT_RECORDS, self._topics(left, rows), list(left.values()), ())

    def _detail_series(
        self, lags: Sequence[PartitionLag], rows: dict[tuple[object, ...], Rows]
    ) -> Iterable[MetricSeries]:
        known = [lag for lag in lags if lag.records is not None]
        if known:
            key = tuple([lag.partition for lag in known])
            made = rows[key] = self._rows.get(key) or Rows([(*self._labels, p.topic, str(p.partition)) for p in key])
            lagging = [lag.records or 0 for lag in known]
            yield self._latest.record(cat.GROUP_PARTITION_LAG_RECORDS, made, lagging)
            committed = [lag.committed for lag in known]
            yield self._latest.record(cat.GROUP_PARTITION_COMMITTED_OFFSET, made, committed)

    def _topics(self, names: Iterable[str], rows: dict[tuple[object, ...], Rows]) -> Rows:
        key = tuple(names)
        found = rows.get(key) or self._rows.get(key) or Rows([(*self._labels, name) for name in key])
        rows[key] = found
        return found

    def _seconds(self, ages: Mapping[str, float], rows: Rows, now: float) -> MetricSeries:
        most = self._limit.seconds if self._limit else None
        called_for = self._called_for and bool(self.group.members)
        notes = [
            (self._standing.words(topic, now) if called_for and value else None) or _above("seconds", value, most)
            for topic, value in ages.items()
        ]
        return self._put(cat.GROUP_LAG_SECONDS, rows, list(ages.values()), notes)

    @property
    def _called_for(self) -> bool:
        """Whether somebody wants to be called for this group."""
        return self._limit is not None or self._watched

    def _one(self, metric: Metric, value: Value, note: str | None = None) -> MetricSeries:
        return self._put(metric, self._itself, [value], [note])

    def _put(self, metric: Metric, rows: Rows, values: Sequence[Value], notes: Sequence[str | None]) -> MetricSeries:
        return self._latest.record(metric, rows, values, tuple(notes) if any(notes) else None)


def _above(unit: str, value: float, limit: float | None) -> str | None:
    if limit is None or value <= limit:
        return None
    return f"lag of {value:.0f} {unit}, above the limit of {limit:.0f}"
