"""Which brokers answer clients although the controllers hear nothing of them, or do not count them in?"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from keywatch.engine.probe import Sample
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire.quorum import Quorum
from keywatch.metrics import quorum as cat

# A broker fetches the cluster's metadata twice a second; the controllers fence it after its session, 9 s by default.
_SILENT_AFTER = 2.0
# Somebody else must have been heard by now, or it is the leader that paused; and the broker itself, or it is frozen.
_OTHERS_WITHIN = 1.0
_ANSWERED_WITHIN = 1.2
# A broker that starts or stops in good order is fenced for a moment while its port is open.
_LACKED_AFTER = 3.0


class Fencing:
    """One cluster's brokers, as the quorum's leader hears them and as metadata lists them."""

    def __init__(self, cluster: str, topology: Topology, clock: Callable[[], float] = time.monotonic) -> None:
        self._cluster = cluster
        self._topology = topology
        self._clock = clock
        self._epoch = -1
        self._heard: dict[int, float] = {}
        self._answering: dict[int, float] = {}
        self._lacked: dict[int, float] = {}

    def samples(self, quorum: Quorum) -> Iterator[Sample]:
        """Judge each broker by what the leader says, and tell the topology whose word is old."""
        now = self._clock()
        leads = self._leads(quorum)
        fenced: list[str] = []
        brokers = [int(label) for label in self._topology.brokers if label.isascii() and label.isdigit()]
        # One that has just come back was neither heard nor counted in while it was away.
        self._answering = {broker: self._answering.get(broker, now) for broker in brokers if self._answers(str(broker))}
        self._lacked = {
            broker: self._lacked.get(broker, now) for broker in self._answering if self._topology.shut_out(str(broker))
        }
        for broker in brokers:
            words = self._why(broker, now, leads)
            if words is not None:
                fenced.append(str(broker))
            yield Sample(cat.BROKER_FENCED, (self._cluster, str(broker)), float(words is not None), words)
        self._topology.fence(fenced)

    def _answers(self, label: str) -> bool:
        return label in self._topology.up() and self._topology.answered_within(label, _ANSWERED_WITHIN)

    def _leads(self, quorum: Quorum) -> float | None:
        """Record when the leader heard of whom, and return its own time; None when somebody else leads, or it paused.

        Whoever is cut off for long is no longer in its list, so what was heard last in an epoch is kept.
        """
        if quorum.epoch != self._epoch:
            self._epoch, self._heard = quorum.epoch, {}
        leads: float | None = None
        # Of whoever is in no list and no broker either nothing is kept, or an answer could make it grow without end.
        self._heard = {one: at for one, at in self._heard.items() if str(one) in self._topology.brokers}
        for replica in (*quorum.voters, *quorum.observers):
            if replica.fetched is None:
                continue
            if replica.id == quorum.leader:
                leads = replica.fetched
            else:  # after a change of its disk a broker may be listed twice
                self._heard[replica.id] = max(replica.fetched, self._heard.get(replica.id, replica.fetched))
        others = max(self._heard.values(), default=0.0)
        return None if leads is None or leads - others > _OTHERS_WITHIN else leads

    def _why(self, broker: int, now: float, leads: float | None) -> str | None:
        answers = now - self._answering.get(broker, now)
        heard = self._heard.get(broker) if answers > _SILENT_AFTER else None
        if leads is not None and heard is not None and leads - heard > _SILENT_AFTER:
            return f"it answers, and the controllers have heard nothing of it for {leads - heard:.1f} s"
        since = self._lacked.get(broker)
        if since is not None and now - since > _LACKED_AFTER:
            lacks = f"the cluster's metadata has lacked it for {now - since:.0f} s"
            return f"it answers, and {lacks}: fenced or not registered"
        return None
