"""The series of unclean elections: how many were seen of each topic that allows them, and when the last one was."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

from keywatch.engine.probe import Sample
from keywatch.engine.slices import Pieces
from keywatch.kafka.topology import Topology
from keywatch.kafka.unclean_elections import Partitions, UncleanElection, UncleanElections
from keywatch.metrics import retention as cat

# As the alert KafkaUncleanElection.
_TOLD_FOR = 900.0
# Settings are read every ten seconds: who allows such elections to get a topic back has one at once.
_CONFIRMED_WITHIN = 30.0
_MOST_WAITING = 1000
_MOST_COUNTED = 10_000
_WORDS = "partition {} was led by broker {}, which was not in sync: records that it lacked are lost"


class UncleanSeries:
    """What was seen of one cluster's topics; each election is told once, however often the probe tells the rest."""

    def __init__(self, cluster: str, topology: Topology, clock: Callable[[], float] = time.time) -> None:
        self._cluster = cluster
        self._topology = topology
        self._clock = clock
        self._elections = UncleanElections()
        self._waiting: deque[tuple[float, UncleanElection]] = deque(maxlen=_MOST_WAITING)
        self._counted: set[str] = set()
        self._last: dict[str, tuple[float, str]] = {}

    def observe(self, topics: Mapping[str, Partitions]) -> Pieces[None]:
        """Compare topics with what they were."""
        topology, now = self._topology, self._clock()
        for topic, partitions in topics.items():
            found = yield from self._elections.observe(
                topic,
                topology.ids.get(topic),
                partitions,
                topology.min_in_sync.get(topic),
                eligible=topology.elects_eligible,
            )
            self._waiting.extend((now, one) for one in found)
            yield
        self._elections.retain(topics)
        self._last = {topic: last for topic, last in self._last.items() if topic in topics}

    def samples(self) -> Collection[Sample]:
        """Return what is to be told now: counters once, and of each topic when it last happened."""
        now, allowing = self._clock(), self._topology.unclean
        told = list(self._fresh(allowing))
        waiting, self._waiting = self._waiting, deque(maxlen=_MOST_WAITING)
        for at, one in waiting:
            if one.topic in allowing:
                self._last[one.topic] = at, _WORDS.format(one.partition, one.leader)
                if one.topic in self._counted:
                    told.append(Sample(cat.TOPIC_UNCLEAN_ELECTIONS_TOTAL, (self._cluster, one.topic), 1.0))
            elif now - at < _CONFIRMED_WITHIN:
                self._waiting.append((at, one))
        for topic, (at, words) in self._last.items():
            note = words if now - at < _TOLD_FOR else None
            told.append(Sample(cat.TOPIC_UNCLEAN_ELECTION_TIMESTAMP_SECONDS, (self._cluster, topic), at, note))
        return told

    def _fresh(self, allowing: Iterable[str]) -> Iterator[Sample]:
        """Return 0 for topics that allow it since lately, so that a first one is a rise."""
        for topic in allowing:
            if topic not in self._counted and len(self._counted) < _MOST_COUNTED:
                self._counted.add(topic)
                yield Sample(cat.TOPIC_UNCLEAN_ELECTIONS_TOTAL, (self._cluster, topic), 0.0)
