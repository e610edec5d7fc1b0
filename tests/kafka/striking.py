"""A proxy that makes a broker a poorer one: it strikes requests from ApiVersions, and closes on whoever asks them."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections import Counter
from collections.abc import Mapping

from tests.kafka.proxy import Proxy

_API_VERSIONS = 18
_VERSION = struct.Struct(">hhh")  # request, lowest and highest version


class StrikingProxy(Proxy):
    """Forwards what the broker it plays knows: `most` is the highest version by request, and -1 strikes it.

    `refused` counts the connections that were closed, by request, because it was asked nevertheless.
    """

    def __init__(self, host: str, port: int, target: tuple[str, int], most: Mapping[int, int]) -> None:
        super().__init__(host, port, target)
        self.most = dict(most)
        self.refused: Counter[int] = Counter()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            back_reader, back_writer = await asyncio.open_connection(*self._target)
            asked: set[bytes] = set()
            try:
                async with asyncio.TaskGroup() as both:
                    both.create_task(self._ask(reader, back_writer, writer, asked))
                    both.create_task(self._answer(back_reader, writer, asked))
            except* (OSError, EOFError):
                pass
            finally:
                back_writer.transport.abort()
        writer.transport.abort()
        self._writers.discard(writer)

    async def _ask(
        self,
        reader: asyncio.StreamReader,
        back: asyncio.StreamWriter,
        writer: asyncio.StreamWriter,
        asked: set[bytes],
    ) -> None:
        while True:
            request = await _frame(reader)
            api, version = struct.unpack_from(">hh", request)
            if version > self.most.get(api, version):
                self.refused[api] += 1
                writer.transport.abort()
                return
            if api == _API_VERSIONS:
                asked.add(request[4:8])
            back.write(len(request).to_bytes(4) + request)
            await back.drain()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: set[bytes]) -> None:
        while True:
            answer = await _frame(reader)
            if answer[:4] in asked:
                asked.discard(answer[:4])
                answer = self._struck(answer)
            writer.write(len(answer).to_bytes(4) + answer)
            await writer.drain()

    def _struck(self, answer: bytes) -> bytes:
        """Strike requests from an answer to ApiVersions, whose list has a length of four bytes before version 3."""
        plain = not any(answer[6:8])  # a list of fewer than 65,536; from version 3 on no list has a length of 0
        if plain:
            start, size, count = 10, 6, int.from_bytes(answer[6:10])
        else:
            count, start = _unsigned(answer, 6)
            count, size = count - 1, 7  # with an empty section of tags
        entries = [answer[at : at + size] for at in range(start, start + count * size, size)]
        kept = []
        for entry in entries:
            api, low, high = _VERSION.unpack(entry[:6])
            high = min(high, self.most.get(api, high))
            if high >= low:
                kept.append(_VERSION.pack(api, low, high) + entry[6:])
        length = len(kept).to_bytes(4) if plain else _written(len(kept) + 1)
        return answer[:6] + length + b"".join(kept) + answer[start + count * size :]


async def _frame(reader: asyncio.StreamReader) -> bytes:
    return await reader.readexactly(int.from_bytes(await reader.readexactly(4)))


def _unsigned(data: bytes, at: int) -> tuple[int, int]:
    """Read a variable-length number; returns also where it ended."""
    value = shift = 0
    while True:
        value |= (data[at] & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not data[at - 1] & 0x80:
            return value, at


def _written(value: int) -> bytes:
    found = b""
    while value > 0x7F:
        found, value = found + bytes([value & 0x7F | 0x80]), value >> 7
    return found + bytes([value])
