"""The part of the configuration that says how brokers, metadata and topics are read."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from keywatch import bounds
from keywatch.config.endpoint import endpoint
from keywatch.config.security import Section
from keywatch.config.values import Pattern, Period, Timeout, TopicName


class BrokerSection(Section):
    """Probe `broker`: is each broker alive, and if not, why?"""

    period: Period = Field(0.5, description="Seconds between two questions to a broker.")
    timeout: Timeout = Field(1.0, description="Seconds a broker has to answer.")
    misses: int = Field(2, ge=1, le=20, description="Failures in a row after which a broker is down.")
    renew_after: Period = Field(1.5, description="Seconds after which a new connection replaces the kept one.")
    check_id: bool = Field(
        True, description="Whether a broker must prove its id; false behind a proxy that gives brokers other ids."
    )
    expected: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (), description="Ids of brokers that must exist, beside those that the cluster names."
    )
    forget_after: float = Field(
        3600.0, ge=1, description="Seconds after which a broker that left is forgotten (Kafka before 4.0)."
    )


class ClusterSection(Section):
    """Probe `cluster`: does the cluster answer, and what does its metadata say?"""

    period: Period = Field(1.0, description="Seconds between two reads of the metadata.")
    timeout: Timeout = Field(1.0, description="Seconds a broker has to give its metadata.")
    ask: int = Field(2, ge=1, le=10, description="How many living brokers are asked at once.")


class QuorumSection(Section):
    """Probe `quorum`: do the controllers have a majority and a leader?"""

    enabled: bool = Field(True, description="Whether the controllers are looked at.")
    period: Period = Field(0.5, description="Seconds between two questions.")
    timeout: Timeout = Field(
        5.0, description="Seconds without an answer after which there is no leader; an election may take four."
    )
    controllers: tuple[str, ...] = Field(
        (),
        description="Addresses of the controllers, host:port; with them a loss is told from an election at once.",
    )

    @field_validator("controllers")
    @classmethod
    def _addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            endpoint(text)
        return value


class LogDirsSection(Section):
    """Probe `log_dirs`: do the brokers' disks hold, and how full are they?"""

    enabled: bool = Field(True, description="Whether brokers are asked for their log directories.")
    period: Period = Field(1.0, description="Seconds between two questions to a broker.")
    timeout: Timeout = Field(1.5, description="Seconds a broker has to answer.")
    sizes_every: float = Field(
        60.0, ge=0, le=86_400, description="Seconds between two reads of the topics' sizes on a broker; 0: never."
    )


class ExpectSection(Section):
    """What topics must promise; the first entry whose pattern fits counts, and what is unset is not looked at."""

    topics: Pattern = Field(".*", description="Pattern of topics.")
    replication_factor: int | None = Field(None, ge=1, le=100, description="Replicas of each partition, at least.")
    min_insync_replicas: int | None = Field(None, ge=1, le=100, description="`min.insync.replicas`, at least.")
    retention: float | None = Field(None, ge=1, le=1e10, description="Seconds, `retention.ms`, at least.")
    max_message_bytes: int | None = Field(None, ge=1, le=2**31 - 1, description="`max.message.bytes`, at least.")
    cleanup_policy: tuple[Literal["delete", "compact"], ...] | None = Field(
        None, min_length=1, description="`cleanup.policy`, just so."
    )
    unclean_leader_election: bool | None = Field(
        None, description="`unclean.leader.election.enable`, just so: true loses records."
    )
    severity: Literal["warning", "critical"] = Field(
        "warning", description="What a mismatch is: a ticket, or a page (critical)."
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if all(getattr(self, name) is None for name in type(self).model_fields.keys() - {"topics", "severity"}):
            raise ValueError("nothing is expected; name a setting such as min_insync_replicas")
        return self


class TopicsSection(Section):
    """Probes `topics`, `offsets` and `configs`: which partitions work, and where do they end?"""

    include: tuple[Pattern, ...] = Field((".*",), min_length=1, description="Patterns of topics to report.")
    exclude: tuple[Pattern, ...] = Field((), description="Patterns of topics to leave out.")
    watch: tuple[TopicName, ...] = Field((), description="Topics that must exist.")
    expect: tuple[ExpectSection, ...] = Field((), description="What topics must promise.")
    max_topics: int = Field(
        bounds.TOPICS, ge=1, le=1_000_000, description="How many topics are reported; `watch` is reported beside."
    )
    max_partitions: int = Field(
        bounds.TOPIC_PARTITIONS, ge=1, le=10_000_000, description="How many partitions they may have together."
    )
    period: Period = Field(1.0, description="Seconds between two cycles.")
    timeout: Timeout = Field(2.0, description="Seconds for one cycle.")
    detail: bool = Field(True, description="Whether to export series per partition.")
