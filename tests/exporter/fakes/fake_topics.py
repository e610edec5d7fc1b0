"""Topics in memory, each partition led by broker 1, that answer the raw requests about offsets and topics' ids."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from keywatch.engine.probe import Reason
from keywatch.engine.slices import Pieces, in_slices
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.errors import UNKNOWN_TOPIC_OR_PARTITION
from keywatch.kafka.wire import requests
from keywatch.kafka.wire.codec import Reader, Writer
from keywatch.kafka.wire.request import Request
from keywatch.kafka.wire.requests import TopicPartition

_T = TypeVar("_T")


@dataclass
class FakeTopicPeers:
    """Answers like a broker with these partitions (start, end); `ids` of None: a broker from before ids."""

    partitions: dict[TopicPartition, tuple[int, int]] = field(default_factory=dict)
    ids: dict[str, bytes] | None = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)
    away: bool = False
    silent: bool = False
    """Whether it answers nothing but what topics' ids are."""
    cut_short: bool = False
    """Whether whoever asks for offsets is cancelled meanwhile."""
    asked: list[int] = field(default_factory=list)

    async def ask(self, label: str, request: Request, timeout: float, read: Callable[[Reader], _T]) -> _T:
        """Answer one request."""
        assert timeout > 0
        self.asked.append(request.api)
        if self.away or (self.silent and request.api != requests.METADATA):
            raise BrokerError(Reason.TIMEOUT_RESPONSE, f"broker {label} did not answer")
        if request.api == requests.METADATA and self.ids is None:
            raise BrokerError(Reason.UNSUPPORTED, f"broker {label} is too old")
        if self.cut_short and request.api != requests.METADATA:
            raise asyncio.CancelledError
        reader = Reader(request.body, flexible=request.flexible)
        answer = self._ids(reader) if request.api == requests.METADATA else self._offsets(reader)
        return read(Reader(answer, flexible=request.flexible))

    async def ask_much(self, label: str, request: Request, timeout: float, read: Callable[[Reader], Pieces[_T]]) -> _T:
        """Answer one request."""
        return await in_slices(await self.ask(label, request, timeout, read))

    def close(self) -> None:
        """Nothing is held."""

    def _ids(self, reader: Reader) -> bytes:
        topics = []
        for _ in range(reader.count()):
            assert reader.raw(16) == bytes(16)
            topics.append(reader.string())
            reader.tags()
        assert (reader.boolean(), reader.boolean(), reader.boolean()) == (False, False, False)
        body = Writer(flexible=True).int32(0)
        body.array(["k1"], lambda host: body.int32(1).string(host).int32(9092).string(None).tags())
        body.string("cluster").int32(1)

        def topic(name: str) -> None:
            found = (self.ids or {}).get(name)
            error = self.errors.get(name, 0 if found is not None else UNKNOWN_TOPIC_OR_PARTITION)
            body.int16(error).string(name).raw(found or bytes(16)).boolean(False)
            replicas = (1, 2)
            body.array(
                [0, 1] if found else [],
                lambda index: (
                    body.int16(0).int32(index).int32(1).int32(0)
                    .array(replicas, body.int32).array(replicas, body.int32).array((), body.int32).tags()
                ),
            )  # fmt: skip
            body.int32(0).tags()

        return body.array(topics, topic).int32(0).tags().done()

    def _offsets(self, reader: Reader) -> bytes:
        reader.int32()
        reader.int8()
        body = Writer().int32(0)
        topics = []
        for _ in range(reader.count()):
            topic = reader.string()
            topics.append((topic, [(index, at) for index, _, at in reader.rows(requests._ASKED, reader.count())]))

        def partition(topic: str, index: int, at: int) -> None:
            found = self.partitions.get(TopicPartition(topic, index))
            offset = -1 if found is None else found[1] if at == requests.END else found[0]
            body.int32(index).int16(0 if found is not None else 3).int64(-1).int64(offset).int32(0)

        body.array(topics, lambda item: body.string(item[0]).array(item[1], lambda one: partition(item[0], *one)))
        return body.done()
