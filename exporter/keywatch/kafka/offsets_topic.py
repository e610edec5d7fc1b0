"""In which partition of `__consumer_offsets` does Kafka hold a group, and is there anybody who can tell of it?"""

from __future__ import annotations

from typing import Final

from keywatch.engine.probe import Reason
from keywatch.kafka.topology import Topology
from keywatch.names import LONGEST

OFFSETS_TOPIC: Final = "__consumer_offsets"


def java_hash(text: str) -> int:
    """Return what Java's `String.hashCode` is: over UTF-16, in 32 bits with a sign."""
    data = text.encode("utf-16-be", "surrogatepass")
    code = 0
    for at in range(0, len(data), 2):
        code = (31 * code + (data[at] << 8 | data[at + 1])) & 0xFFFFFFFF
    return code - (1 << 32) if code >= 1 << 31 else code


def offsets_partition(group: str, partitions: int) -> int:
    """Return which of so many partitions holds a group; the leader of that one is its coordinator.

    As Kafka's `GroupMetadataManager.partitionFor` has it, where the lowest number of 32 bits counts as 0.
    """
    code = java_hash(group)
    return 0 if code == -(1 << 31) else abs(code) % partitions


def why_silent(topology: Topology, group: str) -> tuple[Reason, str] | None:
    """Say why nobody can tell of a group, by its partition of `__consumer_offsets`; None when that one is led.

    None as well while the topic is not known, as when keywatch may not describe it, and for a name that is too long to
    be hashed in every cycle.
    """
    states = (topology.topics or {}).get(OFFSETS_TOPIC)
    if not states or len(group) > LONGEST:
        return None
    index = offsets_partition(group, len(states))
    state = states.get(index)
    if state is None:
        return None
    words = f"partition {index} of {OFFSETS_TOPIC}, which holds it, has no leader"
    if state.leader < 0:
        return Reason.COORDINATOR, words
    if not topology.lives(state.leader):
        return Reason.COORDINATOR, f"{words} that lives: broker {state.leader} is down"
    return None
