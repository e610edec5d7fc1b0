"""Realms get labels by name where names are known, and never more labels than are allowed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from keywatch.probes.events.realms import Realms


def test_a_realm_is_called_by_its_name_once_that_is_known_and_by_its_id_before() -> None:
    realms = Realms({}, 10)
    assert realms.label("id-1") == "id-1"
    realms.record("id-1", "shop")
    assert realms.label("id-1") == "shop"
    assert dict(realms.names) == {"id-1": "shop"}


def test_what_is_configured_stands_whatever_records_say() -> None:
    realms = Realms({"id-1": "shop"}, 10)
    realms.record("id-1", "evil")
    assert realms.label("id-1") == "shop"
    assert realms.labels == ("shop",)


def test_a_realm_that_is_renamed_is_called_by_its_new_name() -> None:
    realms = Realms({}, 10)
    for name in ("old", "new"):
        realms.record("id-1", name)
        assert realms.label("id-1") == name


def test_too_many_realms_are_other_and_those_before_keep_their_labels() -> None:
    realms = Realms({"a": "configured"}, 2)
    assert [realms.label(realm) for realm in ("b", "c", "a", "b", "d")] == ["b", "other", "configured", "b", "other"]
    assert realms.left_out == 2
    for index in range(20_000):
        realms.label(f"invented-{index}")
    assert realms.left_out == 10_000, "counted, but not without end"


def test_the_view_of_names_lives() -> None:
    realms = Realms({}, 10)
    view = realms.names
    realms.record("id-1", "shop")
    assert view["id-1"] == "shop"


def test_invented_realms_take_a_bounded_memory() -> None:
    realms = Realms({}, 10)
    for number in range(12_000):
        realms.record(f"id-{number}", f"name-{number}")
    assert len(realms.names) == 10_000
    realms.record("id-1", "renamed")
    assert realms.names["id-1"] == "renamed"


@given(st.lists(st.tuples(st.text(max_size=3), st.none() | st.text(max_size=3))), st.integers(1, 5))
def test_there_are_never_more_labels_than_allowed(met: list[tuple[str, str | None]], most: int) -> None:
    realms, labels = Realms({}, most), set()
    for realm_id, name in met:
        if name is not None:
            realms.record(realm_id, name)
        labels.add(realms.label(realm_id))
    assert len(labels - {"other"}) <= most
