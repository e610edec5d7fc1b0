"""Metadata of small clusters, as wire.read_metadata gives it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from keywatch.kafka.wire.requests import BrokerNode, Metadata, PartitionState


def node(broker: int, *, host: str = "", fenced: bool = False) -> BrokerNode:
    """Make a broker `k<id>:9092`."""
    return BrokerNode(broker, host or f"k{broker}", 9092, f"rack-{broker}", fenced)


def partition(leader: int, replicas: Sequence[int], in_sync: Sequence[int] | None = None) -> PartitionState:
    """Make a partition; without `in_sync` all replicas are."""
    return PartitionState(0, leader, 0, tuple(replicas), tuple(replicas if in_sync is None else in_sync))


def metadata(
    brokers: Iterable[int | BrokerNode], topics: Mapping[str, Sequence[PartitionState]] | None = None
) -> Metadata:
    """Make metadata with these brokers, and of each topic these partitions from 0 on."""
    nodes = tuple(node(broker) if isinstance(broker, int) else broker for broker in brokers)
    states = {topic: dict(enumerate(partitions)) for topic, partitions in (topics or {}).items()}
    return Metadata(nodes, "cluster-id", nodes[0].id if nodes else -1, states, {}, {})
