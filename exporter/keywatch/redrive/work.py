"""What redriving a topic and a folder have in common: lock, claim, session, ledger, audit trail, and how to resume."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from keywatch.kafka.client import REDRIVE_PREFIX, Clients
from keywatch.redrive.audit import AuditFile, event
from keywatch.redrive.claim import CANCELLED, ENDED, RUNNING, Claim, Lock, wait_for_silence
from keywatch.redrive.decision import Decision
from keywatch.redrive.errors import BusyError, RedriveError, SessionLostError
from keywatch.redrive.ledger import Ledger, LedgerState, audit_entry, claim_entry
from keywatch.redrive.letter import Letter
from keywatch.redrive.pace import Pace
from keywatch.redrive.session import Outgoing, Rejections, Session, Transaction
from keywatch.redrive.tally import Tally

_FENCED_SECONDS = 3.0


@dataclass(slots=True)
class Limits:
    """How much at once, how long, how much at all."""

    records: int = 3000
    """Records of one transaction at most."""
    bytes: int = 8 << 20
    """Bytes of one transaction, about."""
    most: int | None = None
    """Letters that are put back or parked at most."""
    patience: float = 120.0
    """Seconds without any success after which a run ends."""
    timeout: float = 10.0
    """Seconds for one answer of Kafka."""


@dataclass(slots=True)
class Surroundings:
    """What a run is given: where it keeps lock and trail, who is told, and what may end it."""

    state: Path
    audit: AuditFile
    audit_topic: str = ""
    limits: Limits = field(default_factory=Limits)
    pace: Pace = field(default_factory=Pace)
    stop: Callable[[], bool] = lambda: False
    told: Callable[[Tally], None] = lambda _: None


class Work(ABC):
    """One run over one source. A subclass says what a batch is; this one sees to it that it happens once."""

    def __init__(
        self, clients: Clients, ledger: Ledger, source: str, name: str, claim: Claim, around: Surroundings
    ) -> None:
        """Take the source as the ledger calls it, and a name of letters that Kafka's ids may have."""
        self.source = source
        self.tally = Tally()
        self.clients = clients
        self.ledger = ledger
        self.around = around
        self.session = Session(clients, f"{REDRIVE_PREFIX}{name}", ledger.topic, around.limits.patience)
        self._lock = Lock(around.state, self.session.id)
        self.claim = replace(claim, lock=self._lock.name)
        self._action = ""
        self._pending: tuple[dict[str, Any], Tally] | None = None
        self._success = time.monotonic()
        self._before = ""
        """The run before this one, whose claim stands in the ledger until this one's does."""

    @abstractmethod
    def read_ledger(self) -> LedgerState:
        """Return what the ledger says of this source."""

    @abstractmethod
    def resume(self, state: LedgerState) -> None:
        """Begin where the ledger says."""

    @abstractmethod
    def waiting(self) -> int:
        """Return about how many letters wait, after `survey`."""

    @abstractmethod
    def survey(self, look: Callable[[Letter, Decision], None], sample: int | None = None) -> Tally:
        """Decide on all letters, or about the first ones, and do nothing."""

    @abstractmethod
    def close(self) -> None:
        """Let go what is held."""

    @abstractmethod
    def step(self) -> bool:
        """Do one batch; returns False when there is none left. May raise `SessionLostError`."""

    def finish(self) -> None:  # noqa: B027 - most have nothing to do
        """Do what is left to be done after the last batch."""

    def run(self, action: str) -> Tally:
        """Do all batches; raises `RedriveError`. What was committed stays so, and the next run goes on from there."""
        self._action = action
        self.around.audit.check()
        self._lock.take(self.claim)
        try:
            found = self.read_ledger().claim
            self._before = found.run if found is not None else ""
            wait_for_silence(found, lambda: self.read_ledger().claim, self._lock.name)
            try:
                self._open(first=True)
            except SessionLostError as lost:
                self._reopen(lost)
            while not self._over():
                try:
                    if not self.step():
                        break
                except SessionLostError as lost:
                    self._reopen(lost)
            self._end()
        finally:
            self._lock.release()
        return self.tally

    def commit(self, build: Callable[[Rejections], tuple[Transaction, Tally, dict[str, Any]] | None]) -> bool:
        """Commit a batch with claim and audit event; returns whether there was anything to commit.

        `build` returns the transaction, what it does and what the trail says of it, or None when nothing is left.
        """
        claim = self.claim.next()
        made: tuple[Transaction, Tally, dict[str, Any]] | None = None

        def whole(rejections: Rejections) -> Transaction | None:
            nonlocal made
            made = build(rejections)
            if made is None:
                self._pending = None
                return None
            transaction, tally, more = made
            told = event(self._action, self.source, claim, tally, **more)
            self._pending = (told, tally)
            return Transaction(
                [*transaction.records, *self._trail(told)],
                [*transaction.entries, claim_entry(self.source, claim), audit_entry(self.source, told)],
                transaction.offsets,
                transaction.group,
            )

        self.session.commit(whole)
        self._success = time.monotonic()
        if made is None:
            return False
        self.claim = claim
        self._done()
        return True

    def beat(self) -> None:
        """Let others know that the run goes on."""
        claim = self.claim.next()
        self.session.commit(lambda _: Transaction(entries=[claim_entry(self.source, claim)]))
        self.claim = claim

    def _trail(self, told: dict[str, Any]) -> list[Outgoing]:
        topic = self.around.audit_topic
        if not topic:
            return []
        entry = audit_entry(self.source, told)
        return [Outgoing(topic, self.source.encode(), entry.value, ())]

    def _done(self) -> None:
        """Count and tell of the batch that was committed."""
        if self._pending is None:
            return
        told, tally = self._pending
        self._pending = None
        self.tally.add(tally)
        self.tally.batches += 1
        self.around.audit.write(told)
        self.around.told(self.tally)

    def _over(self) -> bool:
        if self.tally.stopped:
            return True
        if self.around.stop():
            self.tally.stopped = "cancelled"
        return bool(self.tally.stopped)

    def _open(self, *, first: bool = False) -> None:
        self.session.open()
        state = self.read_ledger()
        if not first and state.claim is not None and state.claim.run not in {self.claim.run, self._before}:
            raise BusyError(f"taken over by {state.claim}; what this run committed stays")
        # The claim of a run that was killed says so still; one that ended has written its trail.
        if state.audit is not None and state.claim is not None and state.claim.state == RUNNING:
            self._recover(state.audit)
        self.resume(state)
        self.beat()

    def _recover(self, told: dict[str, Any]) -> None:
        """Write the trail's last line where the command died before it did, and count a batch that went through."""
        if self._pending is not None and told.get("event") == self._pending[0]["event"]:
            self.claim = self.claim.next()
            self._done()
            return
        self._pending = None
        if not self.around.audit.holds(told):
            self.around.audit.write(told | {"tags": ["recovered"]})

    def _reopen(self, lost: SessionLostError) -> None:
        if time.monotonic() - self._success > self.around.limits.patience:
            raise RedriveError(f"given up after {self.around.limits.patience:g} s without success: {lost}") from lost
        if lost.fenced:
            # A broker fences a transaction that took too long, too: who it was, the claim in the ledger tells.
            time.sleep(_FENCED_SECONDS)
        found = self.read_ledger().claim
        if found is not None and found.run not in {self.claim.run, self._before}:
            raise BusyError(f"taken over by {found}; what this run committed stays") from lost
        try:
            self._open()
        except SessionLostError as again:
            time.sleep(min(1.0, self.around.limits.patience / 10))
            self._reopen(again)

    def _end(self) -> None:
        state = CANCELLED if self.tally.stopped == "cancelled" else ENDED
        for _ in range(3):
            claim = self.claim.next(state)
            try:
                self.finish()
                self.session.commit(lambda _: Transaction(entries=[claim_entry(self.source, claim)]))  # noqa: B023
            except SessionLostError as lost:
                self._reopen(lost)
            else:
                return
