"""A group's lag is reckoned from what is known, larger rather than smaller, and says when it is not certain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywatch.kafka.records.search import Found, Position
from keywatch.kafka.wire.requests import TopicPartition
from keywatch.probes.groups.lag import Bounds, EndHistory, PartitionLag, by_topic, reckon

P = TopicPartition("events", 0)
NOW = 1000.0


class Times:
    """Record times that were found out: offset to time, None where no record follows."""

    def __init__(self, found: dict[int, float | None] | None = None, *, at: int | None = None) -> None:
        self._found = found or {}
        self._at = at

    def at(self, position: Position) -> Found | None:
        """Return what was found out, of a record at the offset itself or the one given."""
        if position.offset not in self._found:
            return None
        return Found(position.offset if self._at is None else self._at, self._found[position.offset], settled=True)

    def before(self, position: Position) -> float | None:
        """Return the nearest earlier one."""
        earlier = [offset for offset, time in self._found.items() if offset <= position.offset and time is not None]
        return self._found[max(earlier)] if earlier else None


def history(*seen: tuple[int, float]) -> EndHistory:
    it = EndHistory()
    for end, when in seen:
        it.record(end, when)
    return it


def lag(
    committed: int, end: int | None, times: Times, ends: EndHistory | None = None, start: int | None = None
) -> PartitionLag:
    return reckon(P, committed, Bounds(start, end), verified=True, times=times, history=ends, now=NOW)


@pytest.mark.parametrize(
    ("committed", "end", "times", "ends", "records", "seconds", "estimated"),
    [
        pytest.param(10, 10, Times(), None, 0, 0.0, False, id="nothing to read"),
        pytest.param(7, 10, Times({7: 940.0}), None, 3, 60.0, False, id="the record's own timestamp"),
        pytest.param(7, 10, Times({7: 940.0}), history((7, 990), (10, 995)), 3, 60.0, False, id="which wins"),
        pytest.param(7, 10, Times({7: 1010.0}), None, 3, 0.0, False, id="a timestamp in the future"),
        pytest.param(
            7, 10, Times({7: 1010.0}), history((7, 990), (10, 995)), 3, 5.0, False, id="as old as it was seen to exist"
        ),
        pytest.param(
            3,
            10,
            Times({3: 997.0}, at=8),
            history((2, 980), (7, 985), (10, 990)),
            7,
            10.0,
            False,
            id="seen to exist: the record that was found, not the offset of the commit",
        ),
        pytest.param(7, 10, Times({7: None}), None, 3, 0.0, False, id="only transaction markers are left"),
        pytest.param(7, 10, Times(), history((7, 990), (10, 995)), 3, 5.0, True, id="when it was first seen"),
        pytest.param(7, 10, Times({3: 900.0}), history((10, 995)), 3, 100.0, True, id="an earlier record's time"),
        pytest.param(7, 10, Times({3: 900.0, 5: 950.0, 8: 999.0}), None, 3, 50.0, True, id="the nearest earlier"),
        pytest.param(7, 10, Times(), history((10, 995)), 3, None, True, id="nothing is known of its time"),
        pytest.param(7, 10, Times(), None, 3, None, True, id="no history at all"),
    ],
)
def test_a_partitions_lag(
    committed: int,
    end: int,
    times: Times,
    ends: EndHistory | None,
    records: int,
    seconds: float | None,
    estimated: bool,
) -> None:
    assert lag(committed, end, times, ends) == PartitionLag(P, committed, records, seconds, True, estimated)


def test_a_commit_beyond_the_end_is_no_lag_and_is_told() -> None:
    found = lag(12, 10, Times())
    assert (found.records, found.seconds, found.astray) == (0, 0.0, "commit 12 is beyond the end 10")


def test_what_was_removed_is_no_lag_and_is_told() -> None:
    found = lag(2, 10, Times({2: 100.0, 6: 940.0}), start=6)
    assert (found.records, found.seconds, found.estimated) == (4, 60.0, False)
    assert found.astray == "4 records were removed before they were read, commit 2"
    assert lag(2, 10, Times(), start=10)[2:4] == (0, 0.0)
    assert lag(6, 10, Times({6: 940.0}), start=6).astray == ""


def test_a_start_beyond_the_end_belongs_to_a_topic_of_before() -> None:
    found = lag(2, 10, Times({2: 940.0}), start=50)
    assert (found.records, found.seconds, found.astray) == (8, 60.0, "")


def test_of_offsets_that_were_not_read_now_nothing_is_said_to_be_out_of_range() -> None:
    found = reckon(P, 12, Bounds(None, 10), verified=False, times=Times(), history=None, now=NOW)
    assert (found.records, found.astray) == (0, "")


def test_without_an_end_nothing_is_claimed() -> None:
    assert lag(7, None, Times({7: 940.0})) == PartitionLag(P, 7, None, None, verified=False, estimated=False)


def test_an_end_that_is_only_remembered_is_marked() -> None:
    found = reckon(P, 7, Bounds(0, 10), verified=False, times=Times({7: 940.0}), history=None, now=NOW)
    assert (found.records, found.seconds, found.verified) == (3, 60.0, False)


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1)), min_size=1, max_size=40), st.integers(0, 60))
def test_an_arrival_is_never_told_later_than_it_was_seen(steps: list[tuple[int, float]], offset: int) -> None:
    ends, end, now, first_seen = EndHistory(), 0, 0.0, None
    for more, pause in steps:
        end, now = end + more, now + pause
        ends.record(end, now)
        if first_seen is None and end > offset:
            first_seen = now
    told = ends.arrival(offset)
    assert told is None or told == first_seen


@pytest.mark.parametrize(
    ("offset", "arrival"), [(4, None), (5, 2.0), (6, 2.0), (7, 3.0), (9, 3.0), (10, None), (11, None)]
)
def test_an_arrival_is_the_first_end_beyond_the_record(offset: int, arrival: float | None) -> None:
    # Records before the first end may be of any age, records from the last end on do not exist yet.
    assert history((5, 1.0), (7, 2.0), (7, 2.5), (10, 3.0)).arrival(offset) == arrival


def test_a_truncated_partition_starts_its_history_anew() -> None:
    it = history((5, 1.0), (10, 2.0))
    assert it.record(3, 3.0), "it says so"
    assert it.arrival(7) is None
    assert not it.record(3, 3.5)
    it.record(8, 4.0)
    assert it.arrival(7) == 4.0


def test_the_history_is_bounded() -> None:
    it = history(*((end, float(end)) for end in range(5000)))
    assert len(it) == 600
    assert it.arrival(10) is None
    assert it.arrival(4990) == 4991.0


def test_topics_sum_records_and_take_the_worst_seconds_and_count_what_is_uncertain() -> None:
    def part(
        index: int, records: int | None, seconds: float | None, *, verified: bool, estimated: bool, astray: str = ""
    ) -> PartitionLag:
        return PartitionLag(TopicPartition("events", index), 0, records, seconds, verified, estimated, astray)

    lags = [
        part(0, 5, 10.0, verified=True, estimated=False),
        part(1, 7, 60.0, verified=False, estimated=True),
        part(2, None, None, verified=False, estimated=False),
        part(3, 1, None, verified=True, estimated=True, astray="it is astray"),
        PartitionLag(TopicPartition("other", 0), 0, None, None, verified=False, estimated=False),
    ]
    topics = by_topic(lags)
    events, other = topics["events"], topics["other"]
    assert (events.records, events.seconds, events.unknown, events.estimated) == (13, 60.0, 2, 2)
    assert (other.records, other.seconds, other.unknown, other.estimated) == (None, None, 1, 0)
    assert (events.astray, events.words, other.astray) == (1, "partition 3: it is astray", 0)
    assert by_topic([]) == {}
