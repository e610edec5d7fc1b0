"""The raw request for what a cluster has agreed to speak: the levels of its finalized features (KIP-584)."""

from __future__ import annotations

import re

from keywatch import __version__
from keywatch.kafka.wire.codec import Reader, WireError, Writer
from keywatch.kafka.wire.identity import API_VERSIONS
from keywatch.kafka.wire.request import Request

_VERSION = 3
_FINALIZED = 2
_MOST_APIS, _MOST_TAGS, _MOST_FEATURES = 1000, 100, 50
# Such as metadata.version, kraft.version, group.version; what is called otherwise is none of Kafka's.
_NAME = re.compile(r"[a-z][a-z0-9.\-]{0,60}")


def ask_features() -> Request:
    """Ask for ApiVersions v3 (Kafka 2.4), whose answer has them as a tagged field from Kafka 2.7 on."""
    body = Writer(flexible=True).string("keywatch").string(__version__).tags()
    return Request(API_VERSIONS, _VERSION, True, body.done())


def read_features(reader: Reader) -> dict[str, int]:
    """Read feature → level; empty where the cluster has none, as with ZooKeeper, or the broker answers an error."""
    if reader.int16():
        return {}
    for _ in range(reader.count(_MOST_APIS)):
        for _ in range(3):
            reader.int16()
        reader.tags()
    reader.int32()  # throttle time
    size = reader.uvarint()
    if size > _MOST_TAGS:
        raise WireError(f"{size} tagged fields where there can be {_MOST_TAGS}")
    found: dict[str, int] = {}
    for _ in range(size):
        tag, data = reader.uvarint(), reader.raw(reader.uvarint())
        if tag == _FINALIZED:
            inner = Reader(bytes(data), flexible=True)
            found = dict(inner.array(lambda: _feature(inner), _MOST_FEATURES))  # noqa: B023 - used before the next turn
    return {name: level for name, level in found.items() if _NAME.fullmatch(name)}


def _feature(reader: Reader) -> tuple[str, int]:
    name, level = reader.string(), reader.int16()
    reader.int16()  # the lowest level, which is the same
    reader.tags()
    return name, level
