"""Peers that answer everything just in time, or just too late: what a run asks in a row adds up."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from keywatch.engine.probe import ProbeError, Reason
from keywatch.kafka.chosen_groups import ListedPart
from keywatch.kafka.connection import MAX_REPLY_BYTES, BrokerError
from keywatch.kafka.records.search import Position
from keywatch.kafka.wire import fetch, requests
from keywatch.kafka.wire.groups import GroupOffsets, ListedGroup
from keywatch.kafka.wire.request import Request
from keywatch.kafka.wire.topics import read_topic_ids
from keywatch.net.http_peer import Answer

Took = Callable[[float], float]
"""How many seconds an answer takes to a question that has so many; as many or more: it does not come."""


def part(ratio: float) -> Took:
    """Take this part of the time there is."""
    return lambda timeout: timeout * ratio


def always(seconds: float) -> Took:
    """Take as long each time."""
    return lambda _: seconds


async def wait(took: Took, timeout: float) -> bool:
    """Let the time pass; returns whether the answer came."""
    seconds = took(timeout)
    await asyncio.sleep(max(min(seconds, timeout), 0.0))
    return seconds < timeout


class JustInTimePeers:
    """Brokers that speak these `versions`, whatever is asked; `groups` are what each of them coordinates.

    A connection takes as long as an answer, and has to be made anew after one that did not come. With an `inner` fake
    it is that one's answers that come so late.
    """

    def __init__(self, took: Took, versions: int = 10, groups: Sequence[ListedGroup] = (), inner: Any = None) -> None:
        self.took = took
        self._inner = inner
        self.versions = versions
        self.groups = list(groups)
        self.asked: Counter[int] = Counter()
        self._connected: set[str] = set()

    async def highest(self, label: str, api: int, timeout: float) -> int:
        """Tell the version, once there is a connection."""
        await self._connect(label, timeout)
        return self.versions if self._inner is None else await self._inner.highest(label, api, 1.0)

    async def release(self, label: str, timeout: float) -> str:
        """Tell which Kafka it is, once there is a connection."""
        await self._connect(label, timeout)
        return "2.5"

    async def ask(self, label: str, request: Request, timeout: float, read: Callable[..., Any]) -> Any:
        """Answer a question with what a run goes on after."""
        await self._wait(label, request, timeout)
        if self._inner is None or read is read_topic_ids:
            return self._answer(request, read)
        return await self._inner.ask(label, request, 1.0, read)

    async def ask_much(
        self,
        label: str,
        request: Request,
        timeout: float,
        read: Callable[..., Any],
        max_reply: int = MAX_REPLY_BYTES,
        rest: float = 0.0,
    ) -> Any:
        """Answer a question with much."""
        del max_reply, rest
        await self._wait(label, request, timeout)
        return await self._inner.ask_much(label, request, 1.0, read) if self._inner else self._answer(request, read)

    def close(self) -> None:
        """Nothing is held."""

    async def _wait(self, label: str, request: Request, timeout: float) -> None:
        if timeout <= 0:
            raise BrokerError(Reason.TIMEOUT_RESPONSE, "no time was left")
        self.asked[request.api] += 1
        begun = asyncio.get_running_loop().time()
        await self._connect(label, timeout)
        left = timeout - (asyncio.get_running_loop().time() - begun)
        if not await wait(self.took, left):
            self._connected.discard(label)
            raise BrokerError(Reason.TIMEOUT_RESPONSE, "late")

    async def _connect(self, label: str, timeout: float) -> None:
        if label in self._connected:
            return
        if not await wait(self.took, timeout):
            raise BrokerError(Reason.TIMEOUT_CONNECT, "late")
        self._connected.add(label)

    def _answer(self, request: Request, read: Callable[..., Any]) -> Any:
        api = request.api
        if api == requests.LIST_GROUPS:
            return 0, [ListedPart(tuple(self.groups), 0)]
        if api == requests.FIND_COORDINATOR:
            return 0, 1
        if api == requests.OFFSET_FETCH and self.versions < 8:
            return {group.name: GroupOffsets(0, {}) for group in self.groups[:1]}
        if api == requests.METADATA and read is not read_topic_ids:
            return requests.Metadata((), "c", 1, {}, {}, {})
        if api == requests.DESCRIBE_CLUSTER:
            return 0, ()
        if api == requests.CREATE_PARTITIONS:
            return 0, ""
        if api == fetch.FETCH:
            return fetch.Fetched(0, 100, 0, (), (), 100)
        return {}


class JustInTimeServer:
    """An Elasticsearch, as `HttpPeer` reaches it, that answers nothing anybody can use."""

    url = "http://elasticsearch:9200"

    def __init__(self, took: Took, body: bytes = b"{}") -> None:
        self.took = took
        self.body = body
        self.asked = 0

    async def ask(
        self,
        method: str,
        path: str,
        timeout: float,
        most: int,
        *,
        json: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Answer a request."""
        del method, most, json, headers
        self.asked += 1
        if not await wait(self.took, timeout):
            raise ProbeError(Reason.TIMEOUT_RESPONSE, "late")
        version = b'{"version": {"number": "9.1.0"}, "tagline": "You Know, for Search"}'
        return Answer(200, "application/json", version if not path else self.body, 0.1)

    async def close(self) -> None:
        """Nothing is held."""


class JustInTimeTimes:
    """Record times that are looked for and never found."""

    forbidden: frozenset[str] = frozenset()
    reads = received = 0

    def __init__(self, took: Took) -> None:
        self.took = took

    async def find(self, positions: Sequence[Position], timeout: float) -> None:
        """Look for them."""
        if positions:
            await wait(self.took, timeout)

    def at(self, position: Position) -> None:
        """Know nothing."""

    def before(self, position: Position) -> None:
        """Know nothing."""

    def doubt(self, topics: object) -> tuple[()]:
        """Know nothing."""
        del topics
        return ()

    def grown(self, partition: object) -> None:
        """Know nothing."""

    def drop(self, topic: str) -> None:
        """Know nothing."""

    def retain(self, partitions: object) -> None:
        """Know nothing."""

    def close(self) -> None:
        """Nothing is held."""
