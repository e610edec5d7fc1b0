"""The levels of a cluster's features are read out of ApiVersions, and nothing that is called like none of Kafka's."""

from __future__ import annotations

import struct

import pytest

from keywatch.kafka.wire.codec import Reader, WireError, uvarint
from keywatch.kafka.wire.features import ask_features, read_features


def text(value: str) -> bytes:
    return uvarint(len(value) + 1) + value.encode()


def finalized(*features: tuple[str, int]) -> bytes:
    data = uvarint(len(features) + 1)
    return data + b"".join(text(name) + struct.pack(">hh", level, level) + b"\0" for name, level in features)


def reply(*tagged: tuple[int, bytes], error: int = 0) -> Reader:
    """Return an answer of ApiVersions v3 with two requests and these tagged fields."""
    apis = uvarint(3) + (struct.pack(">hhh", 18, 0, 4) + b"\0") * 2
    fields = b"".join(uvarint(tag) + uvarint(len(data)) + data for tag, data in tagged)
    return Reader(struct.pack(">h", error) + apis + struct.pack(">i", 0) + uvarint(len(tagged)) + fields, flexible=True)


def test_levels_are_read_and_other_fields_passed_over() -> None:
    levels = finalized(("metadata.version", 29), ("kraft.version", 1))
    found = read_features(reply((0, finalized(("group.version", 9))), (1, struct.pack(">q", 44)), (2, levels)))
    assert found == {"metadata.version": 29, "kraft.version": 1}
    assert read_features(reply()) == {}
    assert read_features(reply((2, levels), error=35)) == {}


def test_what_is_none_of_kafkas_names_is_left_out() -> None:
    hostile = [("", 1), ("x" * 100, 1), ("metadata.version\n", 2), ('a"b', 3), ("ok", 4)]
    assert read_features(reply((2, finalized(*hostile)))) == {"ok": 4}


@pytest.mark.parametrize("field", [uvarint(60), b"\x02\x05ab", finalized(*((f"f{n}", 1) for n in range(51)))])
def test_nonsense_is_an_error_of_the_wire(field: bytes) -> None:
    with pytest.raises(WireError):
        read_features(reply((2, field)))


def test_more_fields_than_there_are_is_an_error_of_the_wire() -> None:
    with pytest.raises(WireError):
        read_features(Reader(b"\0\0" + uvarint(1) + bytes(4) + uvarint(101), flexible=True))


def test_the_request_names_keywatch() -> None:
    assert b"keywatch" in ask_features().body
