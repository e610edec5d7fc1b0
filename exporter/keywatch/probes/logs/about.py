"""What people are told of the probes `logstash`, `elasticsearch`, `log_lag` and `log_canary` beside their series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keywatch.elastic import server
from keywatch.engine.about import About, Right
from keywatch.engine.probe import Reason
from keywatch.kafka.rights import DESCRIBE_GROUPS, DESCRIBE_TOPICS, READ_TOPICS, WRITE_LOG_CANARY
from keywatch.net import http_peer

_ROLE: Final = "what the role `keywatch-reader` has in Elasticsearch"

ABOUT: Final[Mapping[str, About]] = {
    "logstash": About(
        needs="""
            - An entry in `logs.logstash` for each node, and a way to Logstash's own interface (port 9600).
            - No Kafka, and no other probe.
        """,
        reasons=http_peer.REASONS | {Reason.UNSUPPORTED},
        guides=("logs.md",),
    ),
    "elasticsearch": About(
        needs="""
            - `logs.elasticsearch`: Elasticsearch 8.13 or newer, or OpenSearch 2.15 or newer.
            - No Kafka, and no other probe.
        """,
        rights=(
            Right(
                _ROLE,
                "it fails with `authorization` and tells what may be read; without the right to see its health "
                "`keywatch_elasticsearch_up` is 0",
            ),
        ),
        reasons=server.REASONS,
        guides=("logs.md",),
    ),
    "log_lag": About(
        needs="""
            - `logs.elasticsearch`: Elasticsearch 8.13 or newer, or OpenSearch 2.15 or newer.
            - An entry in `logs.lag` for each consumer group with which Logstash reads.
            - The cluster's metadata, which probe `cluster` reads. The group's coordinator and the partitions' leaders
              are asked; partitions that cannot be read there are counted in `keywatch_log_partitions_unknown` and are
              no failure.
            - Documents that hold `kafka.topic`, `kafka.partition` and `kafka.offset`, as our pipelines for Logstash
              write them.
        """,
        rights=(
            Right(f"{DESCRIBE_GROUPS}; {DESCRIBE_TOPICS}", "their partitions are counted as unknown, or left out"),
            Right(
                READ_TOPICS,
                "`keywatch_log_lag_seconds` counts from when keywatch first saw the records, not from their own times",
            ),
            Right(_ROLE, "it fails with `authorization`, and tells what Kafka alone says"),
        ),
        reasons=server.REASONS | {Reason.NO_METADATA, Reason.REPLICA_DOWN},
        guides=("logs.md",),
    ),
    "log_canary": About(
        needs="""
            - `logs.canary`: it is off without. It writes to a topic of yours that Logstash reads.
            - `logs.elasticsearch`: Elasticsearch 8.13 or newer, or OpenSearch 2.15 or newer.
            - The cluster's metadata, which probe `cluster` reads.
            - An entry in `logs.lag` with the same topic, for saying whether the group has read an event that is late.
        """,
        rights=(
            Right(WRITE_LOG_CANARY, "it fails with `authorization` and names the right"),
            Right(DESCRIBE_GROUPS, "how far an event came is not told"),
            Right(_ROLE, "it fails with `authorization`"),
        ),
        reasons=server.REASONS
        | {Reason.NO_METADATA, Reason.UNKNOWN_TOPIC, Reason.NO_LEADER, Reason.NOT_ENOUGH_REPLICAS, Reason.REPLICA_DOWN},
        guides=("logs.md", "security.md"),
    ),
}
