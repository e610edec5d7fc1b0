"""Asks a broker in the protocol's own bytes for what no client library offers: what a test needs done to a cluster."""

from __future__ import annotations

import asyncio
import struct
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

from keywatch.config.endpoint import Endpoint
from keywatch.kafka.connection import BrokerConnection, connect
from keywatch.kafka.wire.codec import Reader, Writer
from keywatch.kafka.wire.request import Request

_T = TypeVar("_T")
_OFFSET_COMMIT = 8
_ALTER_CLIENT_QUOTAS = 49
_ALTER_PARTITION_REASSIGNMENTS = 45
_SECONDS = 60.0
_UNDER_WAY = 200


def ask(address: str, request: Request, read: Callable[[Reader], _T], seconds: float = _SECONDS) -> _T:
    """Ask the broker at `host:port` once, which has so many seconds; raises `BrokerError`."""
    host, _, port = address.rpartition(":")

    async def once() -> _T:
        connection: BrokerConnection = await connect(Endpoint(host, int(port)), seconds)
        try:
            return await connection.request(request, seconds, read)
        finally:
            connection.close()

    return asyncio.run(once())


def commit_for(address: str, group: str, offsets: Mapping[tuple[str, int], int], seconds: float) -> None:
    """Commit for a group without members, at its coordinator, what expires after `seconds` (OffsetCommit v2)."""
    request = _commit(group, offsets, int(seconds * 1000))
    errors = ask(address, request, _committed)
    assert not any(errors), errors


def reassign(address: str, topic: str, replicas: Sequence[Sequence[int]]) -> None:
    """Return each partition of a topic its replicas, the first of which is to lead (AlterPartitionReassignments v0)."""
    body = Writer(flexible=True).int32(int(_SECONDS * 1000))

    def partition(item: tuple[int, Sequence[int]]) -> None:
        body.int32(item[0]).array(item[1], body.int32).tags()

    body.array([topic], lambda name: body.string(name).array(enumerate(replicas), partition).tags()).tags()
    errors = ask(address, Request(_ALTER_PARTITION_REASSIGNMENTS, 0, True, body.done()), _reassigned)
    assert not any(errors), errors


def set_quota(address: str, client: str | None, **settings: float | None) -> None:
    """Set quotas of a client id, or with None of all that have none of their own; None for no quota.

    AlterClientQuotas v0.
    """
    body = Writer().int32(1).int32(1).string("client-id").string(client)

    def write(item: tuple[str, float | None]) -> None:
        key, value = item
        body.string(key).raw(struct.pack(">d", value or 0.0)).boolean(value is None)

    body.array(settings.items(), write).boolean(False)
    assert ask(address, Request(_ALTER_CLIENT_QUOTAS, 0, False, body.done()), _quota_error) == 0


def _quota_error(reader: Reader) -> int:
    reader.int32()  # throttle time
    return reader.int16() if reader.count() else 0


def _reassigned(reader: Reader) -> list[int]:
    reader.int32()  # throttle time
    errors = [reader.int16()]
    reader.nullable_string()  # message
    for _ in range(reader.count()):
        reader.string()
        for _ in range(reader.count()):
            reader.int32()
            errors.append(reader.int16())
            reader.nullable_string()  # message
            reader.tags()
        reader.tags()
    return errors


def _committed(reader: Reader) -> list[int]:
    errors: list[int] = []
    for _ in range(reader.count()):
        reader.string()
        for _ in range(reader.count()):
            reader.int32()
            errors.append(reader.int16())
    return errors


def flood(address: str, groups: Iterable[str], offsets: Mapping[tuple[str, int], int]) -> None:
    """Commit the same for many groups without members, many requests under way at once, as whoever floods a broker."""
    host, _, port = address.rpartition(":")

    async def commit() -> None:
        connection: BrokerConnection = await connect(Endpoint(host, int(port)), _SECONDS)
        try:
            under_way: deque[asyncio.Future[bytes]] = deque()
            for group in groups:
                under_way.append(connection.send(_commit(group, offsets, -1)))
                if len(under_way) >= _UNDER_WAY:
                    _check(await under_way.popleft())
            for answer in under_way:
                _check(await answer)
        finally:
            connection.close()

    asyncio.run(commit())


def _check(answer: bytes) -> None:
    errors = _committed(Reader(answer, position=4))
    assert not any(errors), set(errors)


def _commit(group: str, offsets: Mapping[tuple[str, int], int], milliseconds: int) -> Request:
    body = Writer().string(group).int32(-1).string("").int64(milliseconds)

    def write(item: tuple[tuple[str, int], int]) -> None:
        (topic, partition), offset = item
        body.string(topic).int32(1).int32(partition).int64(offset).string("")

    return Request(_OFFSET_COMMIT, 2, False, body.array(offsets.items(), write).done())
