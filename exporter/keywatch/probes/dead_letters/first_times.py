"""When was the oldest record of a partition written? Asked of its leader, which looks it up without sending it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from keywatch.engine.slices import at_once
from keywatch.kafka.connection import BrokerError
from keywatch.kafka.offsets import by_leader
from keywatch.kafka.peers import Peers
from keywatch.kafka.topology import Topology
from keywatch.kafka.wire import requests
from keywatch.kafka.wire.codec import Reader
from keywatch.kafka.wire.requests import TopicPartition

# The first record at or after the beginning of time: the oldest that has one.
_BEGINNING = 0


async def read_first_times(
    topology: Topology, peers: Peers, partitions: Iterable[TopicPartition], timeout: float
) -> dict[TopicPartition, float]:
    """Return the Unix time of each partition's first record, within `timeout` seconds; what is not told is left out."""
    wanted: dict[str, list[int]] = {}
    for topic, index in partitions:
        wanted.setdefault(topic, []).append(index)
    leaders, _ = at_once(by_leader(topology, wanted))
    found: dict[TopicPartition, float] = {}

    async def ask(leader: int, asked: list[TopicPartition]) -> None:
        try:
            found.update(await peers.ask(str(leader), requests.list_offsets(asked, _BEGINNING), timeout, _read))
        except BrokerError:
            return  # whoever reads the offsets tells why

    await asyncio.gather(*(ask(leader, asked) for leader, asked in leaders.items()))
    return found


def _read(reader: Reader) -> dict[TopicPartition, float]:
    """Read a reply to ListOffsets v4: partition → time of the record found."""
    reader.int32()  # throttle time
    found: dict[TopicPartition, float] = {}
    for _ in range(reader.count()):
        topic = reader.string()
        for index, error, timestamp, offset, _ in reader.rows(requests.OFFSET_ROW, reader.count()):
            if not error and offset >= 0 and timestamp >= 0:
                found[TopicPartition(topic, index)] = timestamp / 1000
    return found
