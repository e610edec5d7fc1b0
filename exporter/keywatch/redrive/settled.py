"""Which records of a partition are settled: all below a mark, and beyond it those noted in a bitmap, in chunks."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from typing import Final

CHUNK: Final = 32_768
"""Offsets in a chunk: 4 KiB uncompressed, so that a batch of a filtered replay writes little."""
_BYTES = CHUNK // 8


class Settled:
    """Of one partition. What is settled was put back or parked, and is never touched again."""

    def __init__(self, upto: int = 0, chunks: Mapping[int, bytes] | None = None) -> None:
        """Take the mark, and the chunks as the ledger holds them; one that cannot be read raises `ValueError`."""
        self.upto = upto
        """All below it is settled."""
        self.stale: set[int] = set()
        """Chunks that the ledger holds and that say nothing any more, because somebody set the group's offset."""
        self._chunks = {number: _unpacked(packed) for number, packed in (chunks or {}).items()}

    def __contains__(self, offset: int) -> bool:
        """Return whether the record at this offset is settled."""
        if offset < self.upto:
            return True
        chunk = self._chunks.get(offset // CHUNK)
        return chunk is not None and bool(chunk[offset % CHUNK // 8] >> offset % 8 & 1)

    def add(self, offsets: Iterable[int]) -> set[int]:
        """Note single offsets beyond the mark; returns the chunks that changed."""
        changed = set()
        for offset in offsets:
            number, place = divmod(offset, CHUNK)
            chunk = self._chunks.setdefault(number, bytearray(_BYTES))
            chunk[place // 8] |= 1 << place % 8
            changed.add(number)
        return changed

    def advance(self, upto: int) -> set[int]:
        """Move the mark on; returns the chunks that are wholly below it now, and are gone."""
        self.upto = max(self.upto, upto)
        below = {number for number in self._chunks if (number + 1) * CHUNK <= self.upto}
        for number in below:
            del self._chunks[number]
        return below

    def reset(self, upto: int) -> None:
        """Begin anew at an offset, because somebody set the group's."""
        self.stale |= set(self._chunks)
        self._chunks.clear()
        self.upto = upto

    def packed(self, number: int) -> bytes:
        """Return a chunk as the ledger holds it."""
        return zlib.compress(self._chunks[number], 6)

    def beyond(self) -> int:
        """Return how many records beyond the mark are settled."""
        count = sum(int.from_bytes(chunk, "little").bit_count() for chunk in self._chunks.values())
        first = self._chunks.get(self.upto // CHUNK)
        if first is None:
            return count
        low = int.from_bytes(first, "little") & ((1 << self.upto % CHUNK) - 1)
        return count - low.bit_count()


def _unpacked(packed: bytes) -> bytearray:
    unpack = zlib.decompressobj()
    try:
        chunk = unpack.decompress(packed, _BYTES + 1)
    except zlib.error as error:
        raise ValueError(f"a chunk of the ledger is broken: {error}") from error
    if len(chunk) != _BYTES:
        raise ValueError("a chunk of the ledger has another size")
    return bytearray(chunk)
