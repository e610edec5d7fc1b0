"""What people are told of the probe `groups` beside its series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keywatch.engine.about import About, Right
from keywatch.engine.probe import Reason
from keywatch.kafka import peers
from keywatch.kafka.rights import DESCRIBE_GROUPS, DESCRIBE_TOPICS, READ_TOPICS

ABOUT: Final[Mapping[str, About]] = {
    "groups": About(
        needs="""
            - `groups.enabled`, which is on unless it is switched off.
            - The cluster's metadata, which probe `cluster` reads. Each broker is asked for its groups, and the leader
              of each partition for its end, unless probe `broker` knows it to be down.
            - Kafka 2.6 or newer. Older ones do not tell which groups there are: it fails with `unsupported`, unless
              `groups.include` names just the groups of `groups.watch`, which are read all the same.
            - A lag is told for the topics of `topics.include` and `topics.exclude` only.
            - It fails when a right is missing. A group that cannot be read has `keywatch_group_up` 0, and the log and
              the page say why.
        """,
        rights=(
            Right(DESCRIBE_GROUPS, "groups are not seen; it fails with `authorization` for one that it knows"),
            Right(DESCRIBE_TOPICS, "the lag on them is not seen, or keeps its last value and is counted"),
            Right(
                READ_TOPICS,
                "lag in seconds is a guess between known times, and it fails with `authorization`; `fetches: 0` says "
                "that you want that",
            ),
        ),
        reasons=peers.REASONS | {Reason.NO_METADATA, Reason.COORDINATOR, Reason.AUTHORIZATION},
        guides=("lag.md", "kafka-versions.md", "large-clusters.md", "security.md"),
    ),
    "retention": About(
        needs="""
            - Probe `groups`, which finds each group's oldest unread record, and probe `configs`, which reads how long
              topics keep records. It asks nobody itself.
            - Topics that delete by age: `cleanup.policy` with `delete`, and a `retention.ms` that is not -1. What
              `retention.bytes` deletes before is not foreseen.
        """,
        reasons=frozenset({Reason.NO_METADATA}),
        guides=("lag.md",),
    ),
}
