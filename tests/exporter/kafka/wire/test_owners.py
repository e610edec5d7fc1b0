"""Which member has which partition is taken in of as many members as was asked for, and of no more."""

from __future__ import annotations

import pytest

from keywatch.engine.slices import at_once
from keywatch.kafka.wire import members
from keywatch.kafka.wire.codec import Reader
from keywatch.kafka.wire.members import Owner, Reading
from keywatch.kafka.wire.requests import TopicPartition


def classic(*who: tuple[str, str, int]) -> bytes:
    """Write a reply to DescribeGroups v4: a stable group g, whose members have a partition of t each."""

    def text(word: str) -> bytes:
        return len(word).to_bytes(2) + word.encode()

    body = bytes(4) + (1).to_bytes(4) + bytes(2) + text("g") + text("Stable") + text("consumer") + text("range")
    body += len(who).to_bytes(4)
    for number, (client, host, index) in enumerate(who):
        words = bytes(2) + (1).to_bytes(4) + text("t") + (1).to_bytes(4) + index.to_bytes(4)
        body += text(f"m{number}") + b"\xff\xff" + text(client) + text(host)
        body += bytes(4) + len(words).to_bytes(4) + words
    return body + bytes(4)


def owners(body: bytes, most: int) -> tuple[Owner, ...]:
    reading = at_once(members.reading_describe_groups(Reader(body), most))["g"].reading
    assert reading is not None
    return reading.owners


def t(*indexes: int) -> frozenset[TopicPartition]:
    return frozenset(TopicPartition("t", index) for index in indexes)


def test_members_are_told_by_client_and_host_and_those_of_one_are_one() -> None:
    body = classic(("b", "/10.0.0.1", 0), ("a", "/10.0.0.1", 1), ("b", "10.0.0.1", 2), ("b", "/10.0.0.2", 3))
    assert owners(body, 10) == (
        Owner("a", "10.0.0.1", t(1)),
        Owner("b", "10.0.0.1", t(0, 2)),
        Owner("b", "10.0.0.2", t(3)),
    )


@pytest.mark.parametrize("most", [0, 1, 2])
def test_of_more_members_than_wanted_is_not_kept_who_they_are(most: int) -> None:
    body = classic(("a", "/h", 0), ("b", "/h", 1), ("a", "/h", 2), ("c", "/h", 3))
    assert owners(body, most) == (Owner("a", "h", t(0, 2)), Owner("b", "h", t(1)))[:most]
    reading = at_once(members.reading_describe_groups(Reader(body), most))["g"].reading
    assert reading is not None
    assert reading.assigned == t(0, 1, 2, 3), "what they read together is known all the same"


def test_what_a_member_of_the_newer_protocol_is_about_to_read_is_not_its_own_yet() -> None:
    body = bytes.fromhex(
        "00000000 02 0000 00 02 67 07 537461626c65 00000001 00000001 02 61"
        "02 02 6d 00 00 00000001 02 63 03 2f68 02 02 74 00"  # one member of client c on /h, subscribed to t
        "02 000102030405060708090a0b0c0d0e0f 02 74 02 00000003 00 00"  # it reads partition 3
        "02 000102030405060708090a0b0c0d0e0f 02 74 02 00000004 00 00"  # and is about to read 4
        "00 80000000 00 00"
    )
    found = at_once(members.reading_describe_consumer_groups(Reader(body, flexible=True), 10))["g"].reading
    assert found == Reading(t(3, 4), frozenset("t"), (Owner("c", "h", t(3)),))
