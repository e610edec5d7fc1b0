"""A dead letter as it lies there, and the record that it was: one form for topics and folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

Headers = Sequence[tuple[str, bytes | None]]


class Origin(NamedTuple):
    """Where a record was before it died; partition and offset are None where the letter does not tell."""

    topic: str
    partition: int | None = None
    offset: int | None = None


class Place(NamedTuple):
    """Where a letter lies: in a topic's partition at an offset, or in a folder under a name (`partition` is -1)."""

    queue: str
    """The topic, or the folder's name in the configuration."""
    partition: int
    offset: int
    file: str = ""

    def __str__(self) -> str:
        """Write it as `topic/partition/offset` or `folder/file`."""
        return f"{self.queue}/{self.file}" if self.file else f"{self.queue}/{self.partition}/{self.offset}"


class Raw(NamedTuple):
    """A record of Kafka as bytes, with its timestamp in milliseconds, None where it has none."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp: int | None


@dataclass(slots=True)
class Letter:
    """A dead letter: where it lies, what lies there, and the record that it was, as far as it tells."""

    place: Place
    raw: Raw
    kind: str
    """Who wrote it: `connect`, `spring`, `streams`, `share_group`, `smallrye`, `spring_cloud_stream`, `listener`, or
    `plain` for a record that says nothing of where it came from."""
    origin: Origin | None
    key: bytes | None
    value: bytes | None
    headers: Headers
    """Of the original record: without those of whoever wrote the dead letter."""
    attempts: int = 0
    """How often it was put back already."""
    run: str = ""
    """The run that put it back the last time."""
    hollow: bool = False
    """Whether it only points at its original, whose key and value are not in it."""

    @property
    def size(self) -> int:
        """Bytes of what would be put back, about, reckoned anew each time."""
        size = len(self.key or b"") + len(self.value or b"") + 100
        return size + sum(len(name) + len(said or b"") for name, said in self.headers)
