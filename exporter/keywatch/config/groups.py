"""The part of the configuration that says which consumer groups are read, and how far they may be behind."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from keywatch import bounds
from keywatch.config.security import Section
from keywatch.config.values import Pattern, Period, Timeout


class LimitSection(Section):
    """How far groups may be behind; the first entry whose pattern fits counts."""

    groups: Pattern = Field(".*", description="Pattern of groups.")
    records: float | None = Field(None, ge=0, description="Records; unset: any.")
    seconds: float | None = Field(None, ge=0, description="Seconds; unset: any.")
    retention_left: float | None = Field(
        None, ge=0, description="Seconds until unread records may be deleted by their topic's retention; unset: any."
    )

    @model_validator(mode="after")
    def _something(self) -> Self:
        if self.records is None and self.seconds is None and self.retention_left is None:
            raise ValueError("a limit needs records, seconds or retention_left")
        return self


class GroupsSection(Section):
    """Probes `groups` and `retention`: how far behind are the consumer groups, and what is left to them?"""

    enabled: bool = Field(True, description="Whether groups are read at all.")
    include: tuple[Pattern, ...] = Field((".*",), min_length=1, description="Patterns of groups to report.")
    exclude: tuple[Pattern, ...] = Field((), description="Patterns of groups to leave out.")
    watch: tuple[str, ...] = Field((), description="Groups that must exist.")
    limits: tuple[LimitSection, ...] = Field((), description="Limits, exported as series that rules compare with.")
    period: Period = Field(1.0, description="Seconds between two cycles.")
    timeout: Timeout = Field(2.5, description="Seconds for one cycle.")
    fetches: int = Field(100, ge=0, le=10_000, description="Old records sought per cycle for the lag in seconds.")
    fetch_rate: float = Field(
        5e6, ge=1e4, le=1e9, description="Bytes of old records that brokers send per second, about."
    )
    idle_cycles: int = Field(
        10, ge=1, le=600, description="Cycles after which an idle group is asked at the latest; 1: in every cycle."
    )
    max_groups: int = Field(
        bounds.GROUPS,
        ge=1,
        le=100_000,
        description="How many groups are read: those with limits first, then those with members, then older ones; "
        "`watch` is read beside.",
    )
    max_partitions: int = Field(
        bounds.GROUP_PARTITIONS,
        ge=1,
        le=10_000_000,
        description="Of how many committed partitions, of all groups together, the lag is reckoned.",
    )
    detail: bool = Field(True, description="Whether to export series per partition.")
    members: int = Field(
        0,
        ge=0,
        le=10_000,
        description="Of how many members, by client id and host, of all groups together the lag is told; 0: of none.",
    )
