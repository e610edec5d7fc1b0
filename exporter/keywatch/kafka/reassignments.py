"""Which replicas is a partition only about to get? Asked for while any partition has fewer in sync than it names."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from keywatch.engine import supervised
from keywatch.engine.probe import Reason
from keywatch.engine.supervised import Part
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.errors import CLUSTER_AUTHORIZATION_FAILED, name_of, reason_of
from keywatch.kafka.peers import Peers, first
from keywatch.kafka.rights import DESCRIBE_CLUSTER
from keywatch.kafka.wire.reassignments import Adding, list_reassignments, reading_list_reassignments
from keywatch.kafka.wire.requests import PartitionState

_States = Mapping[str, Mapping[int, PartitionState]]
_NONE: Adding = {}
# Brokers log each refusal.
_ASKED_AGAIN_AFTER = 60


class Reassignments:
    """The replicas that reassignments under way are adding; a broker that does not say in time is heard later."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers
        self._asking: asyncio.Future[Adding | None] | None = None
        self._listed: Adding = _NONE
        self._before: Adding = _NONE
        self._whole: dict[str, object] = {}
        self._topics: _States = {}
        self._grown: dict[tuple[str, int], tuple[tuple[int, ...], frozenset[int]]] = {}
        self._forbidden = False
        self._rest = 0

    async def adding(self, topics: _States, labels: Sequence[str], timeout: float, patience: float) -> Adding:
        """Return what is being added to the partitions of `topics`, as metadata has just shown them.

        Asks the brokers of `labels` and waits `patience` seconds at most; they have `timeout` seconds.
        """
        self._watch(topics)
        if not self._lacking(topics):
            self._listed = self._before = _NONE
            return _NONE
        self._rest -= 1
        if self._asking is None and self._rest <= 0:
            self._asking = supervised.task(Part.QUESTION, self._ask(labels, timeout), "reassignments")
        if self._asking is not None and (await asyncio.wait({self._asking}, timeout=patience))[0]:
            asked, self._asking = self._asking, None
            if (listed := asked.result()) is not None:
                self._before, self._listed = self._listed, listed
            elif self._forbidden:
                self._rest = _ASKED_AGAIN_AFTER
        # One that has just ended may still be in metadata, which was read before, so that the last list counts too.
        found: dict[str, dict[int, frozenset[int]]] = {}
        for source in (self._before, self._listed):
            for topic, partitions in source.items():
                found.setdefault(topic, {}).update(partitions)
        if self._forbidden:
            for (topic, index), (_, added) in self._grown.items():
                found.setdefault(topic, {}).setdefault(index, added)
        return found

    def close(self) -> None:
        """Give up what is under way."""
        if self._asking is not None:
            self._asking.cancel()
        self._peers.close()

    def _lacking(self, topics: _States) -> bool:
        """Return whether any partition names more replicas than are in sync; what was whole is looked at once."""
        whole = self._whole
        self._whole = {topic: states for topic, states in topics.items() if whole.get(topic) is states}
        for topic, states in topics.items():
            if topic not in self._whole:
                if any(len(state.in_sync) < len(state.replicas) for state in states.values()):
                    return True
                self._whole[topic] = states
        return False

    def _watch(self, topics: _States) -> None:
        """Record which partitions got further replicas, until all are in sync: that needs no right to ask."""
        for topic, states in topics.items():
            before = self._topics.get(topic)
            if before is states:
                continue
            for index, state in states.items():
                key, former = (topic, index), before.get(index) if before else None
                known = self._grown.get(key)
                if known is not None and (known[0] != state.replicas or set(state.replicas) <= set(state.in_sync)):
                    del self._grown[key]
                elif former is not None and set(former.replicas) < set(state.replicas):
                    self._grown[key] = (state.replicas, frozenset(state.replicas) - frozenset(former.replicas))
        for key in [key for key in self._grown if key[0] not in topics]:
            del self._grown[key]
        self._topics = topics

    async def _ask(self, labels: Sequence[str], timeout: float) -> Adding | None:
        """Ask brokers side by side, of which with ZooKeeper only the controller knows; None when nobody tells."""
        answers, errors = await first([self._one(label, timeout) for label in labels], 0.0)
        self._forbidden = not answers and any(error.reason is Reason.AUTHORIZATION for error in errors)
        return answers[0] if answers else None

    async def _one(self, label: str, timeout: float) -> Adding:
        request = list_reassignments(int(timeout * 1000))
        error, found = await self._peers.ask_much(label, request, timeout, reading_list_reassignments)
        if error:
            words = DESCRIBE_CLUSTER.missing() if error == CLUSTER_AUTHORIZATION_FAILED else name_of(error)
            raise BrokerError(reason_of(error), words)
        return found
