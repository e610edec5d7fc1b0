"""The raw request for a broker's log directories: which work, how full their volumes are, what lies there (KIP-113)."""

from __future__ import annotations

import struct
from typing import NamedTuple

from keywatch.engine.slices import Pieces
from keywatch.kafka.wire.codec import Reader, WireError, Writer
from keywatch.kafka.wire.request import Request

DESCRIBE_LOG_DIRS = 35
KAFKA_STORAGE_ERROR = 56
_CLASSIC, _WITH_VOLUMES = 1, 4  # Kafka 1.0, and 3.3 (KIP-827)
_MOST_DIRECTORIES = 64
_MOST_TOPICS, _MOST_PARTITIONS = 200_000, 1_000_000
_ROWS_PER_PIECE = 1000
_ROW = struct.Struct(">iqqb")  # index, bytes, lag of a replica that moves in, whether it is one
_FLEXIBLE_ROW = struct.Struct(">iqqbB")  # and an empty section of tags


class LogDirectory(NamedTuple):
    """One log directory: an error code, its volume in bytes (None where unknown), and topic → bytes that lie there."""

    error: int
    path: str
    total: int | None
    free: int | None
    sizes: dict[str, int]


class LogDirectories(NamedTuple):
    """What a broker says of its log directories, of which it has one at least, or the error code in place of them."""

    error: int
    found: tuple[LogDirectory, ...]


def describe_log_dirs(highest: int, *, sizes: bool) -> Request:
    """Ask for the directories, and with `sizes` for all partitions in them: v4 where it is spoken, else v1."""
    version = version_of(highest)
    flexible = version == _WITH_VOLUMES
    topics: list[str] | None = None if sizes else []
    body = Writer(flexible=flexible).array(topics, lambda _: None).tags()
    return Request(DESCRIBE_LOG_DIRS, version, flexible, body.done())


def version_of(highest: int) -> int:
    """Return which version is asked of a broker that speaks up to `highest`; `Peers` refuses one that it lacks."""
    return _WITH_VOLUMES if highest >= _WITH_VOLUMES else _CLASSIC


def reading_log_dirs(reader: Reader) -> Pieces[LogDirectories]:
    """Read a reply to DescribeLogDirs v1 or v4 in pieces; in place of an error v1 just has no directories."""
    reader.int32()  # throttle time
    error = reader.int16() if reader.flexible else 0
    found: list[LogDirectory] = []
    for _ in range(reader.count(_MOST_DIRECTORIES)):
        found.append((yield from _directory(reader)))  # noqa: PERF401 - a comprehension cannot yield
    reader.tags()
    return LogDirectories(error, tuple(found))


def _directory(reader: Reader) -> Pieces[LogDirectory]:
    error, path = reader.int16(), reader.string()
    sizes: dict[str, int] = {}
    for _ in range(reader.count(_MOST_TOPICS)):
        topic = reader.string()
        sizes[topic] = sizes.get(topic, 0) + (yield from _bytes(reader))
        reader.tags()
        yield
    total, free = (reader.int64(), reader.int64()) if reader.flexible else (-1, -1)
    reader.tags()
    return LogDirectory(error, path, _known(total), _known(free), sizes)


def _bytes(reader: Reader) -> Pieces[int]:
    """Read the partitions of a topic and return their bytes together."""
    total, left = 0, reader.count(_MOST_PARTITIONS)
    layout = _FLEXIBLE_ROW if reader.flexible else _ROW
    while left:
        some = min(left, _ROWS_PER_PIECE)
        for row in reader.rows(layout, some):
            total += max(row[1], 0)
            if reader.flexible and row[-1]:
                raise WireError("tagged fields where none are known")
        left -= some
        yield
    return total


def _known(number: int) -> int | None:
    return number if number >= 0 else None
