"""A record as it is read, and when that was."""

from __future__ import annotations

from typing import NamedTuple


class Record(NamedTuple):
    """A record as Kafka gives it, and where it lies; `timestamp` in Unix time, None when it has none."""

    topic: str
    key: bytes | None
    value: bytes | None
    timestamp: float | None
    partition: int = -1
    offset: int = -1


class Moment(NamedTuple):
    """When a batch of records was read, by both clocks, in seconds."""

    wall: float
    monotonic: float
