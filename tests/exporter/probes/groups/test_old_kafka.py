"""Kafka before 2.6 does not tell which groups there are: that is named, and never shown as if there were none."""

from __future__ import annotations

import pytest

from keywatch.engine.probe import ProbeError, Reason
from keywatch.kafka.wire import requests
from keywatch.metrics import groups as cat
from keywatch.metrics import lag
from tests.exporter.fakes.groups_bed import PARTITIONS, Bed, runner

__all__ = ["runner"]

A0 = PARTITIONS[0]


def old(bed: Bed) -> Bed:
    bed.peers.speaks = {requests.LIST_GROUPS: 3}
    bed.peers.commits = {"x": {A0: 3}, "y": {A0: 4}}
    return bed


@pytest.mark.parametrize("watch", [(), ("x",)])
def test_it_is_named_and_what_is_known_all_the_same_is_told(watch: tuple[str, ...]) -> None:
    bed = old(Bed(named=watch))
    for _ in range(2):
        with pytest.raises(ProbeError, match=r"Kafka 2\.5 by the requests that it speaks.*from 2\.6 on") as error:
            bed.cycle()
    assert error.value.reason is Reason.UNSUPPORTED
    assert "groups that groups.watch does not name are not seen" in error.value.detail
    bed.told = list(error.value.samples)
    assert bed.series(cat.GROUP_LAG_RECORDS) == {(name, "a"): 2.0 for name in watch}


def test_who_wants_the_named_groups_only_misses_nothing() -> None:
    bed = old(Bed(named=["x"], only_watched=True))
    bed.cycle()
    assert bed.series(cat.GROUP_UP) == {("x",): 1.0}
    assert bed.series(cat.GROUP_LAG_RECORDS) == {("x", "a"): 2.0}
    assert bed.series(lag.GROUP_LAG_KNOWN) == {("x",): 1.0}


def test_when_kafka_was_upgraded_all_groups_are_seen() -> None:
    bed = old(Bed())
    with pytest.raises(ProbeError):
        bed.cycle()
    bed.peers.speaks.clear()
    assert bed.cycle().series(cat.GROUP_UP) == {("x",): 1.0, ("y",): 1.0}
