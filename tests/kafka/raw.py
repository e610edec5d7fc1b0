"""Asks a broker in the protocol's own bytes for what no client library offers: what a test needs done to a cluster."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeVar

from keywatch.kafka.codec import Reader, Writer
from keywatch.kafka.connection import Connection, Endpoint, Request, connect

_T = TypeVar("_T")
_OFFSET_COMMIT = 8
_SECONDS = 10.0


def ask(address: str, request: Request, read: Callable[[Reader], _T]) -> _T:
    """Ask the broker at `host:port` once; raises `BrokerError`."""
    host, _, port = address.rpartition(":")

    async def once() -> _T:
        connection: Connection = await connect(Endpoint(host, int(port)), _SECONDS)
        try:
            return await connection.get(request, _SECONDS, read)
        finally:
            connection.close()

    return asyncio.run(once())


def commit_for(address: str, group: str, offsets: Mapping[tuple[str, int], int], seconds: float) -> None:
    """Commit for a group without members, at its coordinator, what expires after `seconds` (OffsetCommit v2)."""
    body = Writer().string(group).int32(-1).string("").int64(int(seconds * 1000))

    def write(item: tuple[tuple[str, int], int]) -> None:
        (topic, partition), offset = item
        body.string(topic).int32(1).int32(partition).int64(offset).string("")

    request = Request(_OFFSET_COMMIT, 2, False, body.array(offsets.items(), write).done())
    errors = ask(address, request, _committed)
    assert not any(errors), errors


def _committed(reader: Reader) -> list[int]:
    errors: list[int] = []
    for _ in range(reader.count()):
        reader.string()
        for _ in range(reader.count()):
            reader.int32()
            errors.append(reader.int16())
    return errors
