"""Replies that are only decoded where they changed mean what they mean when they are decoded whole."""

from __future__ import annotations

from collections.abc import Sequence
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywatch.engine.slices import at_once
from keywatch.kafka.wire import groups as group_wire
from keywatch.kafka.wire import requests
from keywatch.kafka.wire.codec import Reader, WireError, Writer
from keywatch.kafka.wire.groups import GroupOffsets
from keywatch.kafka.wire.reply_memory import ReplyMemory
from keywatch.kafka.wire.requests import PartitionState

TOPICS = st.sampled_from(["a", "aa", "b"])
OFFSETS = st.tuples(st.sampled_from([0, 0, 0, 3]), st.integers(-1, 3))  # error code, offset
ENDS = st.lists(st.dictionaries(TOPICS, st.dictionaries(st.integers(0, 3), OFFSETS, max_size=3)), max_size=6)
COMMITS = st.lists(
    st.dictionaries(
        st.sampled_from(["g", "gg", "h"]),
        st.tuples(st.sampled_from([0, 0, 15]), st.dictionaries(TOPICS, st.dictionaries(st.integers(0, 3), OFFSETS))),
    ),
    max_size=6,
)
NOTES = st.sampled_from([None, "", "", "x", "by hand"])
STATES = st.lists(
    st.dictionaries(TOPICS, st.lists(st.tuples(st.integers(-1, 2), st.lists(st.integers(1, 3), max_size=3)))),
    max_size=6,
)


def ends_reply(ends: dict[str, dict[int, tuple[int, int]]]) -> bytes:
    body = Writer().int32(0)

    def partition(one: tuple[int, tuple[int, int]]) -> None:
        body.int32(one[0]).int16(one[1][0]).int64(-1).int64(one[1][1]).int32(7)

    body.array(ends.items(), lambda item: body.string(item[0]).array(item[1].items(), partition))
    return body.done()


@given(ENDS)
def test_offsets_that_are_taken_over_time_are_those_of_the_last_reply(
    replies: list[dict[str, dict[int, tuple[int, int]]]],
) -> None:
    memory: ReplyMemory[int] = ReplyMemory()
    known: dict[tuple[str, int], int] = {}
    for ends in replies:
        errors: dict[tuple[str, int], int] = {}

        def take(topic: str, index: int, error: int, offset: int, errors: dict[tuple[str, int], int] = errors) -> None:
            if error or offset < 0:
                errors[topic, index] = error
            else:
                known[topic, index] = offset

        count = at_once(requests.reading_list_offsets(Reader(ends_reply(ends)), memory, take))
        assert count == sum(map(len, ends.values()))
        for topic, partitions in ends.items():
            for index, (error, offset) in partitions.items():
                if error or offset < 0:
                    assert errors.pop((topic, index)) == error
                else:
                    assert known[topic, index] == offset
        assert not errors


@given(COMMITS, st.lists(NOTES, min_size=1))
def test_commits_are_those_of_the_last_reply_and_the_same_object_while_they_are_the_same(
    replies: list[dict[str, tuple[int, dict[str, dict[int, tuple[int, int]]]]]], notes: list[str | None]
) -> None:
    memory: ReplyMemory[GroupOffsets] = ReplyMemory()
    for groups in replies:
        body = Writer(flexible=True).int32(0)

        def partition(one: tuple[int, tuple[int, int]], body: Writer = body) -> None:
            index, (error, offset) = one
            note = notes[(index + offset) % len(notes)]
            body.int32(index).int64(offset).int32(-1).string(note).int16(error).tags()

        def group(item: tuple[str, tuple[int, dict[str, dict[int, tuple[int, int]]]]], body: Writer = body) -> None:
            name, (error, topics) = item
            body.string(name).array(
                topics.items(), lambda one: body.string(one[0]).array(one[1].items(), partition).tags()
            ).int16(error).tags()

        reply = body.array(groups.items(), group).tags().done()
        found = at_once(group_wire.reading_fetched_offsets(Reader(reply, flexible=True), list(groups), 8, memory))
        assert found == group_wire.read_fetched_offsets(Reader(reply, flexible=True), list(groups), 8)
        assert {name: offsets.error for name, offsets in found.items()} == {n: e for n, (e, _) in groups.items()}
        for name, offsets in found.items():
            expected = {(t, i): v for t, partitions in groups[name][1].items() for i, v in partitions.items()}
            assert offsets.offsets == expected
        again = at_once(group_wire.reading_fetched_offsets(Reader(reply, flexible=True), list(groups), 8, memory))
        assert all(again[name] is offsets for name, offsets in found.items())


@given(STATES)
def test_topics_are_those_of_the_last_reply_and_the_same_object_while_they_are_the_same(
    replies: list[dict[str, list[tuple[int, list[int]]]]],
) -> None:
    memory: ReplyMemory[dict[int, PartitionState]] = ReplyMemory()
    before: dict[str, dict[int, PartitionState]] = {}
    for topics in replies:
        body = Writer().int32(0).array((), str).string("id").int32(1)

        def partition(one: tuple[int, tuple[int, list[int]]], body: Writer = body) -> None:
            index, (leader, replicas) = one
            body.int16(0).int32(index).int32(leader).int32(4)
            body.array(replicas, body.int32).array(replicas, body.int32).array((), str)

        def topic(item: tuple[str, list[tuple[int, list[int]]]], body: Writer = body) -> None:
            body.int16(0).string(item[0]).boolean(False).array(list(enumerate(item[1])), partition).int32(0)

        reply = body.array(topics.items(), topic).done()
        found = at_once(requests.reading_metadata(Reader(reply), memory, before))
        assert found == requests.read_metadata(Reader(reply))
        for name, states in found.topics.items():
            assert (states is before.get(name)) == (states == before.get(name))
        before = found.topics


def test_groups_are_listed_once_while_the_list_is_the_same() -> None:
    def reply(state: str) -> Reader:
        body = Writer(flexible=True).int32(0).int16(0)
        body.array(["g"], lambda name: body.string(name).string("consumer").string(state).string("Classic").tags())
        return Reader(body.tags().done(), flexible=True)

    memory: ReplyMemory[tuple[int, list[group_wire.ListedGroup]]] = ReplyMemory()
    _, first = at_once(group_wire.reading_list_groups(reply("Stable"), 5, memory, list))
    _, again = at_once(group_wire.reading_list_groups(reply("Stable"), 5, memory, list))
    assert again[0] is first[0]
    other = at_once(group_wire.reading_list_groups(reply("Empty"), 5, memory, list))
    assert other == (0, [[group_wire.ListedGroup("g", "consumer", "Empty", "classic")]])


@given(st.lists(st.sets(st.integers(0, 30)), min_size=1, max_size=6), st.integers(1, 5))
def test_a_list_of_groups_reads_as_if_it_had_never_been_read_before(lists: list[set[int]], per_piece: int) -> None:
    memory: ReplyMemory[tuple[int, tuple[group_wire.ListedGroup, ...]]] = ReplyMemory()
    for numbers in lists:
        body = Writer(flexible=True).int32(0).int16(0)

        def write(number: int, body: Writer = body) -> None:
            body.string(f"g{number}").string("consumer").string("Empty").string("classic").tags()

        data = body.array(numbers, write).tags().done()
        with mock.patch.object(group_wire, "_GROUPS_PER_PIECE", per_piece):
            error, parts = at_once(group_wire.reading_list_groups(Reader(data, flexible=True), 5, memory, tuple))
        assert error == 0
        assert [group for part in parts for group in part] == group_wire.read_list_groups(
            Reader(data, flexible=True), 5
        )[1]


def test_of_many_groups_only_those_beside_a_change_are_decoded_again() -> None:
    def reply(names: list[str]) -> Reader:
        body = Writer(flexible=True).int32(0).int16(0)
        body.array(names, lambda name: body.string(name).string("consumer").string("Empty").string("classic").tags())
        return Reader(body.tags().done(), flexible=True)

    memory: ReplyMemory[tuple[int, int]] = ReplyMemory()
    decoded: list[int] = []

    def sort(groups: Sequence[group_wire.ListedGroup]) -> int:
        decoded.append(len(groups))
        return len(groups)

    names = [f"group-{number}" for number in range(5000)]
    at_once(group_wire.reading_list_groups(reply(names), 5, memory, sort))
    assert sum(decoded) == 5000
    for changed in ([*names[:2500], "new", *names[2500:]], names[:100] + names[101:], names):
        decoded.clear()
        _, parts = at_once(group_wire.reading_list_groups(reply(changed), 5, memory, sort))
        assert sum(parts) == len(changed)
        assert sum(decoded) <= 600


def test_a_reply_that_was_cut_short_is_not_remembered() -> None:
    memory: ReplyMemory[int] = ReplyMemory()
    reply = ends_reply({"a": {0: (0, 1), 1: (0, 2)}})
    with pytest.raises(WireError):
        at_once(requests.reading_list_offsets(Reader(reply[:-10]), memory, lambda *_: None))
    taken: list[int] = []
    at_once(
        requests.reading_list_offsets(
            Reader(reply), memory, lambda _topic, _index, _error, offset: taken.append(offset)
        )
    )
    assert taken == [1, 2]


def test_what_was_said_before_an_error_is_taken_anew_after_it() -> None:
    memory: ReplyMemory[int] = ReplyMemory()
    known: dict[int, int] = {}

    def take(_topic: str, index: int, error: int, offset: int) -> None:
        if not error:
            known[index] = offset

    for ends in ({0: (0, 1), 1: (0, 1)}, {0: (0, 2), 1: (6, -1)}, {0: (0, 1), 1: (0, 1)}):
        at_once(requests.reading_list_offsets(Reader(ends_reply({"a": ends})), memory, take))
    assert known == {0: 1, 1: 1}


def test_a_topic_that_another_broker_names_in_another_order_stays_the_same_object() -> None:
    def reply(order: list[int]) -> Reader:
        body = Writer().int32(0).array((), str).string("id").int32(1)

        def partition(index: int) -> None:
            body.int16(0).int32(index).int32(1).int32(4)
            body.array([1], body.int32).array([1], body.int32).array((), str)

        body.array(["a"], lambda name: body.int16(0).string(name).boolean(False).array(order, partition).int32(0))
        return Reader(body.done())

    first = requests.read_metadata(reply([0, 1])).topics
    again = at_once(requests.reading_metadata(reply([1, 0]), ReplyMemory(), first)).topics
    assert again["a"] is first["a"]


def test_names_that_are_gone_are_forgotten() -> None:
    memory: ReplyMemory[int] = ReplyMemory()
    for name in ("a", "b"):
        reader = Reader(b"\x00\x01")
        reader.int16()
        memory.record(reader, name, 0, 1)
    memory.retain({"a"})
    assert memory.recall(Reader(b"\x00\x01"), "a") == 1
    assert memory.recall(Reader(b"\x00\x01"), "b") is None
    memory.clear()
    assert memory.recall(Reader(b"\x00\x01"), "a") is None
