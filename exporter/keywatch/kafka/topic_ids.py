"""Asks for topics' ids: which were deleted and made anew under their old name, and which may not be described?"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping

from keywatch.engine.probe import Reason
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.errors import TOPIC_AUTHORIZATION_FAILED
from keywatch.kafka.peers import Peers, first
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire.topics import read_topic_ids, topic_ids

# A topic that is made anew within a second may look in metadata as if it had never been away.
_EVERY = 5.0
_ASKED_AT_ONCE = 2


class TopicIds:
    """The ids of some topics as brokers last told them; brokers before Kafka 2.8 cannot."""

    def __init__(self, topology: Topology, peers: Peers, clock: Callable[[], float] = time.monotonic) -> None:
        self._topology = topology
        self._peers = peers
        self._clock = clock
        self._asked: tuple[object, ...] = ()
        self._asked_at = float("-inf")
        self._turn = 0
        self._known: dict[str, bytes] = {}
        self._retired: set[bytes] = set()
        self.forbidden: frozenset[str] = frozenset()
        """Topics that may not be described."""
        self.certain = False
        """Whether the last question was answered, or cannot be asked of these brokers."""

    async def renew(self, topics: Collection[str], timeout: float) -> set[str]:
        """Ask again if anything may have changed, and give the topics that were made anew since they were last seen."""
        wanted, now = (self._topology.version, frozenset(topics)), self._clock()
        if self.certain and wanted == self._asked and now - self._asked_at < _EVERY:
            return set()
        self._asked, self._asked_at = wanted, now
        living = [broker.label for broker in self._topology.living()]
        self.certain = False
        if not living or not topics:
            self.certain = not topics
            return set()
        self._turn += 1
        label = living[self._turn % len(living)]
        try:
            answer = await self._peers.ask(label, topic_ids(sorted(topics)), timeout, read_topic_ids)
        except BrokerError as error:
            self.certain = error.reason is Reason.UNSUPPORTED
            return set()
        self.certain = True
        self.forbidden = frozenset(t for t, (error, _) in answer.items() if error == TOPIC_AUTHORIZATION_FAILED)
        return {topic for topic, (error, found) in answer.items() if not error and self._is_another(topic, found)}

    def _is_another(self, topic: str, found: bytes) -> bool:
        """Record a topic's id; a broker that has not heard of the new topic yet goes on telling the old id."""
        known = self._known.get(topic)
        if not found or found == known or found in self._retired:
            return False
        self._known[topic] = found
        if known is not None:
            self._retired.add(known)
        return known is not None


async def ask_topic_ids(
    topology: Topology, peers: Peers, topics: Collection[str], timeout: float
) -> Mapping[str, bytes | None]:
    """Ask two living brokers for the ids of topics within `timeout` seconds, and take the answer that came first.

    What is left out is not there, or nobody answered; None stands for what brokers are too old to know (before 2.8).
    """
    labels = [broker.label for broker in topology.living()][:_ASKED_AT_ONCE]
    request = topic_ids(sorted(topics))
    answers, errors = await first([peers.ask(label, request, timeout, read_topic_ids) for label in labels], 0.0)
    if answers:
        return {topic: found for topic, (error, found) in answers[0].items() if not error and found}
    return dict.fromkeys(topics) if any(error.reason is Reason.UNSUPPORTED for error in errors) else {}
