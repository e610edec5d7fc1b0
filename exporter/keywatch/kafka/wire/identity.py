"""The raw requests that tell who answers at an address: which cluster, and which of its brokers."""

from __future__ import annotations

from keywatch import __version__
from keywatch.kafka.wire.codec import Reader, Writer
from keywatch.kafka.wire.request import Request
from keywatch.kafka.wire.requests import DESCRIBE_CONFIGS

API_VERSIONS = 18
NAMES_VERSION = 5
"""The version of ApiVersions that carries whom one means to ask (KIP-1242, Kafka 4.4)."""
_BROKER_RESOURCE = 4


def api_versions_of(cluster_id: str, broker: int) -> Request:
    """Ask for ApiVersions of one broker of one cluster, version 5; anybody else answers with REBOOTSTRAP_REQUIRED.

    Both must be given: with one of them alone Kafka 4.4 calls the request invalid.
    """
    body = Writer(flexible=True).string("keywatch").string(__version__).string(cluster_id).int32(broker).tags()
    return Request(API_VERSIONS, NAMES_VERSION, True, body.done())


def describe_broker(broker: int) -> Request:
    """Ask for one setting of one broker, version 1: only that broker itself answers without an error."""
    body = Writer().int32(1).int8(_BROKER_RESOURCE).string(str(broker))
    body.int32(1).string("broker.id").boolean(False)
    return Request(DESCRIBE_CONFIGS, 1, False, body.done())


def read_describe_broker(reader: Reader) -> tuple[int, str]:
    """Read a reply to `describe_broker`: error code, and Kafka's words, which name the broker that answered."""
    reader.int32()  # throttle time
    for _ in range(reader.count()):
        return reader.int16(), reader.string()
    return 0, ""
