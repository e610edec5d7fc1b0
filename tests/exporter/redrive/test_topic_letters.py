"""Reading ends where nothing can be read any more, and says of which partitions."""

from __future__ import annotations

import time
from typing import Any, cast

import pytest

from keywatch.kafka.client import Clients
from keywatch.redrive.errors import RedriveError
from keywatch.redrive.topic_letters import Bounds, TopicLetters


class DeadLeader:
    """A consumer whose partitions' leader is away."""

    def letters(self, _: str) -> DeadLeader:
        """Be the consumer too."""
        return self

    def poll(self, seconds: float) -> None:
        """Get nothing."""
        time.sleep(seconds / 10)

    def __getattr__(self, _: str) -> Any:
        return lambda *_: None


def test_a_leader_that_stays_away_ends_the_reading() -> None:
    letters = TopicLetters(cast("Clients", DeadLeader()), "siem-dlq", timeout=0.2)
    letters.begin({0: Bounds(0, 9), 1: Bounds(5, 5), 2: Bounds(3, 4)})

    def read() -> None:
        for _ in range(100):
            assert letters.batch(10, 1000, 0.05) is not None

    with pytest.raises(RedriveError, match="siem-dlq: nothing can be read of partition 0, 2 for"):
        read()


def test_what_is_empty_is_read_at_once() -> None:
    letters = TopicLetters(cast("Clients", DeadLeader()), "siem-dlq", timeout=0.2)
    letters.begin({0: Bounds(5, 5)})
    assert letters.batch(10, 1000, 1.0) is None
