"""Batches are counted right: events once, their delays and clocks, what is malformed, and what became of each realm."""

from __future__ import annotations

import pytest

from keywatch.kafka.records.record import Moment, Record
from keywatch.listeners.known import KNOWN
from keywatch.listeners.parser import Parser
from keywatch.listeners.profile import MalformedReason
from keywatch.metrics.events import EVENT_DELIVERY_DELAY_SECONDS
from keywatch.probes.events.digest import Digest, EventTally
from keywatch.probes.events.seen import SeenEvent
from tests.exporter.listeners.records import ADMIN, ERROR, REALM, SUCCESS, TIME, USER, admin, user

NOW = Moment(TIME / 1000 + 2.0, 50.0)


def record(kind: str = "user", *, written: float | None = 0.25, key: bytes | None = None, **fields: object) -> Record:
    """Make a record of snuk87's that was written `written` seconds after its event."""
    made = user("snuk87", **fields) if kind == "user" else admin("snuk87", **fields)  # type: ignore[arg-type]
    return Record(made.topic, key, made.value, None if written is None else TIME / 1000 + written)


def digest(window: int = 100) -> Digest:
    return Digest(Parser(KNOWN["snuk87"]).parse, window)


def counted(*records: Record, on_time: bool = True, wanted: bool = False) -> EventTally:
    return digest().batch(records, NOW, on_time=on_time, wanted=wanted)


def test_events_are_counted_by_realm_event_and_outcome() -> None:
    tally = counted(record(id="1"), record(id="2", type_="LOGIN_ERROR"), record("admin", id="3"), record(id="4"))
    assert tally.received == {
        (REALM, "login", SUCCESS): 2,
        (REALM, "login", ERROR): 1,
        (REALM, "admin_create", SUCCESS): 1,
    }
    assert tally.names == {REALM: "shop"}
    assert tally.last == {REALM: TIME / 1000}
    assert tally.seen == []


def test_malformed_records_are_counted_by_reason_and_their_bytes_too() -> None:
    first, second = Record("keycloak-events", b"key", b"{", None, 0, 41), Record("keycloak-events", None, None, 1.0)
    tally = counted(first, second, record(id="1"))
    assert tally.malformed_at[MalformedReason.NOT_JSON] == "topic keycloak-events, partition 0, offset 41"
    assert tally.malformed == {MalformedReason.NOT_JSON: 1, MalformedReason.TOMBSTONE: 1}
    assert tally.size == 4 + len(user("snuk87", id="1").value)
    assert tally.received.total() == 1


def test_delays_run_from_the_event_to_its_record_and_to_its_arrival() -> None:
    tally = counted(record(id="1", written=0.25))
    assert tally.delivery.total == pytest.approx(0.25)
    assert tally.arrival.total == pytest.approx(2.0)
    assert (sum(tally.delivery.counts), sum(tally.arrival.counts), tally.skewed) == (1, 1, 0)


def test_arrival_means_nothing_while_reading_is_behind_nor_delivery_without_a_timestamp() -> None:
    tally = counted(record(id="1", written=None), on_time=False)
    assert (sum(tally.delivery.counts), sum(tally.arrival.counts)) == (0, 0)


@pytest.mark.parametrize(
    ("written", "happened", "skewed", "delivery"),
    [(-0.5, TIME, 1, 0.0), (0.5, TIME + 5000, 1, 0.0), (0.0, TIME, 0, 0.0), (3.0, TIME + 2500, 1, 0.5)],
    ids=["record before event", "both before event", "the same moment", "read before event"],
)
def test_a_delay_below_0_is_0_and_counted_once_as_skew(
    written: float, happened: int, skewed: int, delivery: float
) -> None:
    tally = counted(record(id="1", written=written, time=happened))
    assert tally.skewed == skewed
    assert tally.delivery.total == pytest.approx(delivery)
    assert tally.arrival.total >= 0.0


def test_an_event_from_the_future_does_not_hide_that_nothing_comes_any_more() -> None:
    assert counted(record(id="1", time=TIME + 86_400_000)).last == {REALM: NOW.wall}


def test_an_id_that_came_within_the_window_is_a_duplicate_and_no_event() -> None:
    made = digest(window=3)
    first = made.batch([record(id=name) for name in "aab"], NOW, on_time=True, wanted=True)
    assert (first.received.total(), first.duplicated, len(first.seen)) == (2, 1, 2)
    assert sum(first.delivery.counts) == 2
    second = made.batch([record(id=name) for name in "bcd"], NOW, on_time=True, wanted=False)
    assert (second.received.total(), second.duplicated) == (2, 1)
    third = made.batch([record(id=name) for name in "dca"], NOW, on_time=True, wanted=False)
    assert (third.received.total(), third.duplicated) == (1, 2), "a was forgotten, with three others since"
    assert len(made._ids) == len(made._order) == 3


def test_events_without_an_id_are_never_duplicates() -> None:
    tally = counted(record(id=None), record(id=None))
    assert (tally.received.total(), tally.duplicated) == (2, 0)


def test_a_key_that_the_listener_would_not_write_is_counted() -> None:
    assert counted(record(id="1", key=b"k"), record(id="2")).key_unexpected == 1


def test_each_event_is_told_when_somebody_wants_it() -> None:
    tally = counted(record(id="1"), record("admin", id="2"), record(id="1"), wanted=True)
    assert tally.seen == [
        SeenEvent(REALM, "shop", "login", SUCCESS, USER, TIME / 1000, 50.0),
        SeenEvent(REALM, "shop", "admin_create", SUCCESS, ADMIN, TIME / 1000, 50.0),
    ]


def test_a_tally_begins_empty_with_the_metrics_own_buckets() -> None:
    assert EventTally().delivery.counts == [0] * (len(EVENT_DELIVERY_DELAY_SECONDS.buckets) + 1)
