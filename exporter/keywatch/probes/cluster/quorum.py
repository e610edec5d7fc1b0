"""Do the controllers have a majority and a leader? Living brokers are asked, who hand the question on to the leader.

Without a leader a broker does not say so, it does not answer, as in an election, which may take it four seconds.
Controllers that are named in the configuration tell the two apart at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Iterator, Sequence

from keywatch.engine import supervised
from keywatch.engine.deadline import Deadline
from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.engine.supervised import Part
from keywatch.engine.unknowable import Unknowable
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.controllers import Asked, Controllers
from keywatch.kafka.errors import name_of, reason_of
from keywatch.kafka.peers import Peers
from keywatch.kafka.rights import DESCRIBE_CLUSTER
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire.features import ask_features, read_features
from keywatch.kafka.wire.quorum import Quorum, QuorumReplica, describe_quorum, read_describe_quorum
from keywatch.metrics import quorum as cat
from keywatch.probes.cluster.fencing import Fencing

# A second broker is asked beside one that has not answered for so long.
_BESIDE_AFTER = 0.8
_MOST_ASKED = 3
# Named controllers are asked when brokers have been silent for so long, and again each time after so long.
_CONTROLLERS_AFTER, _CONTROLLERS_EVERY = 0.8, 0.2
# What they say counts when they say it so many times in a row.
_TWICE = 2
# A follower fetches twice a second; one that has not for so long is dead, or does not reach the leader.
_SILENT_AFTER = 2.0
# The leader gives up after three seconds without a majority; all of its followers at once do not pause for so long.
_ALONE_AFTER = 1.5
# A leader that was elected a moment ago has not heard of everybody yet, on a busy machine for longer.
_NEW_FOR = 3.0
_FEATURES_EVERY, _FEATURES_AGAIN, _FEATURES_WITHIN = 30.0, 5.0, 1.0
_SILENCE = frozenset({Reason.TIMEOUT_RESPONSE})
_ELIGIBLE_LEADERS = "eligible.leader.replicas.version"
_UNKNOWABLE = frozenset({Reason.UNSUPPORTED, Reason.AUTHORIZATION})


class QuorumProbe:
    """One cluster's controllers, as its brokers reach them."""

    name = "quorum"
    target = ""

    def __init__(
        self,
        cluster: str,
        topology: Topology,
        peers: Peers,
        schedule: Schedule,
        *,
        controllers: Controllers,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cluster = cluster
        self.schedule = schedule
        self._topology = topology
        self._peers = peers
        self._controllers = controllers
        self._lonely = 0
        self._turn = 0
        self._slow: set[str] = set()
        self._epoch: int | None = None
        self._elected_at = float("-inf")
        self._clock = clock
        self._fencing = Fencing(cluster, topology)
        self._features_due = float("-inf")
        self._levels: dict[tuple[str], float] = {}
        self._unknown: set[Reason] = set()
        self._unknowable = Unknowable("who leads the controllers")

    async def run(self, timeout: float) -> Collection[Sample]:
        """Ask for the quorum; raises `ProbeError` when no broker is left to ask.

        Where it cannot be known, with ZooKeeper or without the right, that is told and nobody is blamed.
        """
        deadline = Deadline(timeout * 0.97)
        answer = await self._first(deadline)
        if isinstance(answer, str):
            return [Sample(cat.QUORUM_UP, (self.cluster,), 0.0, answer), *self._unknown_reason(None)]
        if isinstance(answer, Quorum):
            await self._read_features(deadline)
            self._unknowable.over()
            levels = [Sample(cat.CLUSTER_FEATURE_LEVEL, (self.cluster, *one), at) for one, at in self._levels.items()]
            return [*self._told(answer), *levels, *self._unknown_reason(None)]
        if answer.reason in _UNKNOWABLE:
            self._unknowable.say(self, answer.reason, answer.detail)
            return self._unknown_reason(answer.reason)
        if answer.reason not in _SILENCE:
            raise ProbeError(answer.reason, answer.detail)
        words = f"no leader: brokers that answer get no word from a controller in {timeout:.3g} s; {answer.detail}"
        return [Sample(cat.QUORUM_UP, (self.cluster,), 0.0, words), *self._unknown_reason(None)]

    async def close(self) -> None:
        """Close the connections."""
        self._peers.close()
        self._controllers.close()

    async def _first(self, deadline: Deadline) -> Quorum | BrokerError | str:
        """Return what brokers get from the leader, or in words why there is none, whichever comes first."""
        brokers = supervised.task(Part.QUESTION, self._ask(deadline), "quorum")
        if not len(self._controllers):
            return await brokers
        controllers = supervised.task(Part.QUESTION, self._ask_controllers(deadline), "controllers")
        try:
            done, _ = await asyncio.wait({brokers, controllers}, return_when=asyncio.FIRST_COMPLETED)
            if brokers not in done and (words := controllers.result()) is not None:
                return words
            return await brokers
        finally:
            for one in (brokers, controllers):
                one.cancel()

    async def _ask_controllers(self, deadline: Deadline) -> str | None:
        """Say in words why brokers get no answer, when it is no election; None when time is over."""
        await asyncio.sleep(min(_CONTROLLERS_AFTER, deadline.left))
        before, times = "", 0
        while not deadline.over:
            asked = await self._controllers.ask(min(_CONTROLLERS_AFTER, max(deadline.left, 0.001)))
            words = _verdict(asked, self._epoch)
            times = times + 1 if words.partition(":")[0] == before else 1
            if words and times >= _TWICE:
                return words
            before = words.partition(":")[0]
            await asyncio.sleep(min(_CONTROLLERS_EVERY, deadline.left))
        return None

    async def _ask(self, deadline: Deadline) -> Quorum | BrokerError:
        """Ask a living broker, and others beside it while none answers; returns what tells most."""
        living = self._living()
        if not living:
            return BrokerError(Reason.REFUSED, "no broker answers")
        self._turn += 1
        turn = [living[(self._turn + step) % len(living)] for step in range(len(living))]
        # Whoever another one had to be asked beside comes last from then on, until it answers.
        order = sorted(turn, key=lambda label: self._topology.is_fenced(label) or label in self._slow)[:_MOST_ASKED]
        asked: dict[asyncio.Task[Quorum], str] = {}
        silent: list[str] = []
        failure: BrokerError | None = None
        try:
            while (order or asked) and not deadline.over:
                if order:
                    question = self._one(order[0], deadline.left)
                    asked[supervised.task(Part.QUESTION, question, "quorum", answers=(BrokerError,))] = order.pop(0)
                patience = min(_BESIDE_AFTER, deadline.left) if order else deadline.left
                done, _ = await asyncio.wait(asked, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                for one in done:
                    label = asked.pop(one)
                    try:
                        answer = one.result()
                    except BrokerError as error:
                        failure = error
                        silent += [label] if error.reason in _SILENCE else []
                    else:
                        self._slow = {*self._slow, *asked.values()} - {label}
                        return answer
        finally:
            for one in asked:
                one.cancel()
        # A broker that is down by now, dead or frozen, says nothing of the controllers; one that lives does by silence.
        silent = [label for label in (*silent, *asked.values()) if label in self._living()]
        if silent:
            return BrokerError(Reason.TIMEOUT_RESPONSE, f"asked in vain: {', '.join(silent)}")
        if failure is None or failure.reason in _SILENCE:
            return BrokerError(Reason.REFUSED, "the brokers that were asked are down by now")
        return failure

    def _living(self) -> list[str]:
        return [broker.label for broker in self._topology.living()]

    async def _read_features(self, deadline: Deadline) -> None:
        """Read now and then which levels of features are finalized; what is not answered soon is asked later."""
        living = self._living()
        if not living or self._clock() < self._features_due:
            return
        self._features_due = self._clock() + _FEATURES_AGAIN
        timeout = min(_FEATURES_WITHIN, deadline.left)
        with contextlib.suppress(BrokerError):
            levels = await self._peers.ask(living[0], ask_features(), timeout, read_features)
            self._topology.elects_eligible = levels.get(_ELIGIBLE_LEADERS, 0) > 0
            self._levels = {(feature,): float(level) for feature, level in levels.items()}
            self._features_due = self._clock() + _FEATURES_EVERY

    async def _one(self, label: str, timeout: float) -> Quorum:
        found = await self._peers.ask(label, describe_quorum(), timeout, read_describe_quorum)
        if found.error:
            reason = reason_of(found.error)
            words = DESCRIBE_CLUSTER.missing() if reason is Reason.AUTHORIZATION else name_of(found.error)
            raise BrokerError(reason, words)
        return found

    def _told(self, quorum: Quorum) -> Iterator[Sample]:
        leader = next((one for one in quorum.voters if one.id == quorum.leader), None)
        note = self._why_lost(quorum, leader)
        yield Sample(cat.QUORUM_UP, (self.cluster,), float(note is None), note)
        yield Sample(cat.QUORUM_EPOCH, (self.cluster,), float(quorum.epoch))
        before, self._epoch = self._epoch, quorum.epoch
        if before not in (None, quorum.epoch):
            self._elected_at = self._clock()
        rise = max(quorum.epoch - before, 0) if before is not None else 0
        yield Sample(cat.QUORUM_ELECTIONS_TOTAL, (self.cluster,), float(rise))
        if leader is None:
            return
        for voter in quorum.voters:
            labels = (self.cluster, str(voter.id))
            up = voter is leader or self._leads_newly() or _lag_seconds(leader, voter) <= _SILENT_AFTER
            words = None if up else f"controller {voter.id} does not follow the leader, controller {leader.id}"
            yield Sample(cat.CONTROLLER_UP, labels, float(up), words)
            yield Sample(cat.CONTROLLER_LEADS, labels, float(voter is leader))
            if (lag := _lag_records(leader, voter)) is not None:
                yield Sample(cat.CONTROLLER_LAG_RECORDS, labels, float(lag))
        yield from self._fencing.samples(quorum)
        for observer in quorum.observers:
            labels = (self.cluster, str(observer.id))
            if (lag := _lag_records(leader, observer)) is not None:
                yield Sample(cat.BROKER_METADATA_LAG_RECORDS, labels, float(lag))
            if observer.fetched is not None and leader.fetched is not None:
                yield Sample(cat.BROKER_METADATA_LAG_SECONDS, labels, _lag_seconds(leader, observer))

    def _why_lost(self, quorum: Quorum, leader: QuorumReplica | None) -> str | None:
        """Say why the quorum is lost although somebody answers: a leader without followers gives up after a while."""
        if leader is None:
            return "no leader: the controllers elect none"
        following = sum(_lag_seconds(leader, voter) <= _ALONE_AFTER for voter in quorum.voters)
        followed = 2 * following > len(quorum.voters) or self._leads_newly()
        self._lonely = 0 if followed else self._lonely + 1
        if self._lonely < _TWICE:
            return None
        return f"no majority: {following} of {len(quorum.voters)} controllers follow the leader, controller {leader.id}"

    def _leads_newly(self) -> bool:
        """Return whether the leader was elected so lately that some may not have fetched from it yet."""
        return self._clock() - self._elected_at < _NEW_FOR

    def _unknown_reason(self, reason: Reason | None) -> list[Sample]:
        if reason is not None:
            self._unknown.add(reason)
        return [Sample(cat.QUORUM_UNKNOWN_REASON, (self.cluster, one), float(one is reason)) for one in self._unknown]


def _verdict(asked: Sequence[Asked], epoch: int | None) -> str:
    """Say in words why brokers get no answer; empty when it may be an election.

    After one, brokers take up to two seconds to find the new leader: only that of the `epoch` which they told last, and
    whom they do not reach any more, is cut off from them.
    """
    silent = [one for one in asked if not one.answers]
    if 2 * (len(asked) - len(silent)) <= len(asked):
        reasons = "; ".join(str(one.answer) for one in silent[:_MOST_ASKED])
        return f"no majority: {len(silent)} of {len(asked)} controllers do not answer: {reasons}"
    if any(one.leads and one.epoch == epoch for one in asked):
        return "no way: the controllers have a leader, and brokers get no word from it"
    return ""


def _lag_seconds(leader: QuorumReplica, other: QuorumReplica) -> float:
    """Return since when the other has not fetched; the leader's own time is its clock. Never: infinity."""
    if leader.fetched is None:
        return 0.0
    return float("inf") if other.fetched is None else max(leader.fetched - other.fetched, 0.0)


def _lag_records(leader: QuorumReplica, other: QuorumReplica) -> int | None:
    if leader.end_offset is None or other.end_offset is None:
        return None
    return max(leader.end_offset - other.end_offset, 0)
