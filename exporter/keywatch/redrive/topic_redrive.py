"""Redrives one dead-letter topic: letters, notes of the ledger and the group's offsets in one transaction a batch."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import TopicPartition as Assignment

from keywatch.kafka.client import Clients
from keywatch.redrive.claim import Claim
from keywatch.redrive.decision import Action, Decide, Decision
from keywatch.redrive.errors import RedriveError
from keywatch.redrive.ledger import Entry, Ledger, LedgerState, chunk_entry, position_entry
from keywatch.redrive.letter import Letter
from keywatch.redrive.session import Outgoing, Rejections, Transaction
from keywatch.redrive.settled import Settled
from keywatch.redrive.tally import Tally
from keywatch.redrive.topic_letters import Batch, Bounds, TopicLetters
from keywatch.redrive.work import Surroundings, Work

_BATCH_SECONDS = 0.5
_BEFORE = Decision(Action.STAY)
"""The letter was settled by an earlier run."""


@dataclass(slots=True)
class _Partition:
    """How far one partition is: what is settled, and the first letter of this run that stays."""

    settled: Settled
    hole: int | None = None


@dataclass(slots=True)
class _Outcome:
    """What a batch comes to, once it is known what brokers refuse."""

    partitions: dict[int, _Partition]
    transaction: Transaction
    tally: Tally
    more: dict[str, Any] = field(default_factory=dict)


def positions(
    state: LedgerState, committed: Mapping[int, int], bounds: Mapping[int, Bounds], topic: str
) -> dict[int, Settled]:
    """Return what is settled of each partition, by ledger and group; raises `RedriveError` for a topic that was cut.

    Where both tell, and differ, somebody set the group's offset, and is obeyed: from there on nothing is settled.
    """
    found = {}
    for partition, span in bounds.items():
        noted, set_to = state.positions.get(partition), committed.get(partition)
        try:
            settled = Settled(span.start if noted is None else noted, state.chunks.get(partition))
        except ValueError as error:
            raise RedriveError(f"{topic}, partition {partition}: {error}; somebody else wrote into it") from error
        if set_to is not None and set_to != noted:
            settled.reset(set_to)
        if settled.upto > span.end:
            raise RedriveError(
                f"{topic}, partition {partition}: ends at {span.end}, and was put back up to {settled.upto}:"
                " it was cut, or made anew. Say where to begin: kafka-consumer-groups.sh --reset-offsets"
            )
        if settled.upto < span.start:
            settled.advance(span.start)
        found[partition] = settled
    return found


class TopicRedrive(Work):
    """One run over one topic; it ends where the topic ended when the run began."""

    def __init__(
        self,
        clients: Clients,
        ledger: Ledger,
        topic: str,
        claim: Claim,
        around: Surroundings,
        decide: Decide,
        learn: Callable[[Rejections], None] = lambda _: None,
    ) -> None:
        """Take who decides on letters, and who learns what brokers refuse; raises `RedriveError` without the topic."""
        super().__init__(clients, ledger, topic, topic, claim, around)
        self._topic = topic
        self._decide = decide
        self._learn = learn
        self.after: Callable[[Tally], None] = lambda _: None
        """What looks on after each batch."""
        self._letters = TopicLetters(clients, topic, around.limits.timeout, around.limits.patience)
        self.ends = {partition: span.end for partition, span in self._letters.bounds().items()}
        """Where each partition ended when the run was made: it goes no further."""
        self._topic_id = self._letters.topic_id()
        self._partitions: dict[int, _Partition] = {}

    @property
    def upto(self) -> dict[int, int]:
        """Up to where each partition is settled without a gap."""
        return {number: one.settled.upto for number, one in self._partitions.items()}

    def read_ledger(self) -> LedgerState:
        """Return what the ledger says of this topic."""
        return self.ledger.read(self.source, self._topic_id)

    def resume(self, state: LedgerState) -> None:
        """Begin where ledger and group say; the end stays the one of the run's beginning."""
        bounds = self._letters.bounds()
        settled = positions(state, self._letters.committed(list(bounds)), bounds, self._topic)
        self._partitions = {partition: _Partition(one) for partition, one in settled.items()}
        spans = {p: Bounds(settled[p].upto, end) for p, end in self.ends.items() if p in settled}
        self._letters.begin(spans)

    def step(self) -> bool:
        """Do one batch; returns False after the last."""
        limits = self.around.limits
        batch = self._letters.batch(self.around.pace.most(limits.records), limits.bytes, _BATCH_SECONDS)
        if batch is None:
            return False
        decisions, left = self._decisions(batch.letters)
        if left is not None:
            batch = Batch(batch.letters[: len(decisions)], {})
        outcome: _Outcome | None = None

        def build(rejections: Rejections) -> tuple[Transaction, Tally, dict[str, Any]] | None:
            nonlocal outcome
            outcome = self._outcome(batch, decisions, rejections)
            self._learn(rejections)
            if not outcome.transaction.entries and not outcome.transaction.records:
                return None
            return outcome.transaction, outcome.tally, outcome.more

        committed = self.commit(build)
        if outcome is not None:
            self._partitions |= outcome.partitions
            if not committed:
                self.tally.add(outcome.tally)
                self.around.told(self.tally)
            self.after(self.tally)
            if left is not None:
                self.tally.stopped = left
            else:
                self.around.pace.wait(outcome.tally.put + outcome.tally.parked, self.beat, self.around.stop)
        return True

    def waiting(self) -> int:
        """Return how many letters are not settled, about: a transaction's marks count too."""
        found = 0
        for number, one in self._partitions.items():
            found += max(0, self.ends.get(number, 0) - one.settled.upto - one.settled.beyond())
        return found

    def survey(self, look: Callable[[Letter, Decision], None], sample: int | None = None) -> Tally:
        """Decide on all letters, or about the first ones, and do nothing; raises `RedriveError`."""
        self.resume(self.read_ledger())
        limits, left = self.around.limits, sample
        while not self.around.stop() and not self.tally.stopped and (left is None or left > 0):
            batch = self._letters.batch(limits.records if left is None else left, limits.bytes, _BATCH_SECONDS)
            if batch is None:
                break
            decisions, stopped = self._decisions(batch.letters)
            for letter, decision in zip(batch.letters, decisions, strict=False):
                if decision is not _BEFORE:
                    look(letter, decision)
            left = None if left is None else left - len(decisions)
            outcome = self._outcome(Batch(batch.letters[: len(decisions)], {}), decisions, {})
            self.tally.add(outcome.tally)
            self.around.told(self.tally)
            self.tally.stopped = stopped or ""
        return self.tally

    def close(self) -> None:
        """Let the consumer go."""
        self._letters.close()

    def _decisions(self, letters: Sequence[Letter]) -> tuple[list[Decision], str | None]:
        """Decide on letters, up to the most that are allowed; returns with them why the rest is left."""
        most = self.around.limits.most
        room = None if most is None else most - self.tally.put - self.tally.parked
        decisions: list[Decision] = []
        for number, letter in enumerate(letters):
            if room is not None and room <= 0:
                return decisions, "as many as --max allows"
            settled = self._partitions[letter.place.partition].settled
            decision = _BEFORE if letter.place.offset in settled else self._decide(letter, number)
            if room is not None and decision.record is not None:
                room -= 1
            decisions.append(decision)
        return decisions, None

    def _outcome(self, batch: Batch, decisions: Sequence[Decision], rejections: Rejections) -> _Outcome:
        """Work out what the batch comes to when these letters are refused."""
        tally, records, digest = Tally(), list[Outgoing](), hashlib.sha256()
        scanned: dict[int, int] = {}
        holes = {number: one.hole for number, one in self._partitions.items()}
        beyond: dict[int, list[int]] = {}
        ranges: dict[int, list[int]] = {}
        for number, (letter, decision) in enumerate(zip(batch.letters, decisions, strict=True)):
            partition, offset = letter.place.partition, letter.place.offset
            scanned[partition] = offset + 1
            refused = rejections.get(number)
            record = decision.record if refused is None else None
            if record is not None:
                records.append(record)
                digest.update(_digest(letter))
                ranges.setdefault(partition, [offset, offset])[1] = offset
                _count(tally, decision.action, record, letter)
            if record is not None or decision is _BEFORE:
                tally.settled_before += decision is _BEFORE
                if holes[partition] is not None and record is not None:
                    beyond.setdefault(partition, []).append(offset)
                continue
            if holes[partition] is None:
                holes[partition] = offset
            refusal = refused[1] if refused is not None else decision.refusal
            if refusal is None:
                tally.not_meant += 1
            else:
                tally.refused[refusal] += 1
        scanned |= batch.finished
        partitions, noted, offsets = self._noted(scanned, holes, beyond)
        more = {"ranges": {str(p): span for p, span in sorted(ranges.items())}, "digest": digest.hexdigest()}
        group = self._letters.group_metadata() if offsets else None
        return _Outcome(partitions, Transaction(records, noted, offsets, group), tally, more)

    def _noted(
        self, scanned: Mapping[int, int], holes: Mapping[int, int | None], beyond: Mapping[int, Sequence[int]]
    ) -> tuple[dict[int, _Partition], list[Entry], list[Assignment]]:
        """Return how far the partitions are then, and the entries and offsets that say so."""
        partitions, noted, offsets = {}, list[Entry](), list[Assignment]()
        for number, reached in scanned.items():
            hole, done = holes[number], beyond.get(number, ())
            settled = copy.deepcopy(self._partitions[number].settled)
            before = settled.upto
            changed = settled.add(done)
            gone = settled.advance(reached if hole is None else hole)
            partitions[number] = _Partition(settled, hole)
            if settled.upto != before:
                noted.append(position_entry(self.source, self._topic_id, number, settled.upto))
                offsets.append(Assignment(self._topic, number, settled.upto))
            for chunk in sorted(changed - gone):
                noted.append(chunk_entry(self.source, self._topic_id, number, chunk, settled.packed(chunk)))
            gone |= settled.stale - changed
            settled.stale = set()
            noted += [chunk_entry(self.source, self._topic_id, number, chunk, None) for chunk in sorted(gone)]
        return partitions, noted, offsets


def _count(tally: Tally, action: Action, record: Outgoing, letter: Letter) -> None:
    if action is Action.PUT:
        tally.put += 1
    else:
        tally.parked += 1
    tally.destinations[record.topic] += 1
    tally.bytes += len(letter.raw.value or b"") + len(letter.raw.key or b"")


def _digest(letter: Letter) -> bytes:
    """Return the digest of one letter: its place, its key and its value as they lie there."""
    found = hashlib.sha256(str(letter.place).encode())
    for part in (letter.raw.key, letter.raw.value):
        found.update(b"\0" if part is None else b"\1%d\0" % len(part) + part)
    return found.digest()
