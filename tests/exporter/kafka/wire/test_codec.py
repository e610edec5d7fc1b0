"""Requests are the bytes that the protocol asks for, and no bytes of a reply can do worse than a `WireError`."""

from __future__ import annotations

import contextlib
import struct
import time
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywatch.kafka.wire import fetch, groups, identity, members, produce, reassignments, requests, share_groups
from keywatch.kafka.wire.codec import Reader, WireError, Writer, uvarint
from keywatch.kafka.wire.request import Request
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.kafka.wire.topics import read_topic_ids

READERS: dict[str, tuple[bool, Callable[[Reader], object]]] = {
    "metadata 8": (False, requests.read_metadata),
    "metadata 10": (True, requests.read_metadata),
    "describe_cluster": (True, requests.read_describe_cluster),
    "fetch": (False, fetch.read_fetch),
    "fetch_tails": (False, fetch.read_fetch_tails),
    "produce": (False, produce.read_produce),
    "describe_broker": (False, identity.read_describe_broker),
    "list_offsets": (False, requests.read_list_offsets),
    "describe_configs": (False, requests.read_describe_configs),
    "create_topic": (False, requests.read_create_topic),
    "list_reassignments": (True, reassignments.read_list_reassignments),
    "elect_leaders": (False, requests.read_elect_leaders),
    "list_groups 4": (True, lambda reader: groups.read_list_groups(reader, 4)),
    "list_groups 5": (True, lambda reader: groups.read_list_groups(reader, 5)),
    "find_coordinator": (False, groups.read_find_coordinator),
    "describe_groups": (False, members.read_describe_groups),
    "describe_consumer_groups": (True, members.read_describe_consumer_groups),
    "describe_share_groups": (True, share_groups.read_describe_share_groups),
    "start_offsets": (True, share_groups.read_start_offsets),
    "fetched_offsets 5": (False, lambda reader: groups.read_fetched_offsets(reader, ["g"], 5)),
    "fetched_offsets 8": (True, lambda reader: groups.read_fetched_offsets(reader, ["g"], 8)),
}
every_reader = pytest.mark.parametrize(("flexible", "read"), READERS.values(), ids=READERS)


def test_every_reader_of_the_modules_is_in_the_table() -> None:
    functions = {
        name.removeprefix("read_")
        for module in (requests, groups, share_groups, fetch, produce, identity, members, reassignments)
        for name in vars(module)
        if "read_" in name
    }
    assert functions == {name.partition(" ")[0] for name in READERS}


@every_reader
@given(data=st.binary(max_size=300))
def test_arbitrary_bytes_are_read_or_refused_but_nothing_else(
    flexible: bool, read: Callable[[Reader], object], data: bytes
) -> None:
    with contextlib.suppress(WireError):
        read(Reader(data, flexible=flexible))


@every_reader
@pytest.mark.parametrize("pattern", [b"\0", b"\x01", b"\x7f", b"\xff", b"\0\0\0\x01", b"\xff\xff\xff\x7f", b"\x02\x01"])
def test_a_lie_about_lengths_costs_neither_memory_nor_time(
    flexible: bool, read: Callable[[Reader], object], pattern: bytes
) -> None:
    data = pattern * (200_000 // len(pattern))
    started = time.process_time()
    tracemalloc.start()
    try:
        read(Reader(data, flexible=flexible))
    except WireError:
        pass
    finally:
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    # A reply of n bytes may honestly hold n/2 items of some hundred bytes each; a count of 2^31 would take gigabytes.
    assert most < 100_000_000
    assert time.process_time() - started < 5


@pytest.mark.parametrize("flexible", [False, True])
@pytest.mark.parametrize("size", [2**31 - 1, 1000])
def test_an_announced_array_longer_than_the_reply_is_refused_before_it_is_made(flexible: bool, size: int) -> None:
    data = uvarint(size + 1) if flexible else struct.pack(">i", size)
    reads: list[Callable[[Reader], object]] = [Reader.count, Reader.int32s, Reader.octets]
    for read in reads:
        with pytest.raises(WireError):
            read(Reader(data + b"\0" * 100, flexible=flexible))


def brokers_reply(brokers: int, replicas: int) -> bytes:
    """Return a reply to Metadata v8 about so many brokers and one partition with so many replicas."""
    body = Writer().int32(0)
    body.array(range(brokers), lambda broker: body.int32(broker).string("kafka").int32(9092).string(None))
    body.string("id").int32(1).int32(1).int16(0).string("topic").boolean(False).int32(1)
    body.int16(0).int32(0).int32(1).int32(0)
    for count in (replicas, 1, 0):
        body.array(range(count), body.int32)
    return body.int32(0).int32(0).done()


@pytest.mark.parametrize(("brokers", "replicas"), [(2001, 3), (20_000, 3), (1_000_000, 3), (3, 2001), (3, 100_000)])
def test_more_brokers_or_replicas_than_a_cluster_can_have_are_refused_before_they_are_read(
    brokers: int, replicas: int
) -> None:
    with pytest.raises(WireError, match=f"an array of {max(brokers, replicas)} items where there can be 2000"):
        requests.read_metadata(Reader(brokers_reply(brokers, replicas)))


def test_as_many_brokers_and_replicas_as_a_cluster_can_have_are_read() -> None:
    found = requests.read_metadata(Reader(brokers_reply(2000, 2000)))
    assert (len(found.brokers), len(found.topics["topic"][0].replicas)) == (2000, 2000)


def test_describe_cluster_and_topics_ids_are_bounded_as_metadata_is() -> None:
    described = Writer(flexible=True).int32(0).int16(0).string(None).int8(1).string("id").int32(1)
    described.array(
        range(3000), lambda broker: described.int32(broker).string("k").int32(1).string(None).int8(0).tags()
    )
    with pytest.raises(WireError, match="where there can be 2000"):
        requests.read_describe_cluster(Reader(described.tags().done(), flexible=True))
    named = Writer(flexible=True).int32(0)
    named.array(range(3000), lambda broker: named.int32(broker).string("k").int32(1).string(None).tags())
    with pytest.raises(WireError, match="where there can be 2000"):
        read_topic_ids(Reader(named.done(), flexible=True))


def test_what_is_read_in_one_piece_has_so_many_items_at_most_over_all_its_arrays() -> None:
    data = Writer().int32(30).int32(21).done() + b"\0" * 50
    reader = Reader(data).limit(50)
    assert reader.count() == 30
    with pytest.raises(WireError, match="longer than any such reply"):
        reader.count()


def test_there_are_only_so_many_tagged_fields_in_one_place() -> None:
    with pytest.raises(WireError, match="101 tagged fields"):
        Reader(uvarint(101) + b"\0" * 1000, flexible=True).tags()
    Reader(uvarint(100) + b"\0\0" * 100, flexible=True).tags()


numbers = st.tuples(
    st.integers(-(2**7), 2**7 - 1),
    st.integers(-(2**15), 2**15 - 1),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**63), 2**63 - 1),
    st.booleans(),
)


@given(numbers)
def test_numbers_come_back(values: tuple[int, int, int, int, bool]) -> None:
    one, two, four, eight, truth = values
    reader = Reader(Writer().int8(one).int16(two).int32(four).int64(eight).boolean(truth).done())
    assert (reader.int8(), reader.int16(), reader.int32(), reader.int64(), reader.boolean()) == values
    with pytest.raises(WireError, match="in the middle of a number"):
        reader.int8()


@given(st.booleans(), st.lists(st.none() | st.text(max_size=200), max_size=20))
def test_strings_and_arrays_come_back(flexible: bool, texts: list[str | None]) -> None:
    writer = Writer(flexible=flexible)
    data = writer.array(texts, writer.string).array(None, writer.string).array(range(3), writer.int32).tags().done()
    reader = Reader(data, flexible=flexible)
    assert reader.array(reader.nullable_string) == texts
    assert reader.array(reader.string) == []
    assert reader.int32s() == (0, 1, 2)
    reader.tags()
    assert reader.position == len(data)


@given(st.integers(0, 2**32 - 1))
def test_variable_length_numbers_come_back(value: int) -> None:
    assert Reader(uvarint(value)).uvarint() == value


@pytest.mark.parametrize(
    ("value", "data"), [(0, "00"), (127, "7f"), (128, "8001"), (300, "ac02"), (2**32 - 1, "ffffffff0f")]
)
def test_variable_length_numbers_are_those_of_the_protocol(value: int, data: str) -> None:
    assert uvarint(value).hex() == data


def test_a_variable_length_number_without_end_is_refused() -> None:
    with pytest.raises(WireError, match="more than five bytes"):
        Reader(b"\xff" * 10).uvarint()
    with pytest.raises(WireError, match="in the middle of a length"):
        Reader(b"\xff").uvarint()


def test_tagged_fields_are_passed_over() -> None:
    tags = "02 00 03 616263 05 00".replace(" ", "")  # two: tag 0 with three bytes, tag 5 with none
    reader = Reader(bytes.fromhex(tags + "7f"), flexible=True)
    reader.tags()
    assert reader.int8() == 0x7F


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\0\x05ab", "a field of 5 bytes where 2 are left"),
        (b"\xff\xfeab", "a field of -2 bytes"),
        (b"\0\x01\xff", "not UTF-8"),
    ],
)
def test_a_string_that_is_none_is_refused(data: bytes, words: str) -> None:
    with pytest.raises(WireError, match=words):
        Reader(data).string()


# Written by hand from https://kafka.apache.org/protocol: api key, version, flexible, body.
@pytest.mark.parametrize(
    ("request_", "expected", "body"),
    [
        pytest.param(requests.metadata(), (3, 8, False), "ffffffff 00 00 00", id="all topics"),
        pytest.param(requests.metadata(["ab"]), (3, 8, False), "00000001 0002 6162 00 00 00", id="one topic"),
        pytest.param(requests.metadata(version=10), (3, 10, True), "00 00 00 00 00", id="all topics with their ids"),
        pytest.param(
            requests.metadata(["ab"], 10),
            (3, 10, True),
            f"02 {'00' * 16} 03 6162 00 00 00 00 00",
            id="one topic with its id",
        ),
        pytest.param(requests.describe_cluster(), (60, 2, True), "00 01 01 00", id="brokers, fenced ones too"),
        pytest.param(
            requests.list_offsets(
                [TopicPartition("a", 0), TopicPartition("b", 1), TopicPartition("a", 2)], requests.END
            ),
            (2, 4, False),
            "ffffffff 00 00000002"
            "0001 61 00000002 00000000 ffffffff ffffffffffffffff 00000002 ffffffff ffffffffffffffff"
            "0001 62 00000001 00000001 ffffffff ffffffffffffffff",
            id="end offsets",
        ),
        pytest.param(
            fetch.fetch(TopicPartition("a", 2), 9, 256, committed=True),
            (1, 11, False),
            "ffffffff 00000000 00000000 00000100 01 00000000 ffffffff 00000001 0001 61 00000001"
            "00000002 ffffffff 0000000000000009 ffffffffffffffff 00000100 00000000 0000",
            id="records",
        ),
        pytest.param(
            requests.describe_configs(["t"], ["x"]),
            (32, 1, False),
            "00000001 02 0001 74 00000001 0001 78 00",
            id="settings",
        ),
        pytest.param(
            requests.create_topic("t", {0: [1, 2]}, {"a": "b"}, 1000),
            (19, 4, False),
            "00000001 0001 74 ffffffff ffff 00000001 00000000 00000002 00000001 00000002"
            "00000001 0001 61 0001 62 000003e8 00",
            id="create a topic",
        ),
        pytest.param(
            requests.create_partitions("t", 2, [[3]], 1000),
            (37, 1, False),
            "00000001 0001 74 00000002 00000001 00000001 00000003 000003e8 00",
            id="add a partition",
        ),
        pytest.param(
            requests.elect_preferred_leaders("t", [5], 1000),
            (43, 1, False),
            "00 00000001 0001 74 00000001 00000005 000003e8",
            id="elect leaders",
        ),
        pytest.param(
            reassignments.list_reassignments(1000), (46, 0, True), "000003e8 00 00", id="reassignments under way"
        ),
        pytest.param(groups.list_groups(4), (16, 4, True), "01 00", id="groups"),
        pytest.param(groups.list_groups(5), (16, 5, True), "01 01 00", id="groups with their kind"),
        pytest.param(groups.find_coordinator("g"), (10, 2, False), "0001 67 00", id="coordinator"),
        pytest.param(members.describe_groups(["g"]), (15, 4, False), "00000001 0001 67 00", id="members"),
        pytest.param(members.describe_consumer_groups(["g"]), (69, 0, True), "02 02 67 00 00", id="KIP-848 members"),
        pytest.param(
            share_groups.describe_share_groups(["g"]), (77, 1, True), "02 02 67 00 00", id="members of share groups"
        ),
        pytest.param(
            share_groups.fetch_start_offsets(["g"]), (90, 0, True), "02 02 67 00 00 00", id="share groups' offsets"
        ),
        pytest.param(groups.fetch_offsets(["g"], 5), (9, 5, False), "0001 67 ffffffff", id="all commits"),
        pytest.param(
            groups.fetch_offsets(["g"], 5, [TopicPartition("t", 1)]),
            (9, 5, False),
            "0001 67 00000001 0001 74 00000001 00000001",
            id="named commits",
        ),
        pytest.param(
            groups.fetch_offsets(["g", "h"], 8), (9, 8, True), "03 02 67 00 00 02 68 00 00 00 00", id="many groups"
        ),
    ],
)
def test_a_request_is_the_bytes_of_the_protocol(request_: Request, expected: tuple[int, int, bool], body: str) -> None:
    assert (request_.api, request_.version, request_.flexible) == expected
    assert request_.body.hex() == body.replace(" ", "")
