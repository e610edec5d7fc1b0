"""A Kafka cluster of two brokers in memory that answers the raw requests about groups and offsets, byte for byte."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Container, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from keywatch.engine.probe import Reason
from keywatch.engine.slices import Pieces, in_slices
from keywatch.kafka.connection import MAX_REPLY_BYTES, BrokerError
from keywatch.kafka.records.search import Found, Position
from keywatch.kafka.wire import requests
from keywatch.kafka.wire.codec import Reader, Writer
from keywatch.kafka.wire.request import Request
from keywatch.kafka.wire.requests import TopicPartition

_T = TypeVar("_T")
BROKERS = ("1", "2")


@dataclass
class FakePeers:
    """Answers like brokers that hold these `ends`, `starts` (0 without) and `commits`.

    Brokers that are `down` do not answer; groups in `noted` commit with a note; `asked` are the groups that were asked
    for their commits; `reached` is for whoever commits. Groups in `members` have one, which subscribes to topics and is
    assigned partitions; `types` are the protocol types of others than consumers. Groups in `unlisted` nobody lists, and
    FindCoordinator answers with the error `no_coordinator`; groups in `refused` are listed, and their commits are
    answered with an error.
    """

    ends: dict[TopicPartition, int] = field(default_factory=dict)
    starts: dict[TopicPartition, int] = field(default_factory=dict)
    commits: dict[str, dict[TopicPartition, int]] = field(default_factory=dict)
    reached: dict[tuple[str, TopicPartition], int] = field(default_factory=dict)
    states: dict[str, str] = field(default_factory=dict)
    members: dict[str, tuple[Sequence[str], Sequence[TopicPartition]]] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    unlisted: set[str] = field(default_factory=set)
    no_coordinator: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    speaks: dict[int, int] = field(default_factory=dict)
    """Requests that are spoken in another version than those of Kafka 4."""
    noted: set[str] = field(default_factory=set)
    down: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    before_ends: Callable[[], None] | None = None
    interrupt: bool = False
    rests: list[float] = field(default_factory=list)
    slow_list: asyncio.Event | None = None
    """Lists of groups do not come before it is set."""
    max_reply: int = MAX_REPLY_BYTES
    after_reply: Callable[[], object] | None = None

    async def ask(self, label: str, request: Request, timeout: float, read: Callable[[Reader], _T]) -> _T:
        """Answer one request."""
        return read(self._reader(label, request, timeout))

    async def ask_much(
        self,
        label: str,
        request: Request,
        timeout: float,
        read: Callable[[Reader], Pieces[_T]],
        max_reply: int = MAX_REPLY_BYTES,
        rest: float = 0.0,
    ) -> _T:
        """Answer one request."""
        self.rests.append(rest)
        reader = self._reader(label, request, timeout, max_reply)
        if request.api == requests.LIST_GROUPS and self.slow_list is not None:
            try:
                async with asyncio.timeout(timeout):
                    await self.slow_list.wait()
            except TimeoutError:
                raise BrokerError(Reason.TIMEOUT_RESPONSE, f"broker {label} did not answer") from None
        pieces = read(reader)
        if self.interrupt:
            next(pieces)
            raise asyncio.CancelledError
        found = await in_slices(pieces)
        if self.after_reply is not None:
            self.after_reply()
            await asyncio.sleep(0)
        return found

    async def highest(self, label: str, api: int, timeout: float) -> int:
        """Speak what Kafka 4 speaks of the requests in use."""
        assert timeout > 0
        if label in self.down:
            raise BrokerError(Reason.TIMEOUT_CONNECT, f"broker {label} is away")
        spoken = {requests.LIST_GROUPS: 5, requests.OFFSET_FETCH: 8, requests.DESCRIBE_GROUPS: 4} | self.speaks
        return spoken.get(api, -1)

    async def release(self, label: str, timeout: float) -> str:
        """Return an old one."""
        assert label
        assert timeout > 0
        return "2.5"

    def close(self) -> None:
        """Nothing is held."""

    def _reader(self, label: str, request: Request, timeout: float, max_reply: int = MAX_REPLY_BYTES) -> Reader:
        assert timeout > 0
        if label in self.down:
            raise BrokerError(Reason.TIMEOUT_RESPONSE, f"broker {label} did not answer")
        data = self._answer(label, request)
        if len(data) > min(max_reply, self.max_reply):
            raise BrokerError(Reason.PROTOCOL, f"a reply of {len(data)} bytes is announced", len(data))
        return Reader(data, flexible=request.flexible)

    def _answer(self, label: str, request: Request) -> bytes:
        reader = Reader(request.body, flexible=request.flexible)
        if request.api == requests.LIST_GROUPS:
            return self._list(label, reader.array(reader.string))
        if request.api == requests.OFFSET_FETCH:
            return self._fetch(self._names(reader))
        if request.api == requests.LIST_OFFSETS:
            return self._offsets(reader)
        if request.api == requests.FIND_COORDINATOR:
            id_ = int(coordinator(reader.string()))
            return Writer().int32(0).int16(self.no_coordinator).string(None).int32(id_).string("one").int32(1).done()
        return self._describe(reader.array(reader.string))

    def _describe(self, names: Sequence[str]) -> bytes:
        body = Writer().int32(0)

        def member(group: str) -> None:
            subscribed, assigned = self.members[group]
            topics: dict[str, list[int]] = {}
            for one in assigned:
                topics.setdefault(one.topic, []).append(one.partition)
            words = Writer().int16(0)
            words.array(subscribed, words.string).int32(-1)
            given = Writer().int16(0)
            given.array(topics.items(), lambda item: given.string(item[0]).array(item[1], given.int32)).int32(-1)
            body.string("m").string(None).string("c").string("/h")
            for said in (words.done(), given.done()):
                body.int32(len(said)).raw(said)

        def group(name: str) -> None:
            body.int16(0).string(name).string(self._state(name)).string(self._type(name)).string("range")
            body.array([name] if name in self.members else [], member).int32(0)

        return body.array(names, group).done()

    def _state(self, name: str) -> str:
        return self.states.get(name, "Stable" if name in self.members else "Empty")

    def _type(self, name: str) -> str:
        return self.types.get(name, "consumer")

    def _list(self, label: str, states: Collection[str]) -> bytes:
        body = Writer(flexible=True).int32(0).int16(0)
        own = [name for name in self.commits if coordinator(name) == label and name not in self.unlisted]
        own = [name for name in own if not states or self._state(name) in states]
        body.array(
            own,
            lambda name: body.string(name).string(self._type(name)).string(self._state(name)).string("classic").tags(),
        )
        return body.tags().done()

    def _names(self, reader: Reader) -> list[str]:
        names = []
        for _ in range(reader.count()):
            names.append(reader.string())
            reader.count()
            reader.tags()
        self.asked += names
        return names

    def _fetch(self, names: Sequence[str]) -> bytes:
        body = Writer(flexible=True).int32(0)

        def partition(name: str, one: TopicPartition, offset: int) -> None:
            note = "by hand" if name in self.noted else ""
            body.int32(one.partition).int64(offset).int32(-1).string(note).int16(0).tags()

        def group(name: str) -> None:
            topics: dict[str, list[tuple[TopicPartition, int]]] = {}
            for one, offset in self.commits.get(name, {}).items():
                topics.setdefault(one.topic, []).append((one, offset))
            body.string(name)
            body.array(
                topics.items(),
                lambda item: body.string(item[0]).array(item[1], lambda one: partition(name, *one)).tags(),
            )
            body.int16(self.refused.get(name, 0)).tags()

        return body.array(names, group).tags().done()

    def _offsets(self, reader: Reader) -> bytes:
        if self.before_ends is not None:
            self.before_ends()
        reader.int32()
        reader.int8()
        body = Writer().int32(0)
        topics = []
        for _ in range(reader.count()):
            topic = reader.string()
            topics.append((topic, [(index, at) for index, _, at in reader.rows(requests._ASKED, reader.count())]))

        def partition(topic: str, index: int, at: int) -> None:
            end = self.ends.get(TopicPartition(topic, index))
            if at == requests.START and end is not None:
                end = self.starts.get(TopicPartition(topic, index), 0)
            body.int32(index).int16(0 if end is not None else 3).int64(-1).int64(-1 if end is None else end).int32(0)

        body.array(topics, lambda item: body.string(item[0]).array(item[1], lambda one: partition(item[0], *one)))
        return body.done()


def coordinator(group: str) -> str:
    """Name the broker that coordinates a group."""
    return BROKERS[len(group) % 2]


@dataclass
class FakeTimes:
    """Record times of which some are `written` down by offset, None where no record follows; no other can be read."""

    written: dict[int, float | None] = field(default_factory=dict)
    forbidden: frozenset[str] = frozenset()
    reads: int = 0
    received: int = 0
    forgotten: list[str] = field(default_factory=list)

    def at(self, position: Position) -> Found | None:
        """Return what is written down."""
        if position.offset not in self.written:
            return None
        return Found(position.offset, self.written[position.offset], settled=True)

    def before(self, position: Position) -> float | None:
        """Return nothing."""
        return None if position.offset >= 0 else 0.0

    async def find(self, positions: Sequence[Position], timeout: float) -> None:
        """Find nothing."""

    def grown(self, partition: TopicPartition) -> None:
        """Doubt nothing."""

    def doubt(self, topics: Container[str]) -> Collection[TopicPartition]:
        """Doubt nothing."""
        return [TopicPartition("nothing", 0)] if "nothing" in topics else []

    def drop(self, topic: str) -> None:
        """Record which topics were forgotten."""
        self.forgotten.append(topic)

    def retain(self, partitions: Container[TopicPartition]) -> None:
        """Drop nothing."""

    def close(self) -> None:
        """Nothing is held."""
