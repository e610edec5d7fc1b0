"""Log directories are read from both versions of the answer, and what lies about itself is refused."""

from __future__ import annotations

import struct

import pytest

from keywatch.engine.slices import at_once
from keywatch.kafka.wire.codec import Reader, WireError, uvarint
from keywatch.kafka.wire.log_dirs import LogDirectory, describe_log_dirs, reading_log_dirs

GIB = 1024**3
STORAGE = 56


def compact(value: str) -> bytes:
    return uvarint(len(value) + 1) + value.encode()


def volumes(*directories: tuple[int, str, dict[str, list[int]], int, int], error: int = 0) -> bytes:
    """Return an answer of v4: error, path, topic → bytes by partition, size and free bytes of each directory."""
    data = struct.pack(">ih", 0, error) + uvarint(len(directories) + 1)
    for code, path, topics, total, free in directories:
        data += struct.pack(">h", code) + compact(path) + uvarint(len(topics) + 1)
        for topic, sizes in topics.items():
            data += compact(topic) + uvarint(len(sizes) + 1)
            data += b"".join(struct.pack(">iqqb", index, size, 0, 0) + b"\0" for index, size in enumerate(sizes))
            data += b"\0"
        data += struct.pack(">qq", total, free) + b"\0"
    return data + b"\0"


def classic(path: str, topic: str, sizes: list[int]) -> bytes:
    """Return an answer of v1 with one directory and one topic."""
    data = struct.pack(">iih", 0, 1, 0) + struct.pack(">h", len(path)) + path.encode()
    data += struct.pack(">ih", 1, len(topic)) + topic.encode() + struct.pack(">i", len(sizes))
    return data + b"".join(struct.pack(">iqqb", index, size, 0, 0) for index, size in enumerate(sizes))


def test_volumes_errors_and_sizes_are_read() -> None:
    well = (0, "/a", {"events": [5, 7], "t" * 249: [0]}, 10 * GIB, GIB)
    found = at_once(reading_log_dirs(Reader(volumes(well, (STORAGE, "/b", {}, -1, -1)), flexible=True)))
    assert found.error == 0
    assert found.found == (
        LogDirectory(0, "/a", 10 * GIB, GIB, {"events": 12, "t" * 249: 0}),
        LogDirectory(STORAGE, "/b", None, None, {}),
    )


def test_many_partitions_are_read_in_pieces_and_all_count() -> None:
    pieces = reading_log_dirs(Reader(volumes((0, "/a", {"wide": [1] * 2500}, 1, 1)), flexible=True))
    for _ in range(3):
        next(pieces)
    assert at_once(pieces).found[0].sizes == {"wide": 2500}


def test_older_brokers_say_nothing_of_volumes() -> None:
    found = at_once(reading_log_dirs(Reader(classic("/data", "events", [3, 4]))))
    assert found.found == (LogDirectory(0, "/data", None, None, {"events": 7}),)


def test_an_error_in_place_of_directories_is_told() -> None:
    assert at_once(reading_log_dirs(Reader(volumes(error=31), flexible=True))) == (31, ())
    assert at_once(reading_log_dirs(Reader(struct.pack(">ii", 0, 0)))) == (0, ())


@pytest.mark.parametrize(
    "data",
    [
        volumes((0, "/a", {"events": [5]}, 1, 1))[:-8],
        struct.pack(">ih", 0, 0) + uvarint(66) + b"\0" * 200,
        struct.pack(">ih", 0, 0) + uvarint(2) + struct.pack(">h", 0) + compact("/a") + uvarint(300_000),
    ],
    ids=["short", "65 directories", "topics that are not there"],
)
def test_answers_that_lie_are_refused(data: bytes) -> None:
    with pytest.raises(WireError):
        at_once(reading_log_dirs(Reader(data, flexible=True)))


def test_the_newest_version_that_is_spoken_is_asked_for_all_or_no_partitions() -> None:
    asked = [describe_log_dirs(highest, sizes=sizes) for highest in (1, 3, 4, 5) for sizes in (False, True)]
    assert [one.version for one in asked] == [1, 1, 1, 1, 4, 4, 4, 4]
    assert [one.body for one in asked[:2]] == [struct.pack(">i", 0), struct.pack(">i", -1)]
    assert [one.body for one in asked[4:6]] == [b"\1\0", b"\0\0"]
