"""What people are told of the probe `events` beside its series."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from keywatch.engine.about import About, Right
from keywatch.engine.probe import Reason
from keywatch.kafka import peers
from keywatch.kafka.rights import READ_TOPICS

ABOUT: Final[Mapping[str, About]] = {
    "events": About(
        needs="""
            - An entry in `events` for each listener. One that is known needs its name only; how the records of any
              other look is told by `listener: custom` and `record`.
            - The cluster's metadata, which probe `cluster` reads, and the leaders of the listener's topics.
            - What was in the topics before keywatch began is not counted.
            - Of malformed records `reason` is one of a list of its own, which the guide to listeners explains.
        """,
        rights=(Right(READ_TOPICS, "it fails with `authorization` and names the topic"),),
        reasons=peers.REASONS
        | {Reason.NO_METADATA, Reason.UNKNOWN_TOPIC, Reason.NO_LEADER, Reason.AUTHORIZATION, Reason.STORAGE},
        guides=("listeners.md", "security.md"),
    )
}
