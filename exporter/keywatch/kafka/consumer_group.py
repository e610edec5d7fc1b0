"""One consumer group as far as it is known."""

from __future__ import annotations

from dataclasses import dataclass, field

from keywatch.engine.probe import Reason
from keywatch.kafka.wire.groups import GroupOffsets
from keywatch.kafka.wire.members import CONSUMERS, Reading
from keywatch.kafka.wire.requests import TopicPartition


@dataclass(slots=True)
class ConsumerGroup:
    """A group as last known; `trouble` says why it could not be read in the last cycle.

    `offsets`, `unread` and `reading` are new objects whenever they change. `listed` and `asked` are the cycles in which
    it was last listed and asked for its commits; `moved` says that its state or its coordinator changed since.
    `reading` is what its members read, as they last agreed on it; None when it has none, or nobody tells. `was_read`
    says that what it committed was read once. `refusal` is why no broker lists it, as far as that was said when it was
    last asked for by name, at `named_at`.
    """

    name: str
    protocol: str = ""
    kind: str = ""
    state: str = "Unknown"
    coordinator: str = ""
    members: int | None = None
    members_at: float = float("-inf")
    reading: Reading | None = None
    found: GroupOffsets | None = None
    listed: int = 0
    asked: int = 0
    moved: bool = True
    offsets: dict[TopicPartition, int] = field(default_factory=dict)
    unread: dict[TopicPartition, str] = field(default_factory=dict)
    was_read: bool = False
    gone: dict[TopicPartition, float] = field(default_factory=dict)
    unreckoned: int = 0
    """On how many partitions it committed when that was more than there is room for; its lag is left out then."""
    trouble: tuple[Reason, str] | None = None
    seen: float = float("-inf")
    refusal: tuple[Reason, str] | None = None
    named_at: float = float("-inf")

    @property
    def assigned(self) -> int:
        """How many partitions and topics its members read, as far as that is kept."""
        return 0 if self.reading is None else len(self.reading.assigned) + len(self.reading.subscribed)

    @property
    def shares_work(self) -> bool:
        """Whether its members are workers (Connect, Schema Registry), which share out work of their own."""
        return self.kind == "classic" and self.protocol not in {"", CONSUMERS}
