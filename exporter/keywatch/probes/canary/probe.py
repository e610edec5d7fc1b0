"""Can a record cross each broker? Produces with acks=all through each leader and reads it back, every period."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable, Sequence

from keywatch.engine.deadline import Deadline
from keywatch.engine.probe import ProbeError, Reason, Sample, Schedule
from keywatch.engine.verdict import Verdict
from keywatch.kafka.offsets import read_offsets
from keywatch.kafka.peers import Peers
from keywatch.kafka.rights import READ_TOPICS, WRITE_CANARY
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import requests
from keywatch.kafka.wire.requests import PartitionState, TopicPartition
from keywatch.metrics import canary as cat
from keywatch.probes.canary.ledger import CanaryLedger, CanaryRecord
from keywatch.probes.canary.link import CanaryLink
from keywatch.probes.canary.topic import CanaryTopic

_COMMON = (Reason.TIMEOUT_RESPONSE, Reason.NO_LEADER, Reason.REPLICA_DOWN)
_COUNTERS = (
    cat.CANARY_RECORDS_SENT_TOTAL,
    cat.CANARY_RECORDS_RECEIVED_TOTAL,
    cat.CANARY_RECORDS_LOST_TOTAL,
    cat.CANARY_RECORDS_DUPLICATED_TOTAL,
    cat.CANARY_RECORDS_REORDERED_TOTAL,
)
# After leadership moved the client may still send to the old leader for one refresh of its metadata.
_MOVING_FOR = 5.0
# A replica that answers again first fetches what it missed, before it holds what is sent now.
_CATCHES_UP_FOR = 5.0
# What says of keywatch that it has to wait, and nothing of records.
_KEPT_OUT = frozenset({Reason.THROTTLED, Reason.CONNECTION_LIMIT, Reason.EXHAUSTED})


class CanaryProbe:
    """One record a period through the leader of each of the canary topic's partitions."""

    name = "canary"
    target = ""

    def __init__(
        self,
        cluster: str,
        topology: Topology,
        peers: Peers,
        topic: CanaryTopic,
        schedule: Schedule,
        *,
        link: Callable[[], Peers],
        version: Callable[[], tuple[int, ...]] = tuple,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.cluster = cluster
        self.schedule = schedule
        self._topology = topology
        self._peers = peers
        self._topic = topic
        self._link_peers = link
        self._version_now = version
        self._clock = clock
        self._instance = uuid.uuid4().hex[:12]
        self._link: CanaryLink | None = None
        self._version: tuple[int, ...] = ()
        self._ledgers: dict[int, CanaryLedger] = {}
        self._leaders: dict[int, tuple[int, float]] = {}
        self._sequence = 0
        self._arrivals: list[CanaryRecord] = []
        self._verdicts: dict[str, Verdict] = {}
        self._settled = asyncio.Event()

    async def run(self, timeout: float) -> Sequence[Sample]:
        """Send through every leader that lives and judge what came back; raises `ProbeError` without topic or right."""
        deadline = Deadline(timeout)
        await self._topic.maintain(deadline.share(0.5).left)
        if not self._topic.partitions:
            raise ProbeError(Reason.UNKNOWN_TOPIC, f"the canary's topic {self._topic.name!r} is not there yet")
        await self._prepare(deadline.share(0.3).left)
        sent = self._send()
        await self._await(sent, deadline.left)
        samples = self._judge(sent)
        missing = [
            trouble[1] for entry in sent if (trouble := self._trouble(entry)) and trouble[0] is Reason.AUTHORIZATION
        ]
        if missing:
            raise ProbeError(Reason.AUTHORIZATION, missing[0], samples)
        return samples

    async def close(self) -> None:
        """Close the connections."""
        if self._link is not None:
            self._link.end()
        self._peers.close()

    async def _prepare(self, timeout: float) -> None:
        """Follow new partitions from their present end, pinned before anything is sent to them."""
        if self._link is None or self._version != self._version_now():
            self._renew_link()
        new = [
            TopicPartition(self._topic.name, index) for index in self._topic.partitions if index not in self._ledgers
        ]
        if not new:
            return
        ends = await read_offsets(self._topology, self._peers, new, requests.END, timeout)
        for partition, end in ends.found.items():
            self._ledgers[partition.partition] = CanaryLedger(partition.partition, position=end)
        if ends.found:
            self._follow()

    def _renew_link(self) -> None:
        """Connect, again when a certificate or a secret changed."""
        if self._link is not None:
            self._link.end()
        self._version = self._version_now()
        self._link = CanaryLink(
            self._link_peers,
            self._topic.name,
            self._instance,
            period=self.schedule.period,
            timeout=self.schedule.timeout,
            acknowledged=self._acknowledged,
            failed=self._failed,
            read=self._read,
        )
        self._follow()

    def _follow(self) -> None:
        if self._link is not None and self._ledgers:
            self._link.assign({index: ledger.position for index, ledger in self._ledgers.items()})

    def _send(self) -> list[CanaryRecord]:
        sent = []
        now = self._clock()
        records: dict[str, list[tuple[int, int]]] = {}
        for index, state in self._topic.partitions.items():
            ledger = self._ledgers.get(index)
            if self._leaders.get(index, (None, 0.0))[0] != state.leader:
                moved_at = now if index in self._leaders else float("-inf")
                self._leaders[index] = (state.leader, moved_at)
            if ledger is None or self._link is None or state.leader < 0 or not self._topology.lives(state.leader):
                continue
            if self._topology.refuses(state.leader):
                continue  # each connection would be another login that brokers refuse and log
            self._sequence += 1
            sent.append(ledger.sent(self._sequence, str(state.leader), now))
            records.setdefault(str(state.leader), []).append((index, self._sequence))
        if self._link is not None:
            self._link.follow({index: leader for leader, pairs in records.items() for index, _ in pairs})
            for leader, pairs in records.items():
                self._link.send(leader, pairs)
        return sent

    async def _await(self, sent: Sequence[CanaryRecord], timeout: float) -> None:
        """Wait until each record is read back or refused."""
        try:
            async with asyncio.timeout(timeout * 0.95):
                while not all(entry.settled for entry in sent):
                    self._settled.clear()
                    await self._settled.wait()
        except TimeoutError:
            return

    def _acknowledged(self, partition: int, sequence: int, offset: int) -> None:
        ledger = self._ledgers.get(partition)
        if ledger is not None and ledger.acknowledged(sequence, offset):
            self._follow()

    def _failed(self, partition: int, sequence: int, reason: Reason, detail: str) -> None:
        if (ledger := self._ledgers.get(partition)) is not None:
            ledger.failed(sequence, reason, detail)
        self._settled.set()

    def _read(self, partition: int, sequence: int | None, offset: int, now: float) -> None:
        ledger = self._ledgers.get(partition)
        entry = ledger.record_read(sequence, offset, now) if ledger else None
        if entry is not None:
            self._arrivals.append(entry)
            self._settled.set()

    def _judge(self, sent: Sequence[CanaryRecord]) -> list[Sample]:
        refusal = self._topic.refusal
        kept_note = f"{refusal.reason}: {refusal.detail}" if refusal else None
        samples = [Sample(cat.CANARY_TOPIC_KEPT, (self.cluster,), float(refusal is None), kept_note)]
        troubles: dict[str, list[tuple[Reason, str] | None]] = {}
        for entry in sent:
            samples.append(Sample(cat.CANARY_RECORDS_SENT_TOTAL, (self.cluster, entry.broker), 1.0))
            trouble = self._trouble(entry)
            if trouble is not None:
                labels = (self.cluster, entry.broker, trouble[0])
                samples.append(Sample(cat.CANARY_FAILURES_TOTAL, labels, 1.0))
                if self._clock() - self._leaders[entry.partition][1] < _MOVING_FOR or trouble[0] in _KEPT_OUT:
                    troubles.setdefault(entry.broker, [])  # no verdict, and the last one holds
                    continue
            troubles.setdefault(entry.broker, []).append(trouble)
        for state in self._topic.partitions.values():
            for home in {state.leader, *state.replicas[:1]}:
                if self._topology.known_down(home):
                    troubles[str(home)] = [self._topology.why_down(home)]
        samples += self._counts()
        for broker, found in sorted(troubles.items()):
            verdict = self._verdicts.setdefault(broker, Verdict())
            if (worst := next((one for one in found if one is not None), None)) is not None:
                verdict.failed(*worst)
            elif found:
                verdict.answered()
            whose = (self.cluster, broker)
            samples += verdict.samples(cat.CANARY_UP, cat.CANARY_DOWN_REASON, whose, bad="records do not cross")
        return samples

    def _trouble(self, entry: CanaryRecord) -> tuple[Reason, str] | None:
        """Name why a record did not come back; a dead replica explains a time-out, because acks=all waits for it."""
        if entry.received is not None:
            return None
        reason, detail = entry.failure or (Reason.TIMEOUT_RESPONSE, "no answer in time")
        state = self._topic.partitions.get(entry.partition)
        if reason in (Reason.TIMEOUT_RESPONSE, Reason.RESET, Reason.REFUSED) and state is not None:
            waits = self._waits_for(entry, state)
            if waits is not None:
                return waits
        if reason is Reason.AUTHORIZATION:
            return reason, WRITE_CANARY.missing(self._topic.name)
        if entry.failure is None and entry.offset is not None:
            trouble = self._link.read_trouble if self._link is not None else None
            if trouble is not None and trouble[0] is Reason.AUTHORIZATION:
                return Reason.AUTHORIZATION, READ_TOPICS.missing(self._topic.name)
            detail = "acknowledged, but not read back in time"
        if reason is Reason.TIMEOUT_RESPONSE and (rest := self._topology.throttle.lately(entry.broker)):
            return Reason.THROTTLED, f"Kafka throttles keywatch: broker {entry.broker} wants {rest:.1f} s of rest"
        return reason, detail

    def _waits_for(self, entry: CanaryRecord, state: PartitionState) -> tuple[Reason, str] | None:
        """Say for which replica a record waited, or that its leader's disk failed; None when nothing is known of it."""
        replicas = dict.fromkeys((*state.in_sync, *state.replicas))
        dead = [broker for broker in replicas if self._topology.doubted(broker)]
        if dead and str(dead[0]) != entry.broker:
            return Reason.REPLICA_DOWN, f"acks=all waits for broker {dead[0]}, which does not answer"
        within = self._clock() - entry.sent + _CATCHES_UP_FOR
        late = [broker for broker in replicas if self._topology.doubted(broker, within)]
        if late and str(late[0]) != entry.broker:
            return Reason.REPLICA_DOWN, f"acks=all waited for broker {late[0]}, which did not answer a moment ago"
        broken = [broker for broker in replicas if self._topology.lacks_disk(broker)]
        if entry.broker in map(str, broken):
            return Reason.STORAGE, f"a log directory of broker {entry.broker} has failed"
        if broken:
            return Reason.REPLICA_DOWN, f"acks=all waits for broker {broken[0]}, of which a log directory has failed"
        return None

    def _counts(self) -> list[Sample]:
        samples: list[Sample] = []
        for broker in {str(state.leader) for state in self._topic.partitions.values() if state.leader >= 0}:
            labels = (self.cluster, broker)
            samples.extend(Sample(metric, labels, 0.0) for metric in _COUNTERS)
            samples.extend(Sample(cat.CANARY_FAILURES_TOTAL, (*labels, reason), 0.0) for reason in _COMMON)
        arrivals, self._arrivals = self._arrivals, []
        last: dict[str, float] = {}
        for entry in arrivals:
            labels = (self.cluster, entry.broker)
            took = (entry.received or entry.sent) - entry.sent
            last[entry.broker] = took
            samples.append(Sample(cat.CANARY_RECORDS_RECEIVED_TOTAL, labels, 1.0))
            samples.append(Sample(cat.CANARY_ROUND_TRIP_SECONDS, labels, took))
        for broker, took in last.items():
            samples.append(Sample(cat.CANARY_LAST_ROUND_TRIP_SECONDS, (self.cluster, broker), took))
        for ledger in self._ledgers.values():
            leader = str(self._leaders.get(ledger.partition, (-1, 0.0))[0])
            duplicated, reordered = ledger.take_counts()
            labels = (self.cluster, leader)
            if duplicated:
                samples.append(Sample(cat.CANARY_RECORDS_DUPLICATED_TOTAL, labels, float(duplicated)))
            if reordered:
                samples.append(Sample(cat.CANARY_RECORDS_REORDERED_TOTAL, labels, float(reordered)))
            samples.extend(
                Sample(cat.CANARY_RECORDS_LOST_TOTAL, (self.cluster, entry.broker), 1.0) for entry in ledger.losses()
            )
        return samples
