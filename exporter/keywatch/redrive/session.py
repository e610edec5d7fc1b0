"""Transactions of one transactional id: all of a batch or nothing, whatever brokers and this process do meanwhile."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import TopicPartition as Assignment

from keywatch.kafka.client import Clients
from keywatch.kafka.rights import READ_REDRIVE_GROUP, WRITE_LEDGER, WRITE_TRANSACTIONS
from keywatch.redrive.errors import RedriveError, SessionLostError, inner, is_fenced, words_of
from keywatch.redrive.ledger import Entry
from keywatch.redrive.letter import Headers
from keywatch.redrive.refusal import Refusal, refusal_of

_TRY_SECONDS = 10.0
_ANY = -1
_PURGED: Final = frozenset(
    {KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT}  # noqa: SLF001 - librdkafka's own codes
)
_ID_AUTHORIZATION, _GROUP_AUTHORIZATION = 53, 30


class Outgoing(NamedTuple):
    """A record to be written; `timestamp` in milliseconds, 0 for now, `partition` -1 for the one of the key."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int = _ANY
    timestamp: int = 0
    letter: int = -1
    """Which letter of the batch it is, -1 for none."""


@dataclass(slots=True)
class Transaction:
    """What is committed together: records, entries of the ledger, offsets of the group."""

    records: Sequence[Outgoing] = ()
    entries: Sequence[Entry] = ()
    offsets: Sequence[Assignment] = ()
    group: Any = None
    """The group's metadata, where there are offsets."""


Rejections = Mapping[int, tuple[Outgoing, Refusal]]
"""What brokers take never, by the letter's number."""


@dataclass(slots=True)
class _Failures:
    rejected: dict[int, tuple[Outgoing, Refusal]] = field(default_factory=dict)
    other: KafkaError | None = None
    certain: bool = False
    """Whether the client itself refused them, and not a broker, which refuses all that travels with one."""

    def note(self, record: Outgoing, error: KafkaError | None, _: Any = None) -> None:
        if error is None or error.code() in _PURGED:
            return
        refusal = refusal_of(error.code())
        if refusal is None or record.letter < 0:
            self.other = self.other or error
        else:
            self.rejected[record.letter] = (record, refusal)

    def __bool__(self) -> bool:
        return bool(self.rejected) or self.other is not None


class _ForbiddenError(Exception):
    """Some topic of the transaction may not be written to."""


class Session:
    """Whoever opens a later one of the same id fences this one: its transaction is aborted, and it can do no more."""

    def __init__(self, clients: Clients, transactional_id: str, ledger: str, patience: float) -> None:
        """Take how many seconds are waited while brokers are away, and the ledger's topic."""
        self.id = transactional_id
        self._clients = clients
        self._ledger = ledger
        self._patience = patience
        self._producer: Producer | None = None
        self._alone = False

    def open(self, *, alone: bool = False) -> None:
        """Fence whoever works under this id, and end what it left open; raises `RedriveError`."""
        self._producer, self._alone = None, alone
        producer = self._clients.transactions(self.id, alone=alone)
        end = time.monotonic() + self._patience
        while True:
            try:
                producer.init_transactions(_TRY_SECONDS)
            except KafkaException as failure:
                error = inner(failure)
                if error.code() == _ID_AUTHORIZATION:
                    raise RedriveError(WRITE_TRANSACTIONS.missing(self.id)) from failure
                if not error.retriable() or time.monotonic() > end:
                    raise RedriveError(f"no transaction can be begun: {words_of(error)}") from failure
            else:
                break
        self._producer = producer

    def commit(self, build: Callable[[Rejections], Transaction | None]) -> Rejections:
        """Commit what `build` makes without the letters that brokers take never; returns these.

        Raises `SessionLostError` when the outcome is not known, and `RedriveError`.
        """
        rejected: dict[int, tuple[Outgoing, Refusal]] = {}
        careful = False
        if self._alone:
            self.open()
        while (transaction := build(rejected)) is not None:
            try:
                failures = self._attempt(transaction)
            except _ForbiddenError:
                rejected |= self._of_forbidden(transaction)
                continue
            if not failures:
                break
            if failures.other is not None:
                self._give_up(failures.other)
            # A broker refuses all that travels with a record that it refuses: each alone tells which one it was.
            if careful or failures.certain or len(transaction.records) == 1:
                rejected |= failures.rejected
            else:
                careful = True
                self.open(alone=True)
        return rejected

    def _attempt(self, transaction: Transaction) -> _Failures:
        """Try it once; what is returned was aborted."""
        producer, failures = self._producer, _Failures()
        if producer is None:
            raise SessionLostError("no session")
        try:
            producer.begin_transaction()
            self._produce(producer, transaction, failures)
            if not failures:
                self._finish(producer, transaction)
                return failures
        except KafkaException as failure:
            error = inner(failure)
            if error.code() == KafkaError.TOPIC_AUTHORIZATION_FAILED:
                raise _ForbiddenError from failure
            if not error.txn_requires_abort():
                self._lose(error)
            if not failures:
                producer.poll(0)
                if error.code() == _GROUP_AUTHORIZATION:
                    raise RedriveError(READ_REDRIVE_GROUP.missing(self.id)) from failure
                if not failures:
                    failures.other = error
        self._abort(producer)
        return failures

    def _of_forbidden(self, transaction: Transaction) -> dict[int, tuple[Outgoing, Refusal]]:
        """Return the letters whose topics may not be written to; raises `RedriveError` for any other topic.

        A transaction is refused as a whole, and nobody says for which topic, so each is tried with one record, which is
        aborted. librdkafka cannot abort a transaction that took nothing in, and gives the producer up.
        """
        entry = Outgoing(self._ledger, transaction.entries[0].key.encode(), transaction.entries[0].value, ())
        firsts = {record.topic: record for record in reversed((*transaction.records, entry))}
        forbidden = {topic for topic, record in firsts.items() if self._is_forbidden(record)}
        self.open()
        rejected: dict[int, tuple[Outgoing, Refusal]] = {}
        for record in transaction.records:
            if record.topic in forbidden:
                if record.letter < 0:
                    raise RedriveError(WRITE_LEDGER.missing(record.topic))
                rejected[record.letter] = (record, Refusal.AUTHORIZATION)
        if not rejected:
            raise RedriveError(WRITE_LEDGER.missing(self._ledger))
        return rejected

    def _is_forbidden(self, record: Outgoing) -> bool:
        self.open()
        producer, failures = self._producer, _Failures()
        if producer is None:
            raise SessionLostError("no session")
        try:
            producer.begin_transaction()
            self._put(producer, record, failures)
            producer.flush(_TRY_SECONDS)
            producer.abort_transaction(_TRY_SECONDS)
        except KafkaException:
            return True
        return False

    def _produce(self, producer: Producer, transaction: Transaction, failures: _Failures) -> None:
        entries = [Outgoing(self._ledger, entry.key.encode(), entry.value, ()) for entry in transaction.entries]
        for record in (*transaction.records, *entries):
            try:
                self._put(producer, record, failures)
            except KafkaException as failure:
                error = inner(failure)
                if refusal_of(error.code()) is None or record.letter < 0:
                    raise
                failures.note(record, error)
                failures.certain = True
        producer.poll(0)

    def _put(self, producer: Producer, record: Outgoing, failures: _Failures) -> None:
        end = time.monotonic() + self._patience
        while True:
            try:
                producer.produce(
                    record.topic,
                    record.value,
                    record.key,
                    record.partition,
                    on_delivery=partial(failures.note, record),
                    timestamp=record.timestamp,
                    headers=list(record.headers) or None,
                )
            except BufferError:
                if time.monotonic() > end:
                    raise SessionLostError("brokers take no records") from None
                producer.poll(0.05)
            else:
                return

    def _finish(self, producer: Producer, transaction: Transaction) -> None:
        if transaction.offsets:
            self._again(
                lambda: producer.send_offsets_to_transaction(list(transaction.offsets), transaction.group, _TRY_SECONDS)
            )
        self._again(lambda: producer.commit_transaction(_TRY_SECONDS))

    def _again(self, call: Callable[[], None]) -> None:
        """Call it until it succeeds, as long as what it says may pass; raises `KafkaException`."""
        end = time.monotonic() + self._patience
        while True:
            try:
                call()
            except KafkaException as failure:
                error = inner(failure)
                if error.txn_requires_abort() or not error.retriable():
                    raise
                if time.monotonic() > end:
                    self._lose(error)
            else:
                return

    def _abort(self, producer: Producer) -> None:
        try:
            self._again(lambda: producer.abort_transaction(_TRY_SECONDS))
        except KafkaException as failure:
            self._lose(inner(failure))

    def _give_up(self, error: KafkaError) -> None:
        if refusal_of(error.code()) is Refusal.AUTHORIZATION:
            raise RedriveError(WRITE_LEDGER.missing(self._ledger))
        if refusal_of(error.code()) is not None:
            raise RedriveError(f"the ledger {self._ledger} takes no entry: {words_of(error)}")
        self._lose(error)

    def _lose(self, error: KafkaError) -> None:
        self._producer = None
        raise SessionLostError(words_of(error), fenced=is_fenced(error))
