"""A group's place in `__consumer_offsets` is where Kafka's own code puts it."""

from __future__ import annotations

import pytest

from keywatch.config.endpoint import Endpoint
from keywatch.engine.probe import Reason
from keywatch.kafka.offsets_topic import OFFSETS_TOPIC, java_hash, offsets_partition, why_silent
from keywatch.kafka.topology import Topology
from tests.exporter.fakes.metadata import metadata, partition


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", 0),
        ("a", 97),
        ("hello", 99162322),
        ("siem", 3530110),
        ("polygenelubricants", -2147483648),
        ("\U0001f600", 1772899),  # two units of UTF-16
    ],
)
def test_a_hash_is_javas(text: str, code: int) -> None:
    assert java_hash(text) == code


def test_the_lowest_number_counts_as_zero_and_others_by_their_size() -> None:
    assert offsets_partition("polygenelubricants", 50) == 0
    assert offsets_partition("hello", 50) == 22
    assert java_hash("keywatch-readers") == -177988333
    assert offsets_partition("keywatch-readers", 50) == 33


def test_only_a_partition_without_a_living_leader_is_silent() -> None:
    it = Topology([Endpoint("k1", 9092)])
    assert why_silent(it, "hello") is None, "nothing is known"
    it.record(metadata([1, 2], {OFFSETS_TOPIC: [partition(1, [1])]}))
    assert why_silent(it, "hello") is None
    it.report("1", up=False, reason=Reason.REFUSED)
    words = "partition 0 of __consumer_offsets, which holds it, has no leader"
    assert why_silent(it, "hello") == (Reason.COORDINATOR, f"{words} that lives: broker 1 is down")
    it.record(metadata([1, 2], {OFFSETS_TOPIC: [partition(-1, [1])]}))
    assert why_silent(it, "hello") == (Reason.COORDINATOR, words)
