"""Each dead letter is counted once, whatever is read when; what was there, and what is only made again, never is."""

from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywatch.kafka.wire.requests import TopicPartition
from keywatch.probes.dead_letters.ledger import PATIENCE, DeadLetterLedger
from keywatch.probes.dead_letters.letter import DeadLetterReason as Reason
from keywatch.probes.dead_letters.reader import DeadLetterBatch, Letter, Stretch

PARTITION = TopicPartition("dead", 0)


class Log:
    """A partition and the ledger that follows it, `now` on a clock of the test's own."""

    def __init__(self, start: int = 0, end: int = 0, *, fresh: bool = False) -> None:
        self.start, self.end = start, end
        self.now = 100.0
        self.ledger = DeadLetterLedger()
        self.ledger.update({PARTITION: fresh})

    @property
    def counted(self) -> int:
        """How many new ones were counted so far."""
        return self.ledger.added.total()

    def measure(self) -> set[TopicPartition]:
        """Read the offsets."""
        shorter = self.ledger.take_ends({PARTITION: self.end}, self.now)
        self.ledger.take_starts({PARTITION: self.start})
        return shorter

    def read(self, most: int = 1000) -> dict[TopicPartition, Stretch]:
        """Read the records that are wanted, no more than `most`."""
        wanted = self.ledger.wanted([PARTITION], self.now)
        batch = DeadLetterBatch()
        for partition, stretch in wanted.items():
            offsets = range(max(stretch.start, self.start), min(stretch.end, self.end))[:most]
            batch.letters[partition] = [Letter(offset, Reason.TIMEOUT, 1000.0 + offset) for offset in offsets]
            batch.reached[partition] = offsets[-1] + 1 if offsets else stretch.start
        self.ledger.record(wanted, batch, self.now)
        return wanted

    def cycle(self, most: int = 1000, after: float = 0.5) -> None:
        """Do what a run does."""
        self.now += after
        shorter = self.measure()
        if shorter:
            self.ledger.cut(shorter)
        self.read(most)
        self.ledger.give_up(self.now)


def test_what_was_there_is_not_counted_and_its_newest_record_is_known() -> None:
    log = Log(10, 50)
    log.cycle()
    assert (log.counted, log.ledger.depth, log.ledger.span[1]) == (0, 40, 1049.0)
    log.end += 2
    log.cycle()
    assert (log.counted, log.ledger.depth, log.ledger.span[1]) == (2, 42, 1051.0)
    assert log.ledger.wanted([PARTITION], log.now) == {}, "nothing is read twice"


def test_records_so_large_that_one_reading_holds_one_are_not_read_again_and_again() -> None:
    log = Log(0, 10)
    stretches: list[Stretch] = []
    for _ in range(4):
        log.now += 0.5
        log.measure()
        stretches += log.read(most=1).values()
    assert stretches == [Stretch(7, 10), Stretch(8, 10), Stretch(9, 10)]
    log.end = 12
    log.cycle(most=1)
    log.cycle(most=1)
    assert (log.counted, log.ledger.span[1]) == (2, 1011.0)


def test_what_came_into_being_later_is_counted_from_its_beginning() -> None:
    log = Log(3, 8, fresh=True)
    log.cycle()
    assert log.ledger.added == {Reason.TIMEOUT: 5}


def test_a_partition_first_read_late_was_there_all_the_same() -> None:
    log = Log(0, 7)
    log.ledger.give_up(log.now)
    assert log.ledger.depth == 0
    log.cycle()
    assert log.counted == 0


def test_records_deleted_before_they_were_read_came_all_the_same() -> None:
    log = Log(0, 5)
    log.cycle()
    log.start, log.end = 9, 12
    log.cycle()
    assert log.ledger.added == {Reason.UNREAD: 4, Reason.TIMEOUT: 3}
    assert log.ledger.depth == 3


def test_records_that_cannot_be_read_count_without_reason_after_a_while() -> None:
    log = Log(0, 5)
    log.cycle()
    log.end = 8
    log.cycle(most=0)
    assert log.counted == 0
    log.cycle(most=0, after=PATIENCE)
    assert log.ledger.added == {Reason.UNREAD: 3}
    log.cycle()
    assert log.counted == 3, "they are not counted again when they can be read"
    assert log.ledger.span[1] == 1007.0


def test_records_that_may_not_be_read_count_without_reason_at_once_and_are_tried_now_and_then() -> None:
    log = Log(0, 5)
    log.measure()
    wanted = log.ledger.wanted([PARTITION], log.now)
    log.ledger.record(wanted, DeadLetterBatch(forbidden={"dead"}), log.now)
    log.end = 7
    log.measure()
    assert log.ledger.wanted([PARTITION], log.now) == {}
    log.ledger.give_up(log.now)
    assert log.ledger.added == {Reason.UNREAD: 2}
    log.now += 6
    assert log.read() == {PARTITION: Stretch(4, 7)}
    assert log.ledger.forbidden == {}
    assert (log.counted, log.ledger.span[1]) == (2, 1006.0)


def test_a_right_that_nothing_is_there_to_be_tried_on_is_not_missing_for_ever() -> None:
    log = Log(0, 5)
    log.measure()
    log.ledger.record({}, DeadLetterBatch(forbidden={"dead"}), log.now)
    log.start = 5
    for _ in range(50):
        log.cycle()
    assert log.ledger.forbidden == {}


def test_a_flood_is_counted_in_time_with_the_reasons_that_could_be_read() -> None:
    log = Log(0, 0)
    log.cycle()
    log.end = 100_000
    for _ in range(6):
        log.cycle(most=2000)
    assert log.counted == 100_000
    assert log.ledger.added[Reason.TIMEOUT] == 10_000


def test_each_record_has_its_time_to_be_read_though_others_keep_coming() -> None:
    log = Log(0, 0)
    log.cycle()
    for _ in range(20):
        log.end += 10
        log.cycle(most=8)
    assert log.counted < 200, "what came last may still be read"
    assert log.ledger.added[Reason.TIMEOUT] == 160


def test_a_log_that_lost_its_end_does_not_make_the_counter_jump() -> None:
    log = Log(0, 100)
    log.cycle()
    log.end = 95
    log.now += 0.5
    assert log.measure() == {PARTITION}
    log.ledger.cut([PARTITION])
    log.end = 97
    log.cycle()
    assert log.counted == 2


def test_a_topic_that_was_made_again_is_counted_from_its_beginning() -> None:
    log = Log(0, 100)
    log.cycle()
    log.end = 3
    log.ledger.renew("dead")
    log.cycle()
    assert (log.counted, log.ledger.depth) == (3, 3)


def test_a_topic_that_was_gone_and_is_the_same_goes_on_where_it_was() -> None:
    log = Log(0, 100)
    log.cycle()
    assert log.ledger.update({}) == set()
    assert log.ledger.depth == 0
    assert log.ledger.update({PARTITION: True}) == {"dead"}
    log.end = 101
    log.cycle()
    assert (log.counted, log.ledger.depth) == (1, 101)


def test_partitions_that_are_added_to_a_topic_are_new() -> None:
    log = Log(0, 100)
    log.cycle()
    added = TopicPartition("dead", 1)
    assert log.ledger.update({PARTITION: True, added: True}) == set()
    log.ledger.take_ends({added: 2}, log.now)
    log.ledger.take_starts({added: 0})
    assert log.ledger.wanted([PARTITION, added], log.now) == {added: Stretch(0, 2)}


def test_the_time_of_the_oldest_is_asked_for_when_it_may_have_changed() -> None:
    log = Log(0, 3)
    log.measure()
    assert log.ledger.untimed([PARTITION], log.now) == [PARTITION]
    log.ledger.take_times({PARTITION: 55.0}, log.now)
    assert log.ledger.span[0] == 55.0
    assert log.ledger.untimed([PARTITION], log.now + 59) == []
    assert log.ledger.untimed([PARTITION], log.now + 60) == [PARTITION]
    log.start = 1
    log.measure()
    assert log.ledger.untimed([PARTITION], log.now) == [PARTITION]
    log.start = 3
    log.measure()
    assert log.ledger.untimed([PARTITION], log.now) == []
    assert log.ledger.span == (None, None), "an empty queue has no oldest"


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.integers(0, 50)),
        st.tuples(st.just("delete"), st.integers(0, 50)),
        st.tuples(st.just("cycle"), st.integers(0, 30), st.sampled_from([0.5, PATIENCE])),
    ),
    max_size=40,
)


@pytest.mark.parametrize("fresh", [False, True])
@given(steps=STEPS)
def test_whatever_happens_in_between_each_record_is_counted_once(steps: list[tuple[object, ...]], fresh: bool) -> None:
    log = Log(0, 20, fresh=fresh)
    log.cycle()
    came = 20 if fresh else 0
    for step, *given_ in steps:
        number = cast("int", given_[0])
        if step == "append":
            log.end += number
            came += number
        elif step == "delete":
            log.start = min(log.start + number, log.end)
        else:
            log.cycle(number, cast("float", given_[1]))
            assert log.counted <= came
            assert log.ledger.depth == log.end - log.start
    log.cycle(after=PATIENCE)
    assert log.counted == came
