"""Reads the end or start offsets of many partitions: one request per leader, side by side, dead leaders left out."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from keywatch.kafka import wire
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.errors import name_of, reason_of
from keywatch.kafka.peers import Peers
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import PartitionState, TopicPartition
from keywatch.probe import Reason


@dataclass(slots=True)
class Offsets:
    """What was read, and why each other partition was not."""

    found: dict[TopicPartition, int] = field(default_factory=dict)
    unread: dict[TopicPartition, tuple[Reason, str]] = field(default_factory=dict)


async def read_offsets(
    topology: Topology, peers: Peers, partitions: Iterable[TopicPartition], timestamp: int, timeout: float
) -> Offsets:
    """Read offsets of `partitions` from their leaders within `timeout` seconds; never raises for a dead leader.

    `timestamp` is `wire.END` or `wire.START`. A partition whose leader is dead, unknown or changed is in `unread`.
    """
    topics: Mapping[str, Mapping[int, PartitionState]] = topology.topics or {}
    result = Offsets()
    by_leader: dict[int, list[TopicPartition]] = {}
    for partition in partitions:
        state = topics.get(partition.topic, {}).get(partition.partition)
        if state is None:
            result.unread[partition] = (Reason.UNKNOWN_TOPIC, "metadata does not know the partition")
        elif state.leader < 0:
            result.unread[partition] = (Reason.NO_LEADER, "the partition has no leader")
        elif topology.known_down(state.leader):
            reason, words = topology.why_down(state.leader)
            result.unread[partition] = (reason, f"its leader, {words}")
        else:
            by_leader.setdefault(state.leader, []).append(partition)

    async def ask(leader: int, wanted: list[TopicPartition]) -> None:
        try:
            request = wire.list_offsets(wanted, timestamp)
            answer = await peers.ask(str(leader), request, timeout, wire.read_list_offsets)
        except BrokerError as error:
            result.unread.update(dict.fromkeys(wanted, (error.reason, error.detail)))
            return
        for partition in wanted:
            error_code, offset = answer.get(partition, (-1, -1))
            if error_code == 0 and offset >= 0:
                result.found[partition] = offset
            else:
                words = f"broker {leader} answered {name_of(error_code)}" if error_code else "no offset was given"
                result.unread[partition] = (reason_of(error_code), words)

    await asyncio.gather(*(ask(leader, wanted) for leader, wanted in by_leader.items()))
    return result
