"""Joins groups of the kinds that no Python client knows, by raw requests: share (KIP-932) and streams (KIP-1071)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from keywatch.config.endpoint import endpoint
from keywatch.kafka.connection import connect
from keywatch.kafka.wire.codec import Reader, Writer
from keywatch.kafka.wire.request import Request

_T = TypeVar("_T")
_SECONDS = 60.0

JOIN, LEAVE = 0, -1
"""Member epochs of a heartbeat."""
_SHARE_GROUP_HEARTBEAT, _STREAMS_GROUP_HEARTBEAT, _ALTER_SHARE_GROUP_OFFSETS = 76, 88, 91


def share_heartbeat(bootstrap: str, group: str, topic: str, member: str, epoch: int) -> int:
    """Join or leave a share group as its coordinator's only member; returns the error code."""
    body = Writer(flexible=True).string(group).string(member).int32(epoch).string(None)
    body.array([topic], body.string).tags()
    return _ask(bootstrap, Request(_SHARE_GROUP_HEARTBEAT, 1, True, body.done()), _error)


def share_start(bootstrap: str, group: str, topic: str, offset: int) -> int:
    """Have an empty share group read partition 0 from an offset on; returns the error code."""
    body = Writer(flexible=True).string(group)
    body.array(
        [topic],
        lambda name: body.string(name).array([0], lambda index: body.int32(index).int64(offset).tags()).tags(),
    )
    return _ask(bootstrap, Request(_ALTER_SHARE_GROUP_OFFSETS, 0, True, body.tags().done()), _error)


def streams_heartbeat(bootstrap: str, group: str, topic: str, member: str, epoch: int) -> int:
    """Join a streams group whose topology reads one topic and keeps nothing, or leave it; returns the error code."""
    body = Writer(flexible=True).string(group).string(member).int32(epoch).int32(0).string(None).string(None)
    body.int32(30_000 if epoch == JOIN else -1)
    if epoch == JOIN:
        body.int8(1).int32(0).array(["0"], lambda name: _subtopology(body, name, topic)).tags()
    else:
        body.int8(-1)
    for _ in range(3):  # active, standby and warm-up tasks: none yet, or as before
        body.array([] if epoch == JOIN else None, str)
    body.string("process" if epoch == JOIN else None)
    body.int8(-1)  # no endpoint for interactive queries
    for _ in range(3):  # client tags, task offsets, task end offsets
        body.array([] if epoch == JOIN else None, str)
    body.boolean(False).tags()
    return _ask(bootstrap, Request(_STREAMS_GROUP_HEARTBEAT, 0, True, body.done()), _error)


def _subtopology(body: Writer, name: str, topic: str) -> None:
    body.string(name).array([topic], body.string)
    for _ in range(5):  # patterns, changelogs, repartition sinks and sources, what is partitioned alike
        body.array([], str)
    body.tags()


def _ask(bootstrap: str, request: Request, read: Callable[[Reader], _T]) -> _T:
    async def ask() -> _T:
        connection = await connect(endpoint(bootstrap), _SECONDS)
        try:
            return await connection.request(request, _SECONDS, read)
        finally:
            connection.close()

    return asyncio.run(ask())


def _error(reader: Reader) -> int:
    reader.int32()  # throttle time
    return reader.int16()
