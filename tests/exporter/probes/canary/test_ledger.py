"""A record counts as lost only when reading went past its offset without it; late is late."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywatch.engine.probe import Reason
from keywatch.probes.canary.ledger import CanaryLedger


def ledger(*acknowledged: int) -> CanaryLedger:
    """Make a book in which records 1, 2, … were acknowledged at these offsets."""
    book = CanaryLedger(0)
    for sequence, offset in enumerate(acknowledged, start=1):
        book.sent(sequence, "1", 0.0)
        book.acknowledged(sequence, offset)
    return book


def lost(book: CanaryLedger) -> list[int]:
    return [entry.sequence for entry in book.losses()]


def test_a_record_that_is_read_back_is_settled_with_its_time() -> None:
    book = CanaryLedger(3)
    entry = book.sent(1, "2", 10.0)
    assert not entry.settled
    book.acknowledged(1, 100)
    assert not entry.settled  # acknowledged is only half the way
    assert book.record_read(1, 100, 10.5) is entry
    assert entry.settled
    assert (entry.partition, entry.broker, entry.sent, entry.received) == (3, "2", 10.0, 10.5)


def test_a_refused_record_is_settled_and_never_lost() -> None:
    book = CanaryLedger(0)
    entry = book.sent(1, "1", 0.0)
    book.failed(1, Reason.NOT_ENOUGH_REPLICAS, "too few")
    assert entry.settled
    book.record_read(None, 50, 1.0)
    assert lost(book) == []


@pytest.mark.parametrize(
    ("read_up_to", "expected"),
    [
        pytest.param([], [], id="nothing read yet: late, not lost"),
        pytest.param([9], [], id="reading has not come so far"),
        pytest.param([9, 10], [], id="read"),
        pytest.param([9, 11], [1], id="reading went past it"),
        pytest.param([99], [1], id="far past it"),
    ],
)
def test_a_record_is_lost_when_reading_went_past_it(read_up_to: list[int], expected: list[int]) -> None:
    book = ledger(10)
    for offset in read_up_to:
        book.record_read(1 if offset == 10 else None, offset, 1.0)
    assert lost(book) == expected
    assert lost(book) == []  # told once


def test_an_acknowledgement_may_come_after_the_record_was_read() -> None:
    book = CanaryLedger(0)
    book.sent(1, "1", 0.0)
    book.record_read(1, 10, 1.0)
    book.acknowledged(1, 10)
    book.record_read(None, 99, 2.0)
    assert lost(book) == []


def test_a_record_without_acknowledgement_is_not_lost_however_far_reading_went() -> None:
    book = CanaryLedger(0)
    book.sent(1, "1", 0.0)
    book.record_read(None, 1_000_000, 1.0)
    assert lost(book) == []


def test_a_record_read_twice_is_a_duplicate() -> None:
    book = ledger(10)
    assert book.record_read(1, 10, 1.0) is not None
    assert book.record_read(1, 11, 1.0) is None
    assert book.take_counts() == (1, 0)
    assert book.take_counts() == (0, 0)


def test_a_record_read_after_a_later_one_is_reordered() -> None:
    book = ledger(11, 10, 12)
    for offset, sequence in enumerate((2, 1, 3), start=10):
        book.record_read(sequence, offset, 1.0)
    assert book.take_counts() == (0, 1)


def test_when_reading_begins_again_at_an_earlier_place_nothing_is_duplicated_or_reordered() -> None:
    book = ledger(10, 11, 12)
    for sequence in (3, 1, 2, 3):
        book.record_read(sequence, 9 + sequence, 1.0)
    assert book.take_counts() == (0, 0)


def test_when_the_topic_was_made_anew_reading_begins_anew_and_nothing_of_before_is_lost() -> None:
    book = ledger(500, 501)
    book.record_read(1, 500, 1.0)
    for sequence in (3, 4):
        book.sent(sequence, "1", 2.0)
    assert book.acknowledged(3, 7), "before what was read: another topic"
    assert book.position == 7
    assert not book.acknowledged(4, 8), "that is known by now"
    assert lost(book) == []
    assert book.record_read(3, 7, 3.0) is not None
    assert book.record_read(None, 600, 4.0) is None
    assert lost(book) == [4], "record 2 was the old topic's"


def test_an_acknowledgement_behind_what_was_read_meanwhile_is_the_same_topics() -> None:
    book = CanaryLedger(0, position=5)
    book.sent(1, "1", 0.0)
    book.record_read(None, 9, 1.0)
    assert not book.acknowledged(1, 7)
    assert lost(book) == [1]


def test_another_instances_records_only_move_the_position() -> None:
    book = CanaryLedger(0, position=5)
    assert book.record_read(None, 7, 1.0) is None
    assert book.record_read(123, 3, 1.0) is None
    assert book.position == 8
    assert book.take_counts() == (0, 0)


def test_what_is_told_of_records_long_forgotten_is_passed_over() -> None:
    book = CanaryLedger(0)
    for sequence in range(5000):
        book.sent(sequence, "1", 0.0)
    book.acknowledged(0, 1)
    book.failed(1, Reason.RESET, "")
    assert book.record_read(2, 1, 1.0) is None
    assert book.record_read(4999, 2, 1.0) is not None


def test_what_is_kept_and_looked_at_does_not_grow() -> None:
    book = CanaryLedger(0)
    for sequence in range(20_000):
        book.sent(sequence, "1", 0.0)
        book.acknowledged(sequence, sequence)
        book.record_read(sequence, sequence, 0.1)
    assert len(book) <= 256
    assert not book._unread
    for sequence in range(20_000, 40_000):  # none comes back
        book.sent(sequence, "1", 0.0)
        book.acknowledged(sequence, sequence)
    assert len(book) <= 256 + 1024
    assert len(book._unread) <= 1024


def test_a_record_that_came_back_long_ago_is_known_when_it_comes_twice() -> None:
    book = ledger(*range(200))
    for sequence in range(1, 201):
        book.record_read(sequence, sequence - 1, 1.0)
    book.record_read(1, 500, 2.0)
    assert book.take_counts() == (1, 0)


@given(st.lists(st.sampled_from(["arrives", "vanishes", "refused"]), max_size=60), st.randoms())
def test_exactly_the_acknowledged_records_that_vanish_are_lost(fates: list[str], random: object) -> None:
    book, log = CanaryLedger(0), []
    for sequence, fate in enumerate(fates):
        book.sent(sequence, "1", 0.0)
        if fate == "refused":
            book.failed(sequence, Reason.REJECTED, "")
            continue
        book.acknowledged(sequence, sequence)
        if fate == "arrives":
            log.append(sequence)
    random.shuffle(log)  # type: ignore[attr-defined] # of random.Random, which hypothesis hides
    for sequence in log:
        book.record_read(sequence, sequence, 1.0)
    book.record_read(None, len(fates), 2.0)
    assert lost(book) == [sequence for sequence, fate in enumerate(fates) if fate == "vanishes"]
