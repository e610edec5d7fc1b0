"""Do the brokers' disks hold? Asks each broker for its log directories, and now and then for what lies there.

A broker takes a directory out of use as soon as reading or writing it fails, and lives on with the others (KIP-112).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence

from keywatch.engine.deadline import Deadline
from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.engine.series import LatestSeries, MetricSeries, Rows, SeriesSet
from keywatch.engine.slices import Pieces, in_slices
from keywatch.engine.unknowable import Unknowable
from keywatch.kafka.chosen_topics import ChosenTopics
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.errors import name_of, reason_of
from keywatch.kafka.peers import Peers
from keywatch.kafka.rights import DESCRIBE_CLUSTER
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire.log_dirs import DESCRIBE_LOG_DIRS, LogDirectory, describe_log_dirs, reading_log_dirs
from keywatch.metrics import log_dirs as cat

# That a broker cannot tell is nobody's fault, and a broker that does not answer is probe `broker`'s finding.
_UNKNOWABLE = frozenset({Reason.UNSUPPORTED, Reason.AUTHORIZATION})
_TOPICS_PER_PIECE = 1000
# As KafkaDiskNearlyFull has it.
_NEARLY_FULL = 0.05


class LogDirsProbe:
    """The log directories of all living brokers of one cluster; what a broker does not tell costs only its own series.

    Sizes by topic are long answers: one broker a run is asked for them, each again `sizes_every` seconds later.
    """

    name = "log_dirs"
    target = ""

    def __init__(
        self,
        cluster: str,
        topology: Topology,
        peers: Peers,
        schedule: Schedule,
        *,
        chosen: ChosenTopics,
        sizes_every: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cluster = cluster
        self.schedule = schedule
        self._topology = topology
        self._peers = peers
        self._chosen = chosen
        self._sizes_every = sizes_every
        self._clock = clock
        self._read_at: dict[str, float] = {}
        self._sizes: dict[str, _Sizes] = {}
        self._unknown: dict[str, set[Reason]] = {}
        self._broken: set[str] = set()
        self._unknowable = Unknowable("how full disks are")

    async def run(self, timeout: float) -> Collection[Sample]:
        """Ask every living broker; raises `ProbeError` when none tells anything."""
        deadline = Deadline(timeout * 0.95)
        topics = await self._chosen.of(await self._topology.partitions(deadline.share(0.5).left))
        living = [broker.label for broker in self._topology.living()]
        if not living:
            raise ProbeError(Reason.REFUSED, "no broker answers")
        self._sizes = {label: one for label, one in self._sizes.items() if label in living}
        self._unknown = {label: one for label, one in self._unknown.items() if label in self._topology.brokers}
        due = self._due(living)
        answers, _ = await asyncio.gather(
            asyncio.gather(*(self._ask(label, deadline.left) for label in living)),
            self._read_sizes(due, topics, deadline),
        )
        found = dict(zip(living, answers, strict=True))
        self._broken = {label for label in found if self._has_failed(label, found[label])}
        self._topology.report_disks(self._broken)
        samples: list[Sample] = []
        failures: list[BrokerError] = []
        for label, answer in found.items():
            if isinstance(answer, BrokerError):
                failures.append(answer)
            samples += self._told(label, answer)
        told = SeriesSet([one.series for one in self._sizes.values()], samples)
        troubles = [one for one in failures if one.reason not in _UNKNOWABLE]
        if len(failures) == len(living) and not troubles:
            self._unknowable.say(self, failures[0].reason, failures[0].detail)
        elif not failures:
            self._unknowable.over()
        if len(troubles) == len(living):
            raise ProbeError(troubles[0].reason, troubles[0].detail, told)
        return told

    async def close(self) -> None:
        """Close the connections."""
        self._peers.close()

    async def _ask(self, label: str, timeout: float) -> Sequence[LogDirectory] | BrokerError:
        try:
            return await _directories(self._peers, label, timeout, sizes=False)
        except BrokerError as error:
            return error

    def _due(self, living: Sequence[str]) -> str | None:
        """Return the broker whose sizes were read longest ago, if it is time; none twice within `sizes_every`."""
        self._read_at = {label: self._read_at.get(label, float("-inf")) for label in living}
        oldest = min(living, key=self._read_at.__getitem__)
        if not self._sizes_every or self._clock() - self._read_at[oldest] < self._sizes_every:
            return None
        self._read_at[oldest] = self._clock()
        return oldest

    async def _read_sizes(self, label: str | None, topics: Mapping[str, object], deadline: Deadline) -> None:
        """Read what lies on a broker's disks; where that fails, what was known goes, and it is asked when due again."""
        if label is None:
            return
        try:
            directories = await _directories(self._peers, label, deadline.left, sizes=True)
        except BrokerError:
            self._sizes.pop(label, None)
            return
        sizes = self._sizes.setdefault(label, _Sizes())
        await in_slices(sizes.record(self.cluster, label, topics, directories))

    def _has_failed(self, label: str, answer: Sequence[LogDirectory] | BrokerError) -> bool:
        """Return whether a directory of the broker has failed; one that does not answer has what it had."""
        if isinstance(answer, BrokerError):
            return label in self._broken
        return any(one.error for one in answer)

    def _told(self, label: str, answer: Sequence[LogDirectory] | BrokerError) -> list[Sample]:
        reason = answer.reason if isinstance(answer, BrokerError) and answer.reason in _UNKNOWABLE else None
        unknown = self._unknown.setdefault(label, set())
        unknown.update({reason} if reason else ())
        samples = [
            Sample(cat.LOG_DIRS_UNKNOWN_REASON, (self.cluster, label, one), float(one is reason)) for one in unknown
        ]
        if isinstance(answer, BrokerError):
            return samples
        for one in answer:
            labels = (self.cluster, label, one.path)
            words = f"the broker took it out of use: {name_of(one.error)}" if one.error else None
            samples.append(Sample(cat.LOG_DIR_UP, labels, float(not one.error), words))
            if one.total is not None and one.free is not None:
                samples.append(Sample(cat.LOG_DIR_SIZE_BYTES, labels, float(one.total)))
                full = one.free < _NEARLY_FULL * one.total
                words = f"{one.free / one.total:.1%} of the volume is free" if full else None
                samples.append(Sample(cat.LOG_DIR_FREE_BYTES, labels, float(one.free), words))
        return samples


class _Sizes:
    """The bytes of the topics on one broker."""

    def __init__(self) -> None:
        self.series = MetricSeries(cat.TOPIC_LOG_BYTES, Rows([]), [])
        self._latest = LatestSeries()
        self._rows = Rows([])
        self._topics: tuple[str, ...] = ()

    def record(
        self, cluster: str, label: str, chosen: Mapping[str, object], directories: Sequence[LogDirectory]
    ) -> Pieces[None]:
        """Add up the directories, of the topics that are looked at."""
        sizes: dict[str, int] = {}
        for one in directories:
            for count, (topic, size) in enumerate(one.sizes.items(), 1):
                if topic in chosen:
                    sizes[topic] = sizes.get(topic, 0) + size
                if count % _TOPICS_PER_PIECE == 0:
                    yield
        topics = tuple(sorted(sizes))
        yield
        if topics != self._topics:
            self._topics, self._rows = topics, Rows([(cluster, label, topic) for topic in topics])
        self.series = self._latest.record(cat.TOPIC_LOG_BYTES, self._rows, [sizes[topic] for topic in topics])


async def _directories(peers: Peers, label: str, timeout: float, *, sizes: bool) -> Sequence[LogDirectory]:
    """Ask one broker for its log directories; raises `BrokerError`."""
    deadline = Deadline(timeout)
    request = describe_log_dirs(await peers.highest(label, DESCRIBE_LOG_DIRS, deadline.left), sizes=sizes)
    answer = await peers.ask_much(label, request, max(deadline.left, 0.001), reading_log_dirs)
    reason = reason_of(answer.error) if answer.error else Reason.AUTHORIZATION
    if answer.error or not answer.found:
        words = DESCRIBE_CLUSTER.missing() if reason is Reason.AUTHORIZATION else name_of(answer.error)
        raise BrokerError(reason, words)
    return answer.found
