"""What people are told of the probe `canary` beside its series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keywatch.engine.about import About, Right
from keywatch.engine.probe import Reason
from keywatch.kafka import peers
from keywatch.kafka.rights import ALTER_CANARY, ALTER_CLUSTER, CREATE_CANARY, READ_TOPICS, WRITE_CANARY

ABOUT: Final[Mapping[str, About]] = {
    "canary": About(
        needs="""
            - `canary.enabled`, which is on unless it is switched off.
            - The cluster's metadata, which probe `cluster` reads, and the verdicts of probe `broker`: nothing is sent
              through a leader that is down, and a replica that does not answer explains a time-out.
            - A topic of its own, which it makes when it is missing: a partition for each broker, with three replicas
              or as many as there are brokers.
        """,
        rights=(
            Right(f"{WRITE_CANARY}; {READ_TOPICS}", "it fails with `authorization` and names the right"),
            Right(CREATE_CANARY, "the topic is not made: it fails with `authorization` until somebody does"),
            Right(ALTER_CANARY, "a new broker gets no partition; `keywatch_canary_topic_kept` is 0"),
            Right(
                f"{ALTER_CLUSTER} (it allows far more, such as changing rights: most leave it out)",
                "leadership that strayed is given back by Kafka's own balancing only; `keywatch_canary_topic_kept` is "
                "0 until then",
            ),
        ),
        reasons=peers.REASONS
        | {Reason.NO_METADATA, Reason.UNKNOWN_TOPIC, Reason.NO_LEADER, Reason.NOT_ENOUGH_REPLICAS}
        | {Reason.REPLICA_DOWN, Reason.AUTHORIZATION, Reason.REJECTED, Reason.STORAGE},
        guides=("security.md", "several-instances.md"),
    )
}
