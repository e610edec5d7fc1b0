"""Joins a classic group with workers of another protocol type than consumers', as Connect and Schema Registry do."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import NamedTuple

from keywatch.config.endpoint import endpoint
from keywatch.kafka.connection import BrokerConnection, connect
from keywatch.kafka.wire.codec import Reader, Writer
from keywatch.kafka.wire.request import Request

_JOIN_GROUP, _HEARTBEAT, _SYNC_GROUP = 11, 12, 14
_SECONDS = 60.0
_BEAT_SECONDS = 0.2


class _Joined(NamedTuple):
    error: int
    generation: int
    leader: str
    member: str


@contextlib.contextmanager
def workers(address: str, group: str, protocol_type: str, count: int) -> Iterator[None]:
    """Keep so many workers in a group whose coordinator listens at `host:port`; they are assigned nothing."""
    ended = threading.Event()

    async def run() -> None:
        tasks = [asyncio.create_task(_work(address, group, protocol_type)) for _ in range(count)]
        while not ended.is_set():  # noqa: ASYNC110 - set by another thread
            await asyncio.sleep(_BEAT_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(_SECONDS)


async def _work(address: str, group: str, protocol_type: str) -> None:
    connection = await connect(endpoint(address), _SECONDS)
    member = ""
    try:
        while True:
            joined = await _join(connection, group, member, protocol_type)
            member = joined.member
            if joined.error or await _sync(connection, group, joined):
                await asyncio.sleep(_BEAT_SECONDS)
                continue
            while not await _beat(connection, group, joined):  # noqa: ASYNC110 - the broker is asked each time
                await asyncio.sleep(_BEAT_SECONDS)
    finally:
        connection.close()


async def _join(connection: BrokerConnection, group: str, member: str, protocol_type: str) -> _Joined:
    body = Writer().string(group).int32(10_000).int32(30_000).string(member).string(protocol_type)
    body.array(["default"], lambda name: body.string(name).int32(4).raw(b"mine"))

    def read(reader: Reader) -> _Joined:
        reader.int32()  # throttle time
        error, generation = reader.int16(), reader.int32()
        reader.string()  # protocol
        return _Joined(error, generation, reader.string(), reader.string())

    return await connection.request(Request(_JOIN_GROUP, 2, False, body.done()), _SECONDS, read)


async def _sync(connection: BrokerConnection, group: str, joined: _Joined) -> int:
    body = Writer().string(group).int32(joined.generation).string(joined.member)
    given = [joined.member] if joined.leader == joined.member else []
    body.array(given, lambda member: body.string(member).int32(4).raw(b"work"))
    return await connection.request(Request(_SYNC_GROUP, 1, False, body.done()), _SECONDS, _error)


async def _beat(connection: BrokerConnection, group: str, joined: _Joined) -> int:
    body = Writer().string(group).int32(joined.generation).string(joined.member)
    return await connection.request(Request(_HEARTBEAT, 1, False, body.done()), _SECONDS, _error)


def _error(reader: Reader) -> int:
    reader.int32()  # throttle time
    return reader.int16()
