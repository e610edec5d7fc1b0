"""What Elasticsearch and OpenSearch answer when they are asked how they are, as far as it is looked at.

Each shape holds what one series is made of, so that what is wrong with one costs none of the others.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from keywatch.net.shape import Count


class Status(msgspec.Struct):
    """How the cluster is."""

    status: Literal["green", "yellow", "red"]


class NodeCount(msgspec.Struct):
    """How many nodes there are."""

    number_of_nodes: Count | UnsetType = UNSET


class Unassigned(msgspec.Struct):
    """How many shards have no node."""

    unassigned_shards: Count | UnsetType = UNSET


class Nodes(msgspec.Struct):
    """What each node says, by its id."""

    nodes: dict[str, Any] = {}


class Disk(msgspec.Struct):
    """The disks of a node."""

    total_in_bytes: Count = 0
    available_in_bytes: Count | UnsetType = UNSET


class FileSystem(msgspec.Struct):
    """What a node says of its disks."""

    total: Disk = msgspec.field(default_factory=Disk)


class NodeDisk(msgspec.Struct):
    """A node, as far as its disks are concerned."""

    fs: FileSystem = msgspec.field(default_factory=FileSystem)


class Pipeline(msgspec.Struct):
    """An ingest pipeline on one node."""

    failed: Count = 0


class Ingest(msgspec.Struct):
    """The ingest pipelines of one node, by name."""

    pipelines: dict[str, Pipeline] = {}


class NodeIngest(msgspec.Struct):
    """A node, as far as its ingest pipelines are concerned."""

    ingest: Ingest = msgspec.field(default_factory=Ingest)


class Streams(msgspec.Struct):
    """What is said of each data stream."""

    data_streams: list[Any] = []


class StreamName(msgspec.Struct):
    """How a data stream is called."""

    data_stream: str


class StreamSize(msgspec.Struct):
    """How large a data stream is."""

    value: Count = msgspec.field(default=0, name="store_size_bytes")


class StreamIndices(msgspec.Struct):
    """How many indices a data stream has."""

    value: Count = msgspec.field(default=0, name="backing_indices")


class StreamNewest(msgspec.Struct):
    """When the newest document of a data stream happened, in milliseconds since 1970; 0 without any."""

    maximum_timestamp: Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)] | None = None
