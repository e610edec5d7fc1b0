"""Which Kafka it is follows from the requests that a broker speaks, as real brokers list them."""

from __future__ import annotations

import pytest

from keywatch.kafka.releases import release, too_old

# Request → highest version, of those that tell releases apart: Kafka 1.1.1, 2.5.1 and 4.4.0 as they answered.
KAFKA_1 = {1: 7, 3: 5, 9: 3, 16: 1, 29: 0}
KAFKA_2 = {1: 11, 3: 9, 9: 7, 16: 3, 29: 2, 43: 2, 44: 1, 46: 0}
KAFKA_4 = {1: 18, 3: 13, 9: 10, 16: 5, 29: 3, 43: 2, 44: 1, 46: 0, 60: 2}


def spoken(highest: dict[int, int]) -> dict[int, tuple[int, int]]:
    return {api: (0, version) for api, version in highest.items()}


@pytest.mark.parametrize(
    ("highest", "name"),
    [
        (KAFKA_1, "1.1"),
        (KAFKA_2, "2.5"),
        (KAFKA_2 | {9: 6}, "2.4"),
        (KAFKA_2 | {16: 4}, "2.6"),
        (KAFKA_4, "4.0"),
        (KAFKA_4 | {60: 1}, "3.0"),
        ({1: 3, 3: 2}, "0.10"),
    ],
)
def test_a_release_is_told_by_what_came_with_it(highest: dict[int, int], name: str) -> None:
    assert release(spoken(highest)) == name


def test_what_is_too_old_is_named_with_the_oldest_that_works() -> None:
    assert too_old(spoken(KAFKA_1)) == (
        "it is Kafka 1.1 by the requests that it speaks, and keywatch needs 2.4 or newer"
    )
    assert too_old(spoken(KAFKA_2)) == too_old(spoken(KAFKA_4)) == ""
    assert too_old({}) == "", "another product"
