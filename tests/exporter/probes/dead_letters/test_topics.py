"""The probe of dead-letter topics: what is there, what comes, what is gone, hidden, dead or forbidden."""

from __future__ import annotations

from keywatch.engine.probe import Reason
from keywatch.metrics import dead_letters as cat
from keywatch.probes.dead_letters.letter import DeadLetterReason
from tests.exporter.fakes.dead_letter_topics import LABELS, WRITTEN, Bed


def added(bed: Bed) -> dict[str, float]:
    """Return the counters that are not 0."""
    return {labels[2]: count for labels, count in bed.store.counters[cat.DLQ_ADDED_TOTAL].items() if count}


async def test_depth_age_and_counters_are_there_before_the_first_dead_letter() -> None:
    bed = Bed()
    bed.put("dead-a", [5, 10], [0, 0])
    bed.put("dead-b", [0, 3], number=2)
    bed.put("living", [0, 1000], number=3)
    bed.learn()
    await bed.run()
    assert bed.store.counters[cat.DLQ_ADDED_TOTAL] == {(*LABELS, reason): 0.0 for reason in DeadLetterReason}
    assert (bed.value(cat.DLQ_UP), bed.value(cat.DLQ_RECORDS), bed.value(cat.DLQ_UNREADABLE)) == (1, 8, 0)
    assert bed.value(cat.DLQ_OLDEST_TIMESTAMP_SECONDS) == WRITTEN
    assert bed.value(cat.DLQ_NEWEST_TIMESTAMP_SECONDS) == WRITTEN + 9 * 60
    bed.peers.topics["dead-a"].spans[1][1] = 2
    await bed.run()
    assert (added(bed), bed.value(cat.DLQ_RECORDS)) == ({"timeout": 2}, 10)
    await bed.run()
    assert added(bed) == {"timeout": 2}
    assert bed.notes == []


async def test_without_metadata_the_queue_is_down_and_its_counters_are_there() -> None:
    bed = Bed()
    bed.probe.schedule = bed.probe.schedule.__class__(0.5, 0.02)
    failed = await bed.fails()
    assert failed.reason is Reason.NO_METADATA
    assert (bed.value(cat.DLQ_UP), bed.value(cat.DLQ_RECORDS)) == (0, None)
    assert bed.value(cat.DLQ_ADDED_TOTAL, "none") == 0


async def test_topics_that_appear_later_are_counted_from_their_beginning() -> None:
    bed = Bed()
    bed.learn()
    await bed.run()
    assert (bed.value(cat.DLQ_UP), bed.value(cat.DLQ_RECORDS)) == (0, 0)
    assert bed.notes == ["missing: no topic is there that matches"]
    bed.put("dead-new", [0, 4])
    bed.learn()
    await bed.run()
    assert (bed.value(cat.DLQ_UP), bed.value(cat.DLQ_RECORDS)) == (1, 4)
    assert added(bed) == {"timeout": 4}


async def test_a_topic_named_in_full_that_is_missing_is_named() -> None:
    bed = Bed("dead-a", "dead-b", named=("dead-a", "dead-b"))
    bed.put("dead-a", [0, 1])
    bed.learn()
    await bed.run()
    assert bed.value(cat.DLQ_UP) == 0
    assert bed.notes == ["missing: topic dead-b does not exist"]
    assert bed.value(cat.DLQ_RECORDS) == 1


async def test_a_topic_deleted_and_made_again_does_not_make_the_counter_jump() -> None:
    bed = Bed()
    bed.put("dead-a", [0, 100])
    bed.learn()
    await bed.run()
    del bed.peers.topics["dead-a"]
    bed.learn()
    await bed.run()
    assert bed.value(cat.DLQ_RECORDS) == 0
    bed.put("dead-a", [0, 100], number=7)
    bed.learn()
    await bed.run()
    assert (added(bed), bed.value(cat.DLQ_RECORDS)) == ({"timeout": 100}, 100), "all of it is new"
    bed.peers.topics["dead-a"].spans[0][1] = 101
    await bed.run()
    assert added(bed) == {"timeout": 101}


async def test_a_topic_made_again_between_two_looks_is_counted_from_its_beginning() -> None:
    bed = Bed()
    bed.put("dead-a", [0, 100])
    bed.learn()
    await bed.run()
    bed.put("dead-a", [0, 3], number=7)  # with leaders as before, so that metadata says the same
    await bed.run(after=10)
    assert (added(bed), bed.value(cat.DLQ_RECORDS)) == ({"timeout": 3}, 3)


async def test_a_topic_that_lost_its_last_records_counts_what_comes_next() -> None:
    bed = Bed()
    bed.put("dead-a", [0, 100])
    bed.learn()
    await bed.run()
    bed.peers.topics["dead-a"].spans[0][1] = 90
    await bed.run(after=10)
    assert (added(bed), bed.value(cat.DLQ_RECORDS)) == ({}, 90)
    bed.peers.topics["dead-a"].spans[0][1] = 92
    await bed.run()
    assert added(bed) == {"timeout": 2}


async def test_a_topic_that_metadata_lost_for_a_moment_goes_on_where_it_was() -> None:
    bed = Bed()
    bed.put("dead-a", [0, 100])
    bed.learn()
    await bed.run()
    kept = bed.peers.topics.pop("dead-a")
    bed.learn()
    await bed.run()
    bed.peers.topics["dead-a"] = kept
    kept.spans[0][1] = 101
    bed.learn()
    bed.peers.silent = True
    await bed.run()
    assert added(bed) == {}, "nobody says yet which topic it is"
    assert bed.value(cat.DLQ_RECORDS) == 100
    bed.peers.silent = False
    await bed.run()
    assert (added(bed), bed.value(cat.DLQ_RECORDS)) == ({"timeout": 1}, 101)


async def test_where_brokers_are_too_old_to_tell_a_topic_that_was_gone_is_another() -> None:
    bed = Bed()
    bed.peers.old = True
    bed.put("dead-a", [0, 100])
    bed.learn()
    await bed.run()
    kept = bed.peers.topics.pop("dead-a")
    bed.learn()
    await bed.run()
    bed.peers.topics["dead-a"] = kept
    kept.spans[0][1] = 2
    bed.learn()
    await bed.run()
    assert added(bed) == {"timeout": 2}


async def test_a_dead_leaders_partition_keeps_its_depth_and_is_counted_as_unreadable() -> None:
    bed = Bed()
    bed.put("dead-a", [0, 10], [0, 20])
    bed.learn()
    await bed.run()
    bed.peers.down.add("2")
    bed.topology.report("2", up=False, reason=Reason.REFUSED)
    bed.peers.topics["dead-a"].spans[0][1] = 11
    await bed.run()
    assert (bed.value(cat.DLQ_UP), bed.value(cat.DLQ_RECORDS), bed.value(cat.DLQ_UNREADABLE)) == (1, 31, 1)
    assert bed.value(cat.DLQ_UNREADABLE_REASON, "no_leader") == 1
    assert bed.notes == ["cannot be read, no_leader: 1, such as dead-a/1"]
    bed.peers.down.add("1")
    bed.topology.report("1", up=False, reason=Reason.REFUSED)
    failed = await bed.fails()
    assert failed.reason is Reason.NO_LEADER
    assert (bed.value(cat.DLQ_UP), bed.value(cat.DLQ_RECORDS), bed.value(cat.DLQ_UNREADABLE)) == (0, 31, 2)
    bed.peers.down.clear()
    for broker in ("1", "2"):
        bed.topology.report(broker, up=True)
    bed.peers.topics["dead-a"].spans[1][1] = 21
    await bed.run()
    assert (bed.value(cat.DLQ_UP), bed.value(cat.DLQ_RECORDS), bed.value(cat.DLQ_UNREADABLE)) == (1, 32, 0)
    assert bed.value(cat.DLQ_UNREADABLE_REASON, "no_leader") == 0
    assert added(bed) == {"timeout": 2}


async def test_a_right_to_describe_taken_away_is_named_and_given_back_counts_nothing_twice() -> None:
    bed = Bed(named=("dead-a",))
    bed.put("dead-a", [0, 10])
    bed.learn()
    await bed.run()
    bed.learn(without={"dead-a"})
    failed = await bed.fails()
    assert (failed.reason, failed.detail) == (Reason.AUTHORIZATION, "Describe on Topic:dead-a is missing")
    assert (bed.value(cat.DLQ_UP), bed.value(cat.DLQ_RECORDS), bed.value(cat.DLQ_UNREADABLE)) == (0, 10, 1)
    assert bed.value(cat.DLQ_UNREADABLE_REASON, "authorization") == 1
    bed.peers.topics["dead-a"].spans[0][1] = 12
    bed.learn()
    await bed.run()
    assert (bed.value(cat.DLQ_UP), bed.value(cat.DLQ_RECORDS)) == (1, 12)
    assert added(bed) == {"timeout": 2}


async def test_a_topic_that_could_not_be_seen_at_first_was_there_all_the_same() -> None:
    bed = Bed(named=("dead-a",))
    bed.put("dead-a", [0, 10])
    bed.learn(without={"dead-a"})
    failed = await bed.fails()
    assert failed.detail == "Describe on Topic:dead-a is missing"
    bed.learn()
    await bed.run()
    assert (bed.value(cat.DLQ_RECORDS), added(bed)) == (10, {})


async def test_without_the_right_to_read_dead_letters_count_without_reason_and_the_right_is_named() -> None:
    bed = Bed()
    bed.put("dead-a", [0, 10])
    bed.letters.forbidden.add("dead-a")
    bed.learn()
    failed = await bed.fails()
    assert failed.reason is Reason.AUTHORIZATION
    assert failed.detail.startswith("Read on Topic:dead-a is missing")
    assert (bed.value(cat.DLQ_UP), bed.value(cat.DLQ_RECORDS), bed.value(cat.DLQ_UNREADABLE)) == (0, 10, 1)
    bed.peers.topics["dead-a"].spans[0][1] = 12
    await bed.fails()
    assert added(bed) == {"unread": 2}
    bed.letters.forbidden.clear()
    await bed.run(after=6)
    assert (bed.value(cat.DLQ_UP), bed.value(cat.DLQ_UNREADABLE)) == (1, 0)
    assert added(bed) == {"unread": 2}


async def test_a_reader_that_hangs_costs_the_reason_and_not_the_dead_letter() -> None:
    bed = Bed()
    bed.put("dead-a", [0, 10])
    bed.learn()
    await bed.run()
    bed.letters.stuck = True
    bed.peers.topics["dead-a"].spans[0][1] = 13
    await bed.run()
    assert (added(bed), bed.value(cat.DLQ_RECORDS)) == ({}, 13)
    await bed.run(after=2)
    assert added(bed) == {"unread": 3}


async def test_an_emptied_topic_has_no_age() -> None:
    bed = Bed()
    bed.put("dead-a", [0, 10])
    bed.learn()
    await bed.run()
    bed.peers.topics["dead-a"].spans[0][0] = 10
    await bed.run()
    assert bed.value(cat.DLQ_RECORDS) == 0
    assert bed.value(cat.DLQ_OLDEST_TIMESTAMP_SECONDS) is None
    assert bed.value(cat.DLQ_NEWEST_TIMESTAMP_SECONDS) is None


async def test_closing_lets_go_of_the_reader() -> None:
    bed = Bed()
    await bed.probe.close()
    assert bed.letters.closed
