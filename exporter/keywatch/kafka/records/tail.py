"""Reads partitions on a thread of its own, batch by batch, and hands over what was made of each on the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from queue import Empty, SimpleQueue
from typing import Generic, NamedTuple, TypeVar

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as Assignment

from keywatch.engine import supervised
from keywatch.engine.probe import ProbeError, Reason
from keywatch.engine.supervised import Part
from keywatch.kafka.client import Clients
from keywatch.kafka.errors import kafka_error
from keywatch.kafka.records.record import Moment, Record
from keywatch.kafka.wire.requests import TopicPartition

_T = TypeVar("_T")
# A batch ends with this many records, or after this time: what came is handed over at least ten times a second.
_BATCH = 1000
_BATCH_SECONDS = 0.1
# Batches that may wait for the event loop before the thread waits for it, so that nothing grows when it is slow.
_WAITING = 8
_VERSION_EVERY = 2.0
_REFUSED_AGAIN = 1.0
# A round takes a tenth of a second; one that took this long found the machine asleep or far too busy, and what had come
# meanwhile is read late for no fault of the listener.
_STANDSTILL = 2.0
_PARTITION_EOF = KafkaError._PARTITION_EOF  # noqa: SLF001 - librdkafka's own codes are named with an underscore
_OUT_OF_RANGE = KafkaError._AUTO_OFFSET_RESET  # noqa: SLF001
_TELLING = frozenset(
    {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_TOPIC,  # noqa: SLF001
        KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001
    }
)

Troubles = Mapping[str, tuple[Reason, str]]
"""Topic → what Kafka last said against reading it, while nothing could be read since."""
Make = Callable[[Sequence[Record], Moment, bool], _T]
"""What is made of a batch on the thread: records, when they were read, whether they were read when they came."""


class _Order(NamedTuple):
    """What the thread is to read: partitions from an offset on, and those no more."""

    places: Mapping[TopicPartition, int]
    dropped: Collection[TopicPartition]


class Handover(NamedTuple, Generic[_T]):
    """What one batch brought; `orders` counts the orders that the thread had carried out by then."""

    made: _T | None
    positions: Mapping[TopicPartition, int]
    lost: Collection[TopicPartition]
    troubles: Troubles
    orders: int


class Tail(Generic[_T]):
    """The tail of some partitions; the thread is a daemon, so that a dead cluster cannot hold up the end.

    No record is made something of twice, also when the client goes back after a leader's death.
    """

    def __init__(self, clients: Clients, name: str, make: Make[_T], taken: Callable[[_T], None]) -> None:
        self._taken = taken
        self._loop = asyncio.get_running_loop()
        self._orders: SimpleQueue[_Order] = SimpleQueue()
        self._issued = 0
        self._slots = threading.Semaphore(_WAITING)
        self._ended = threading.Event()
        self.positions: dict[TopicPartition, int] = {}
        """The next offset of each partition that is followed: what was before it was handed over."""
        self.lost: set[TopicPartition] = set()
        """Partitions that have no record at the offset where reading should go on: they wait for a new one."""
        self.troubles: Troubles = {}
        self.failure: BaseException | None = None
        """What ended the thread: a defect."""
        self.on_time = False
        """Whether records are read when they come; for whoever follows the ends to say."""
        self.moved = asyncio.Event()
        """Set whenever something was handed over."""
        work = partial(_Reader(clients, make).read, self)
        # That a client cannot be made, for what a file or the broker says, or because another cluster answers, is no
        # defect: `failure` tells it.
        failed = partial(self.call, self._fail)
        self._thread = supervised.thread(Part.TAIL, f"tail-{name}", work, failed, answers=(KafkaException, ProbeError))

    def subscribe(self, places: Mapping[TopicPartition, int], dropped: Collection[TopicPartition] = ()) -> None:
        """Read partitions from an offset on, also such as are followed already; leave the `dropped` ones."""
        if not places and not dropped:
            return
        for partition in dropped:
            self.positions.pop(partition, None)
        self.positions.update(places)
        self.lost -= {*places, *dropped}
        self._issued += 1
        self._orders.put(_Order(dict(places), tuple(dropped)))

    def end(self) -> None:
        """Tell the thread to end; does not wait for it."""
        self._ended.set()

    def _take(self, handed: Handover[_T]) -> None:
        """Take over a batch on the event loop."""
        self._slots.release()
        if handed.orders == self._issued:  # or else it speaks of places that are left already
            self.positions.update(handed.positions)
            self.lost |= set(handed.lost)
        self.troubles = handed.troubles
        self.moved.set()
        if handed.made is not None:
            self._taken(handed.made)

    def _fail(self, error: BaseException) -> None:
        self.failure = error
        self.moved.set()

    # What the reader on the thread sees of the tail.

    @property
    def ended(self) -> bool:
        """Whether the thread is to end."""
        return self._ended.is_set()

    def next_order(self) -> _Order | None:
        """Take the next order; None when there is none."""
        with contextlib.suppress(Empty):
            return self._orders.get_nowait()
        return None

    def hand_over(self, handed: Handover[_T]) -> None:
        """Hand a batch to the event loop, and wait when it has many to take already."""
        while not self._slots.acquire(timeout=_BATCH_SECONDS):
            if self.ended:
                return
        self.call(self._take, handed)

    def call(self, function: Callable[..., None], *arguments: object) -> None:
        """Have something called on the event loop."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know any more
            self._loop.call_soon_threadsafe(function, *arguments)


class _Reader(Generic[_T]):
    """The thread's side of a tail: the consumer, and where it stands."""

    def __init__(self, clients: Clients, make: Make[_T]) -> None:
        self._clients = clients
        self._make = make
        self._places: dict[TopicPartition, int] = {}
        self._troubles: dict[str, tuple[Reason, str]] = {}
        self._orders = 0

    def read(self, tail: Tail[_T]) -> None:
        version, checked = self._clients.version(), time.monotonic()
        consumer = self._clients.bulk()
        around = asked = checked
        while not tail.ended:
            ordered = self._obey(tail)
            before, around = around, time.monotonic()
            if around - before > _STANDSTILL:
                tail.on_time = False  # until whoever follows the ends says otherwise
            if around - checked > _VERSION_EVERY:
                checked = around
                if self._clients.version() != version:  # a certificate or a secret changed
                    version, consumer, ordered = self._clients.version(), self._clients.bulk(), True
            if around - asked > _REFUSED_AGAIN:
                asked = around
                self._ask_again(consumer)
            if ordered:
                consumer.assign([Assignment(p.topic, p.partition, offset) for p, offset in self._places.items()])
            messages = _consume(consumer)
            if messages or ordered:
                on_time = tail.on_time and len(messages) < _BATCH
                tail.hand_over(self._sort(messages, on_time, self._places if ordered else {}))

    def _obey(self, tail: Tail[_T]) -> bool:
        ordered = False
        while (order := tail.next_order()) is not None:
            for partition in order.dropped:
                self._places.pop(partition, None)
            self._places.update(order.places)
            self._orders += 1
            ordered = True
        if ordered:
            topics = {partition.topic for partition in self._places}
            self._troubles = {topic: trouble for topic, trouble in self._troubles.items() if topic in topics}
        return ordered

    def _ask_again(self, consumer: Consumer) -> None:
        """Have topics that were refused tell whether they still are.

        That it has come to a partition's end the client tells once: one that is read again, and to which nothing is
        written, would seem refused for ever.
        """
        for partition, offset in self._places.items():
            if partition.topic in self._troubles:
                with contextlib.suppress(
                    KafkaException
                ):  # it is not assigned any more; then it is not asked for either
                    consumer.seek(Assignment(partition.topic, partition.partition, offset))

    def _sort(self, messages: Sequence[Message], on_time: bool, places: Mapping[TopicPartition, int]) -> Handover[_T]:
        now = Moment(time.time(), time.monotonic())
        records: list[Record] = []
        positions = dict(places)
        lost: set[TopicPartition] = set()
        for message in messages:
            partition = TopicPartition(str(message.topic()), int(message.partition() or 0))
            here = self._places.get(partition)
            error, offset = message.error(), int(message.offset() or 0)
            if error is not None and error.code() not in (_PARTITION_EOF, _OUT_OF_RANGE):
                if error.code() in _TELLING:
                    self._troubles[partition.topic] = kafka_error(error)
                continue
            if here is None:
                continue
            if error is not None and error.code() == _OUT_OF_RANGE:
                lost.add(partition)
                continue
            self._troubles.pop(partition.topic, None)
            if error is None:
                if offset < here:
                    continue  # the client went back
                offset += 1
                kind, milliseconds = message.timestamp()
                written = None if kind == TIMESTAMP_NOT_AVAILABLE else milliseconds / 1000
                place = (partition.partition, offset - 1)
                records.append(Record(partition.topic, message.key(), message.value(), written, *place))
            positions[partition] = self._places[partition] = max(offset, here)
        made = self._make(records, now, on_time) if records else None
        return Handover(made, positions, lost, dict(self._troubles), self._orders)


def _consume(consumer: Consumer) -> list[Message]:
    try:
        return consumer.consume(_BATCH, _BATCH_SECONDS)
    except KafkaException:  # such as a fatal error of the client, which its messages do not tell
        time.sleep(_BATCH_SECONDS)
        return []
