"""A proxy that counts what clients ask of a broker and how many bytes it answers, as the broker itself sees it."""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.kafka.proxy import Proxy, Watch

FETCH, API_VERSIONS, SASL_HANDSHAKE, SASL_AUTHENTICATE = 1, 18, 17, 36
_HEAD = struct.Struct(">ihhi")  # size, API key, version, correlation id


class Exchange(NamedTuple):
    """A request that was asked, or answered: when (monotonic seconds), its connection, what, and its size in bytes."""

    at: float
    connection: int
    api: int
    version: int
    size: int


@dataclass
class _Wire:
    """One connection, cut into requests and answers; plain text only."""

    proxy: CountingProxy
    number: int
    asked: bytearray = field(default_factory=bytearray)
    answered: bytearray = field(default_factory=bytearray)
    waiting: dict[int, tuple[int, int]] = field(default_factory=dict)

    def __call__(self, data: bytes, *, answers: bool) -> None:
        """Take in some bytes."""
        buffer = self.answered if answers else self.asked
        buffer += data
        while len(buffer) >= _HEAD.size:
            size, api, version, correlation = _HEAD.unpack_from(buffer)
            if len(buffer) < size + 4:
                return
            if answers:
                (correlation,) = struct.unpack_from(">i", buffer, 4)
                api, version = self.waiting.pop(correlation)
                self.proxy.answers.append(Exchange(time.monotonic(), self.number, api, version, size + 4))
            else:
                self.waiting[correlation] = (api, version)
                self.proxy.requests.append(Exchange(time.monotonic(), self.number, api, version, size + 4))
            del buffer[: size + 4]


class CountingProxy(Proxy):
    """Forwards and keeps a list of every connection, request and answer."""

    def __init__(self, host: str, port: int, target: tuple[str, int]) -> None:
        super().__init__(host, port, target)
        self.opened: list[float] = []
        """When each connection came about, on the monotonic clock; its place is its number."""
        self.requests: list[Exchange] = []
        self.answers: list[Exchange] = []

    def _watch(self) -> Watch:
        self.opened.append(time.monotonic())
        return _Wire(self, len(self.opened) - 1)
