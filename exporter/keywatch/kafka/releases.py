"""Which Kafka is it, by the requests that a broker speaks, and which one is too old for keywatch?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keywatch.kafka.wire import requests

OLDEST: Final = "2.4"
"""The oldest Kafka of which brokers, topics and offsets can be watched."""
OLDEST_WITH_GROUPS: Final = "2.6"
"""The oldest Kafka that tells which groups there are and in which state each is (KIP-518)."""
_FETCH, _DESCRIBE_ACLS, _INCREMENTAL_ALTER_CONFIGS = 1, 29, 44
# What came with each release, newest first: a request, in which version.
_CAME_WITH: Final = (
    ("4.0", requests.DESCRIBE_CLUSTER, 2),
    ("3.0", requests.OFFSET_FETCH, 8),
    ("2.8", requests.DESCRIBE_CLUSTER, 0),
    ("2.7", _FETCH, 12),
    (OLDEST_WITH_GROUPS, requests.LIST_GROUPS, 4),
    ("2.5", requests.OFFSET_FETCH, 7),
    (OLDEST, requests.LIST_PARTITION_REASSIGNMENTS, 0),
    ("2.3", _INCREMENTAL_ALTER_CONFIGS, 0),
    ("2.2", requests.ELECT_LEADERS, 0),
    ("2.1", _FETCH, 10),
    ("2.0", _FETCH, 8),
    ("1.1", _FETCH, 7),
    ("1.0", _FETCH, 6),
    ("0.11", _DESCRIBE_ACLS, 0),
)


def release(versions: Mapping[int, tuple[int, int]]) -> str:
    """Return the newest Kafka that speaks no more than these versions (request → lowest, highest), about: `2.5`.

    Those between 3.0 and 4.0, and all from 4.0 on, are not told apart.
    """
    for name, api, version in _CAME_WITH:
        if versions.get(api, (0, -1))[1] >= version:
            return name
    return "0.10"


def too_old(versions: Mapping[int, tuple[int, int]]) -> str:
    """Say in words that a broker is too old for keywatch; nothing when it is not."""
    if versions.get(requests.LIST_PARTITION_REASSIGNMENTS, (0, -1))[1] >= 0 or requests.METADATA not in versions:
        return ""
    return f"it is Kafka {release(versions)} by the requests that it speaks, and keywatch needs {OLDEST} or newer"
