"""The part of the configuration that says how records are sent through each broker."""

from __future__ import annotations

from pydantic import Field

from keywatch.config.security import Section
from keywatch.config.values import Period, Timeout, TopicName

DEFAULT_CANARY_TOPIC = "keywatch-canary"
"""What topics' names begin with that no instance takes for a user's."""


class CanarySection(Section):
    """Probe `canary`: can a record cross each broker?"""

    enabled: bool = Field(True, description="Whether records are produced at all.")
    topic: TopicName = Field(
        DEFAULT_CANARY_TOPIC,
        description="Topic of the records; created when it is missing. Begin it with keywatch-canary, so that no "
        "other instance takes it for a user's.",
    )
    period: Period = Field(1.0, description="Seconds between two records through a broker.")
    timeout: Timeout = Field(2.0, description="Seconds in which a record must come back.")
    retention: float = Field(600.0, ge=60, description="Seconds for which Kafka keeps the records.")
