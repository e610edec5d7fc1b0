"""The controllers of a cluster asked themselves, where the configuration names their addresses."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from keywatch.config.endpoint import Endpoint
from keywatch.engine.deadline import Deadline
from keywatch.kafka.connection import BrokerConnection, BrokerError, Security, connect
from keywatch.kafka.wire.quorum import Quorum, describe_quorum, read_describe_quorum
from keywatch.net.resolver import Resolver


class Asked(NamedTuple):
    """What one controller said: the quorum as the leader sees it, an error code in it from others, or a failure."""

    endpoint: Endpoint
    answer: Quorum | BrokerError

    @property
    def leads(self) -> bool:
        """Whether it answered as the quorum's leader."""
        return isinstance(self.answer, Quorum) and not self.answer.error and self.answer.leader >= 0

    @property
    def epoch(self) -> int | None:
        """The epoch of the leader that it told."""
        return self.answer.epoch if isinstance(self.answer, Quorum) else None

    @property
    def answers(self) -> bool:
        """Whether it answered at all."""
        return isinstance(self.answer, Quorum)


class Controllers:
    """Connections to all of them, which are kept."""

    def __init__(self, endpoints: Sequence[Endpoint], security: Security | None, resolver: Resolver) -> None:
        self._endpoints = tuple(endpoints)
        self._security = security
        self._resolver = resolver
        self._connections: dict[Endpoint, BrokerConnection] = {}

    def __len__(self) -> int:
        return len(self._endpoints)

    async def ask(self, timeout: float) -> list[Asked]:
        """Ask all of them for the quorum side by side, within `timeout` seconds."""
        return await asyncio.gather(*(self._one(endpoint, timeout) for endpoint in self._endpoints))

    def close(self) -> None:
        """Close all connections."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    async def _one(self, endpoint: Endpoint, timeout: float) -> Asked:
        deadline = Deadline(timeout)
        try:
            kept = self._connections.get(endpoint)
            if kept is None or not kept.is_open:
                kept = await connect(endpoint, timeout, self._security, resolver=self._resolver)
                self._connections[endpoint] = kept
            answer = await kept.request(describe_quorum(), max(deadline.left, 0.001), read_describe_quorum)
        except BrokerError as error:
            return Asked(endpoint, error)
        return Asked(endpoint, answer)
