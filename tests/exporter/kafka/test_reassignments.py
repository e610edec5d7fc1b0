"""Replicas that are yet to come are known: asked for when something lacks, remembered as long as it may be true."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar, cast

import pytest

from keywatch.engine.probe import Reason
from keywatch.engine.slices import Pieces, in_slices
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.peers import Peers
from keywatch.kafka.reassignments import Reassignments
from keywatch.kafka.wire.codec import Reader, Writer
from keywatch.kafka.wire.reassignments import Adding
from keywatch.kafka.wire.request import Request
from keywatch.kafka.wire.requests import LIST_PARTITION_REASSIGNMENTS, PartitionState
from tests.exporter.fakes.metadata import partition

_T = TypeVar("_T")
CALM = {0: partition(1, [1, 2])}
BEGUN = {0: partition(1, [1, 3, 2], [1, 2])}
LATER = {0: partition(1, [1, 3, 2], [1, 2])}
DONE = {0: partition(1, [1, 3])}
THREE: Adding = {"t": {0: frozenset({3})}}


class Brokers:
    """Answer with an error code, or which replicas partition 0 of topic t is given; None: not at all."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.error = 0
        self.answers: dict[str, list[int] | None] = {"1": [3], "2": [3]}

    async def ask_much(self, label: str, request: Request, timeout: float, read: Callable[[Reader], Pieces[_T]]) -> _T:
        """Answer ListPartitionReassignments."""
        assert request.api == LIST_PARTITION_REASSIGNMENTS
        assert timeout > 0
        self.asked.append(label)
        added = self.answers[label]
        if added is None:
            raise BrokerError(Reason.TIMEOUT_RESPONSE, "it hangs")
        body = Writer(flexible=True).int32(0).int16(self.error).string(None)

        def one(brokers: Sequence[int]) -> None:
            body.int32(0).array([1, *brokers, 2], body.int32).array(brokers, body.int32).array((), body.int32).tags()

        topics = ["t"] if added else []
        body.array(topics, lambda topic: body.string(topic).array([cast("Sequence[int]", added)], one).tags()).tags()
        return await in_slices(read(Reader(body.done(), flexible=True)))

    def close(self) -> None:
        """Nothing is held."""


class Bed:
    """One reading of metadata after the other."""

    def __init__(self) -> None:
        self.brokers = Brokers()
        self.it = Reassignments(cast("Peers", self.brokers))

    async def adding(self, states: Mapping[int, PartitionState], labels: Sequence[str] = ("1",)) -> Adding:
        """Tell of topic t."""
        return await self.it.adding({"t": states}, labels, 600.0, 600.0)


@pytest.fixture
def bed() -> Bed:
    """Return nothing that was read yet."""
    return Bed()


async def test_nobody_is_asked_while_nothing_lacks(bed: Bed) -> None:
    assert await bed.adding(CALM) == {}
    assert await bed.adding(CALM) == {}
    assert bed.brokers.asked == []
    assert await bed.adding(BEGUN) == THREE
    assert await bed.adding(DONE) == {}
    assert bed.brokers.asked == ["1"]


async def test_one_that_ended_after_metadata_was_read_counts_once_more_and_no_longer(bed: Bed) -> None:
    assert await bed.adding(BEGUN) == THREE
    bed.brokers.answers["1"] = []
    assert await bed.adding(LATER) == THREE
    assert await bed.adding(BEGUN) == {}, "then it is a lack"


async def test_what_lacks_for_another_reason_is_not_taken_for_one_that_is_coming(bed: Bed) -> None:
    bed.brokers.answers["1"] = []
    assert await bed.adding({0: partition(1, [1, 2], [1])}) == {}


async def test_with_zookeeper_only_the_controller_knows_and_a_broker_that_hangs_does_not_count(bed: Bed) -> None:
    bed.brokers.answers["1"] = None
    assert await bed.adding(BEGUN, ["1", "2"]) == THREE
    bed.brokers.answers["2"] = None
    assert await bed.adding(LATER, ["1", "2"]) == THREE, "what was heard last stands"


async def test_a_broker_that_needs_long_is_heard_later(bed: Bed) -> None:
    answer = asyncio.Event()
    ask = bed.brokers.ask_much

    async def slow(label: str, request: Request, timeout: float, read: Callable[[Reader], Pieces[_T]]) -> _T:
        await answer.wait()
        return await ask(label, request, timeout, read)

    bed.brokers.ask_much = slow  # type: ignore[method-assign]
    assert await bed.it.adding({"t": BEGUN}, ["1"], 600.0, 0.0) == {}
    answer.set()
    assert await bed.it.adding({"t": LATER}, ["1"], 600.0, 600.0) == THREE
    assert bed.brokers.asked == ["1"]
    bed.it.close()


async def test_without_the_right_those_count_that_were_seen_to_begin_until_they_are_there(bed: Bed) -> None:
    bed.brokers.error = 31
    assert await bed.adding(BEGUN) == {}, "it was under way before"
    bed.it, bed.brokers.asked = Reassignments(cast("Peers", bed.brokers)), []
    assert await bed.adding(CALM) == {}
    assert await bed.adding(BEGUN) == THREE
    for _ in range(59):
        assert await bed.adding(LATER) == THREE
    assert len(bed.brokers.asked) == 1, "brokers log each refusal"
    assert await bed.adding(BEGUN) == THREE
    assert len(bed.brokers.asked) == 2
    assert await bed.adding({0: partition(1, [1, 3, 2])}) == {}
    assert await bed.adding({0: partition(1, [1, 3, 2], [1, 2])}) == {}, "it had caught up, and lacks now"
    assert await bed.adding(CALM) == {}
