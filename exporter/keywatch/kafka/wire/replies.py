"""Cuts what a broker sends into replies and gives each to the request that it answers; Kafka answers in order."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import NamedTuple, cast

from keywatch.kafka.wire.codec import ReplyTooLargeError, WireError

_FIRST_BYTES = {b"HTTP": "an HTTP server answers there", b"\x15\x03": "the port speaks TLS", b"SSH-": "an SSH server"}


class _Waiting(NamedTuple):
    correlation: int
    max_reply: int
    answer: asyncio.Future[bytes]


class Replies(asyncio.Protocol):
    """One connection's bytes; what is wrong with them fails every request under way and closes the connection."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._buffer = bytearray()
        self._waiting: deque[_Waiting] = deque()
        self._transport: asyncio.Transport | None = None
        self._end: BaseException | None = None

    @property
    def transport(self) -> asyncio.Transport:
        """The connection's transport; raises `EOFError` before it is made."""
        if self._transport is None:
            raise EOFError
        return self._transport

    @property
    def is_open(self) -> bool:
        """Whether neither side has closed it, as far as is known without asking."""
        return self._end is None and self._transport is not None and not self._transport.is_closing()

    def send(self, data: bytes, correlation: int, max_reply: int) -> asyncio.Future[bytes]:
        """Send a request and give its reply to come, without the size before it.

        The future fails with `OSError`, `EOFError` or `WireError`. A reply longer than `max_reply` bytes is refused.
        """
        answer: asyncio.Future[bytes] = self._loop.create_future()
        if not self.is_open:
            answer.set_exception(self._end or EOFError())
        else:
            self._waiting.append(_Waiting(correlation, max_reply, answer))
            self.transport.write(data)
        return answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection over."""
        self._transport = cast(asyncio.Transport, transport)  # what create_connection makes

    def data_received(self, data: bytes) -> None:
        """Take bytes and give away the replies that are whole."""
        self._buffer += data
        try:
            while len(self._buffer) >= 4 and self._take():
                pass
        except WireError as error:
            self._fail(error)

    def _take(self) -> bool:
        """Return the first reply if it is whole; raises `WireError`."""
        buffer = self._buffer
        size = int.from_bytes(buffer[:4], "big", signed=True)
        if not self._waiting:
            raise WireError("a reply that nobody asked for")
        correlation, max_reply, answer = self._waiting[0]
        if not 4 <= size <= max_reply:
            raise _refused(bytes(buffer[:4]), size)
        if len(buffer) < size + 4:
            return False
        if int.from_bytes(buffer[4:8], "big", signed=True) != correlation:
            raise WireError("the reply belongs to another request")
        self._waiting.popleft()
        if not answer.done():
            answer.set_result(bytes(buffer[4 : size + 4]))
        del buffer[: size + 4]
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Fail what is under way."""
        self._fail(exc or EOFError())

    def close(self) -> None:
        """Close at once, without waiting for the other side."""
        self._fail(EOFError())

    def _fail(self, error: BaseException) -> None:
        if self._end is None:
            self._end = error
        for waiting in self._waiting:
            if not waiting.answer.done():
                waiting.answer.set_exception(error)
                waiting.answer.exception()  # seen: whoever waited may be gone
        self._waiting.clear()
        self._buffer.clear()
        if self._transport is not None:
            self._transport.abort()


def _refused(prefix: bytes, size: int) -> WireError:
    for start, words in _FIRST_BYTES.items():
        if prefix.startswith(start):
            return WireError(words)
    if size < 4:
        return WireError(f"not the Kafka protocol: a reply of {size} bytes is announced")
    return ReplyTooLargeError(size)
