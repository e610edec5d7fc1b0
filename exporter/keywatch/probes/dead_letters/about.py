"""What people are told of the probe `dlq` beside its series: of queues in topics, and of those in folders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keywatch.engine.about import About, Right
from keywatch.engine.probe import Reason
from keywatch.kafka import peers
from keywatch.kafka.rights import DESCRIBE_TOPICS, READ_TOPICS

ABOUT: Final[Mapping[str, About]] = {
    "dlq": About(
        needs="""
            - An entry in `dlq` for each queue, with either `topics` or a `folder`.
            - For topics: the cluster's metadata, which probe `cluster` reads, and their leaders.
            - For a folder: that keywatch sees it, mounted where it runs. No Kafka, and no other probe.
            - What is counted in `keywatch_dlq_added_total` has a `reason` from a list of its own, and so have files
              in `keywatch_dlq_unreadable_reason`; the guide to dead letters explains both.
        """,
        rights=(
            Right(DESCRIBE_TOPICS, "it fails with `authorization` for one that is named in full, or known"),
            Right(
                READ_TOPICS,
                "dead letters are counted without their reasons, `keywatch_dlq_up` is 0, and it fails with "
                "`authorization`",
            ),
            Right(
                "listing the folder; reading its files",
                "it fails with `authorization`; counts them in `keywatch_dlq_unreadable`",
            ),
        ),
        reasons=peers.REASONS
        | {Reason.NO_METADATA, Reason.UNKNOWN_TOPIC, Reason.NO_LEADER, Reason.AUTHORIZATION, Reason.REJECTED}
        | {Reason.STORAGE},
        guides=("dead-letters.md", "security.md"),
    )
}
