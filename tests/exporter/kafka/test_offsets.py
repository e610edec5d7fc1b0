"""Offsets that are read again and again are those of the cluster, also after truncation and cancelled readings."""

from __future__ import annotations

import asyncio
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keywatch.config.endpoint import Endpoint
from keywatch.engine.probe import Reason
from keywatch.kafka.offsets import Watermarks, read_offsets
from keywatch.kafka.peers import Peers
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import requests
from keywatch.kafka.wire.requests import TopicPartition
from tests.exporter.fakes.fake_cluster import FakePeers
from tests.exporter.fakes.metadata import metadata, partition

PARTITIONS = [TopicPartition(topic, index) for topic in ("a", "b") for index in range(2)]
WANTED = {"a": (0, 1), "b": (0, 1)}


class Bed:
    """Two brokers and what is known of their offsets."""

    def __init__(self) -> None:
        self.peers = FakePeers(ends=dict.fromkeys(PARTITIONS, 5))
        self.topology = Topology([Endpoint("k1", 9092)])
        self.lead(1)
        self.marks = Watermarks(self.topology, cast("Peers", self.peers), requests.END)

    def lead(self, first: int) -> None:
        """Have a broker lead partition 0 of each topic; broker 2 leads the others."""
        states = [partition(first, [1]), partition(2, [2])]
        self.topology.record(metadata([1, 2], dict.fromkeys(("a", "b"), states)))

    async def read(self) -> tuple[set[TopicPartition], set[TopicPartition]]:
        """Read, and tell what changed and what is unread."""
        reading = await self.marks.fetch(WANTED, 1.0)
        return reading.changed, set(reading.unread)


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("end"), st.sampled_from(PARTITIONS), st.integers(0, 9)),
        st.tuples(st.just("lead"), st.integers(1, 2)),
        st.tuples(st.just("down"), st.sampled_from(["1", "2"])),
        st.tuples(st.just("up"), st.sampled_from(["1", "2"])),
        st.tuples(st.just("put"), st.sampled_from(PARTITIONS), st.integers(0, 9)),
        st.tuples(st.just("read")),
    ),
    max_size=30,
)


@settings(deadline=None)
@given(OPERATIONS)
def test_what_is_known_is_what_was_there_when_it_was_last_read(operations: list[tuple[object, ...]]) -> None:
    bed = Bed()
    seen: dict[TopicPartition, int] = {}
    for name, *rest in operations:
        if name == "end":
            bed.peers.ends[cast("TopicPartition", rest[0])] = cast("int", rest[1])
        elif name == "lead":
            bed.lead(cast("int", rest[0]))
        elif name == "down":
            bed.peers.down.add(cast("str", rest[0]))
        elif name == "up":
            bed.peers.down.discard(cast("str", rest[0]))
        elif name == "put":
            where, offset = cast("tuple[TopicPartition, int]", tuple(rest))
            assert bed.marks.record(where, offset) == (seen.get(where) != offset)
            seen[where] = offset
        else:
            changed, unread = asyncio.run(bed.read())
            now = {one: end for one, end in bed.peers.ends.items() if one not in unread}
            assert changed == {one for one, end in now.items() if seen.get(one) != end}
            seen |= now
        assert {one: end for one in PARTITIONS if (end := bed.marks.get(one)) is not None} == seen


async def test_what_changed_in_a_reading_that_was_cancelled_is_told_by_the_next() -> None:
    bed = Bed()
    await bed.read()
    bed.peers.ends[PARTITIONS[0]] = 7
    reading = asyncio.ensure_future(bed.read())
    bed.peers.after_reply = reading.cancel
    with pytest.raises(asyncio.CancelledError):
        await reading
    bed.peers.after_reply = None
    changed, _ = await bed.read()
    assert changed == {PARTITIONS[0]}


async def test_a_reading_that_was_cut_short_in_the_middle_of_a_topic_is_not_taken_for_a_whole_one() -> None:
    bed = Bed()
    await bed.read()
    bed.peers.ends[PARTITIONS[0]], bed.peers.interrupt = 7, True
    with pytest.raises(asyncio.CancelledError):
        await bed.read()
    bed.peers.ends[PARTITIONS[0]], bed.peers.interrupt = 5, False  # truncated, as after an unclean election
    await bed.read()
    assert bed.marks.get(PARTITIONS[0]) == 5


async def test_partitions_that_cannot_be_asked_for_say_why() -> None:
    bed = Bed()
    bed.peers.ends.pop(PARTITIONS[0])
    bed.topology.report("2", up=False, reason=Reason.REFUSED)
    peers = cast("Peers", bed.peers)
    read = await read_offsets(bed.topology, peers, [*PARTITIONS, TopicPartition("c", 0)], requests.END, 1.0)
    assert read.found == {PARTITIONS[2]: 5}
    assert {one: reason for one, (reason, _) in read.unread.items()} == {
        PARTITIONS[0]: Reason.UNKNOWN_TOPIC,
        PARTITIONS[1]: Reason.NO_LEADER,
        PARTITIONS[3]: Reason.NO_LEADER,
        TopicPartition("c", 0): Reason.UNKNOWN_TOPIC,
    }
    assert not bed.topology.calm()
