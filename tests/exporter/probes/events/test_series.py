"""Tallies become series: at 0 from the beginning, counted once, bounded by realms."""

from __future__ import annotations

from collections import Counter

from keywatch.engine.probe import Sample
from keywatch.listeners.profile import MalformedReason, Outcome
from keywatch.metrics import events as cat
from keywatch.metrics.metric import Metric
from keywatch.probes.events.digest import EventTally
from keywatch.probes.events.realms import Realms
from keywatch.probes.events.seen import EventsSeen
from keywatch.probes.events.series import EventSeries


def series(sheet: EventSeries, metric: Metric) -> dict[tuple[str, ...], float]:
    samples, _ = sheet.drain()
    return {labels[2:]: value for one, labels, value, _ in samples if one is metric}


def tally(realm: str = "r", count: int = 1, moment: float = 10.0) -> EventTally:
    return EventTally(received=Counter({(realm, "logout", Outcome.SUCCESS): count}), last={realm: moment})


def test_what_can_be_named_beforehand_stands_at_0() -> None:
    sheet = EventSeries("c", "l", Realms({"id": "shop"}, 10))
    samples, delays = sheet.drain()
    found = {(one, labels): value for one, labels, value, _ in samples}
    assert set(found.values()) == {0.0}
    assert {labels[2] for one, labels in found if one is cat.EVENTS_MALFORMED_TOTAL} == set(MalformedReason)
    assert {labels[2:] for one, labels in found if one is cat.EVENTS_RECEIVED_TOTAL} == {
        ("shop", "login", "success"),
        ("shop", "login", "error"),
    }
    for metric in (cat.EVENTS_DUPLICATED_TOTAL, cat.EVENTS_CLOCK_SKEWED_TOTAL, cat.EVENTS_BYTES_TOTAL):
        assert found[metric, ("c", "l")] == 0
    assert [(metric, labels, sum(each.counts)) for metric, labels, each in delays] == [
        (cat.EVENT_DELIVERY_DELAY_SECONDS, ("c", "l"), 0),
        (cat.EVENT_ARRIVAL_DELAY_SECONDS, ("c", "l"), 0),
    ]


def test_each_batch_is_told_once() -> None:
    sheet = EventSeries("c", "l", Realms({}, 10))
    for _ in range(2):
        sheet.add(tally(count=3))
    sheet.skip(7)
    samples, _ = sheet.drain()
    told = {(one, labels): value for one, labels, value, _ in samples}
    assert told[cat.EVENTS_RECEIVED_TOTAL, ("c", "l", "r", "logout", "success")] == 6
    assert told[cat.EVENTS_RECEIVED_TOTAL, ("c", "l", "r", "login", "error")] == 0, "a new realm's logins stand at 0"
    assert told[cat.EVENTS_SKIPPED_RECORDS_TOTAL, ("c", "l")] == 7
    assert series(sheet, cat.EVENTS_RECEIVED_TOTAL) == {}


def test_where_the_newest_malformed_record_lies_is_told_with_its_count() -> None:
    sheet = EventSeries("c", "l", Realms({}, 10))
    for offset in (41, 42):
        where = {MalformedReason.NOT_JSON: f"offset {offset}"}
        sheet.add(EventTally(malformed=Counter({MalformedReason.NOT_JSON: 1}), malformed_at=where))
    malformed = ("c", "l", MalformedReason.NOT_JSON)
    assert Sample(cat.EVENTS_MALFORMED_TOTAL, malformed, 2.0, "the newest: offset 42") in sheet.drain()[0]
    assert Sample(cat.EVENTS_MALFORMED_TOTAL, malformed, 0.0) in EventSeries("c", "l", Realms({}, 10)).drain()[0]


def test_the_last_moment_stays_and_never_goes_back() -> None:
    sheet = EventSeries("c", "l", Realms({}, 1))
    sheet.add(tally(moment=10.0))
    sheet.add(tally(moment=5.0))
    assert series(sheet, cat.EVENT_LAST_TIMESTAMP_SECONDS) == {("r",): 10.0}
    sheet.add(tally("x", moment=11.0))
    sheet.add(tally("y", moment=12.0))
    assert series(sheet, cat.EVENT_LAST_TIMESTAMP_SECONDS) == {("r",): 10.0, ("other",): 12.0}


def test_realms_beyond_the_bound_share_one_series_and_none_of_their_events_is_missing() -> None:
    sheet = EventSeries("c", "l", Realms({}, 3))
    for number in range(20_000):
        sheet.add(tally(f"r-{number}"))
    found = series(sheet, cat.EVENTS_RECEIVED_TOTAL)
    assert len(found) == 4 * 3
    assert found["other", "logout", "success"] == 19_997
    assert len(sheet._last) == 10_000


def test_who_listens_is_told_and_how_far_it_is_complete() -> None:
    seen = EventsSeen("l", Realms({}, 1))
    assert not seen.wanted
    heard: list[object] = []
    seen.on_batch(heard.append)
    assert seen.wanted
    seen.hand_on([])
    assert heard == [[]]
    assert (seen.caught_up, seen.since, seen.complete_until, seen.unbroken_since) == (False, None, None, None)
    seen.judge(10.0, 10.0, caught_up=True, leaders_live=True)
    seen.judge(11.0, 11.0, caught_up=True, leaders_live=True)
    assert (seen.caught_up, seen.since, seen.complete_until, seen.unbroken_since) == (True, 10.0, 11.0, 10.0)
    seen.judge(12.0, 11.5, caught_up=False, leaders_live=False)
    assert (seen.caught_up, seen.since, seen.complete_until, seen.unbroken_since) == (False, None, 11.5, 10.0)
    assert not seen.leaders_live
    seen.judge(13.0, None, caught_up=False, leaders_live=False)
    assert (seen.since, seen.complete_until, seen.unbroken_since) == (None, 11.5, 10.0)
    seen.judge(14.0, 14.0, caught_up=True, leaders_live=True)
    assert (seen.since, seen.complete_until, seen.unbroken_since) == (14.0, 14.0, 10.0)
    seen.interrupt()
    seen.judge(15.0, 15.0, caught_up=True, leaders_live=True)
    assert (seen.since, seen.complete_until, seen.unbroken_since) == (15.0, 15.0, 15.0)
