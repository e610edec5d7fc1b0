"""What died into these topics? Depth from the offsets, growth by reason from the records, twice a second."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence

from keywatch import bounds
from keywatch.engine.deadline import Deadline
from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.engine.store import key_of
from keywatch.kafka.chosen_topics import ChosenTopics, Topics
from keywatch.kafka.offsets import Wanted, Watermarks
from keywatch.kafka.peers import Peers
from keywatch.kafka.rights import DESCRIBE_TOPICS, READ_TOPICS
from keywatch.kafka.topic_ids import ask_topic_ids
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import requests
from keywatch.kafka.wire.requests import PartitionState, TopicPartition
from keywatch.patterns import Patterns
from keywatch.probes.dead_letters.first_times import read_first_times
from keywatch.probes.dead_letters.ledger import DeadLetterLedger
from keywatch.probes.dead_letters.letter import DeadLetterReason
from keywatch.probes.dead_letters.reader import DeadLetterReader
from keywatch.probes.dead_letters.series import DeadLetterSeries, QueueState

# Shares of the deadline for each step, which none has more of than is left of the whole.
_IDS, _ENDS, _STARTS, _LETTERS, _TIMES = 0.15, 0.25, 0.2, 0.25, 0.1
# Brokers learn one after the other that a topic is another one: they are asked for so long after anything changed.
_ASK_FOR = 3.0

Unread = Mapping[TopicPartition, tuple[Reason, str]]


class DlqTopicsProbe:
    """The topics of one dead-letter queue; what cannot be read keeps its last known depth and is counted."""

    name = "dlq"

    def __init__(
        self,
        cluster: str,
        dlq: str,
        topology: Topology,
        peers: Peers,
        letters: DeadLetterReader,
        schedule: Schedule,
        *,
        topics: Patterns,
        named: Sequence[str] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Watch the `topics`; those `named` in full are missing when they are not there."""
        self.cluster = cluster
        self.target = dlq
        self.schedule = schedule
        self._topology = topology
        self._peers = peers
        self._letters = letters
        self._patterns = topics
        self._named = tuple(named)
        self._chosen = ChosenTopics(
            topics, named, bounds.READ_TOPICS, bounds.READ_PARTITIONS, bound="one pattern of topics"
        )
        self._clock = clock
        self._series = DeadLetterSeries(cluster, dlq)
        self._ledger = DeadLetterLedger()
        self._ends = Watermarks(topology, peers, requests.END)
        self._starts = Watermarks(topology, peers, requests.START)
        self._seen: Mapping[str, Mapping[int, PartitionState]] | None = None
        self._topics: Mapping[str, Mapping[int, PartitionState]] = {}
        self._ids: dict[str, bytes | None] = {}
        self._ask_until = float("-inf")
        self._returned: set[str] = set()
        self._hidden: set[str] = set()
        self._wanted: dict[str, tuple[int, ...]] = {}

    async def run(self, timeout: float) -> Sequence[Sample]:
        """Look at the topics; raises `ProbeError` when a right is missing or nothing could be read."""
        deadline = Deadline(timeout)
        try:
            await self._topology.partitions(deadline.share(0.5).left)
        except ProbeError as error:
            state = QueueState(f"{error.reason}: {error.detail}", None, None, None, {})
            raise ProbeError(error.reason, error.detail, self._series.samples(state, {})) from None
        self._choose(await self._chosen.of(self._topology.existing))
        if self._returned or self._clock() < self._ask_until:
            await self._identify(deadline.share(_IDS).left)
        unread = await self._measure(deadline)
        readable = [partition for partition in self._partitions() if partition not in unread]
        await self._read(readable, deadline)
        return self._tell(unread)

    async def close(self) -> None:
        """Close the connections and let the reader go."""
        self._peers.close()
        self._letters.close()

    def _choose(self, existing: Topics) -> None:
        """Work out which partitions there are, when metadata changed."""
        self._hidden |= {topic for topic in self._topology.forbidden if topic in self._patterns}
        if existing is self._seen:
            return
        begun, self._seen = self._seen is not None, existing
        topics = dict(existing)
        if topics == self._topics and begun:
            return
        # What was there before it could be seen is not new.
        fresh = {topic: begun and (topic in self._topics or topic not in self._hidden) for topic in topics}
        partitions = {
            TopicPartition(topic, index): fresh[topic] for topic, states in topics.items() for index in states
        }
        self._returned = (self._returned & topics.keys()) | self._ledger.update(partitions)
        self._hidden -= topics.keys() - self._topology.forbidden
        self._topics = topics
        self._ask_until = self._clock() + _ASK_FOR
        self._want()

    def _want(self) -> None:
        """Name the partitions to be read: all but those of topics that have to be recognised first."""
        self._wanted = {topic: tuple(states) for topic, states in self._topics.items() if topic not in self._returned}

    def _partitions(self) -> list[TopicPartition]:
        return [TopicPartition(topic, index) for topic, indexes in self._wanted.items() for index in indexes]

    async def _identify(self, timeout: float) -> None:
        """Tell topics that were deleted and made again from those that are the same."""
        if not self._topics:
            return
        returned = set(self._returned)
        found = await ask_topic_ids(self._topology, self._peers, self._topics.keys(), timeout)
        for topic, number in found.items():
            before = self._ids.get(topic)
            # Where brokers cannot tell, a topic that was gone is taken for another.
            if (before != number and None not in (before, number)) or (number is None and topic in returned):
                self._ledger.renew(topic)
            self._ids[topic] = number
        self._returned -= found.keys()
        if self._returned != returned:
            self._want()

    async def _measure(self, deadline: Deadline) -> Unread:
        """Read where the partitions end and begin; returns those that could not be read, with why."""
        reading = await self._ends.fetch(self._wanted, deadline.share(_ENDS).left)
        unread = dict(reading.unread)
        now = self._clock()
        ends = _known(self._ends, self._partitions(), unread)
        shorter = self._ledger.take_ends(ends, now)
        if shorter:
            self._ask_until = now + _ASK_FOR
            await self._identify(deadline.share(_IDS).left)
            self._ledger.cut(self._ledger.take_ends({one: ends[one] for one in shorter}, now))
        # Only brokers that have just answered are asked again, so that a frozen one costs one deadline, not two.
        wanted: Wanted = self._wanted
        if unread:
            wanted = {topic: [i for i in indexes if (topic, i) not in unread] for topic, indexes in wanted.items()}
        reading = await self._starts.fetch(wanted, deadline.share(_STARTS).left)
        unread.update(reading.unread)
        self._ledger.take_starts(_known(self._starts, self._partitions(), unread))
        for partition in unread:
            if partition.topic in self._topology.forbidden:
                unread[partition] = (Reason.AUTHORIZATION, DESCRIBE_TOPICS.missing(partition.topic))
        return unread

    async def _read(self, readable: Collection[TopicPartition], deadline: Deadline) -> None:
        """Read new records, and the time of the oldest ones where it is not known."""
        wanted = self._ledger.wanted(readable, self._clock())
        if wanted:
            # A reader that hangs leaves records unread, which is told in good time.
            with contextlib.suppress(ProbeError):
                batch = await self._letters.fetch(wanted, deadline.share(_LETTERS).left)
                self._ledger.record(wanted, batch, self._clock())
        self._ledger.give_up(self._clock())
        untimed = self._ledger.untimed(readable, self._clock())
        if untimed:
            times = await read_first_times(self._topology, self._peers, untimed, deadline.share(_TIMES).left)
            self._ledger.take_times(times, self._clock())

    def _tell(self, unread: Unread) -> Sequence[Sample]:
        """Put the samples together; raises `ProbeError` where a right is missing or nothing could be read."""
        unreadable: Counter[str] = Counter(str(reason) for reason, _ in unread.values())
        forbidden = sorted(topic for topic in self._ledger.forbidden if topic in self._wanted)
        for topic in forbidden:
            count = sum((topic, index) not in unread for index in self._wanted[topic])
            unreadable[str(Reason.AUTHORIZATION)] += count
        failure = self._failure(unread, forbidden)
        trouble = f"{failure[0]}: {failure[1]}" if failure else self._missing()
        oldest, newest = self._ledger.span
        example = next((f"{partition.topic}/{partition.partition}" for partition in unread), "")
        state = QueueState(trouble, self._ledger.depth, oldest, newest, unreadable, example)
        samples = [*self._series.samples(state, self._take_added()), *self._chosen.samples(key_of(self))]
        if failure:
            raise ProbeError(*failure, samples)
        return samples

    def _failure(self, unread: Unread, forbidden: Sequence[str]) -> tuple[Reason, str] | None:
        """Name the right that is missing, or why not a single partition could be read."""
        described = [topic for topic in self._named if topic in self._topology.forbidden]
        described += [one.topic for one in unread if unread[one][0] is Reason.AUTHORIZATION]
        if described:
            return Reason.AUTHORIZATION, DESCRIBE_TOPICS.missing(described[0])
        if forbidden:
            return Reason.AUTHORIZATION, f"{READ_TOPICS.missing(forbidden[0])}: dead letters count without reason"
        partitions = self._partitions()
        if partitions and len(unread) == len(partitions):
            reason, detail = next(iter(unread.values()))
            return reason, f"no partition could be read, the first because {detail}"
        return None

    def _missing(self) -> str | None:
        """Say which topic is missing."""
        missing = [topic for topic in self._named if topic not in self._topics]
        if missing:
            return f"missing: topic {missing[0]} does not exist"
        return None if self._topics else "missing: no topic is there that matches"

    def _take_added(self) -> Counter[DeadLetterReason]:
        added, self._ledger.added = self._ledger.added, Counter()
        return added


def _known(marks: Watermarks, partitions: Collection[TopicPartition], unread: Unread) -> dict[TopicPartition, int]:
    """Return the offsets that were read just now."""
    found = {}
    for partition in partitions:
        offset = marks.get(partition)
        if offset is not None and partition not in unread:
            found[partition] = offset
    return found
