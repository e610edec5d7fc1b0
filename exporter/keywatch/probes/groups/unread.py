"""Since when each group's oldest unread record has waited, by topic: one probe finds it out, others build on it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol


class UnreadGroup(Protocol):
    """One group, as far as it matters what it has not read."""

    @property
    def matters(self) -> bool:
        """Whether somebody reads by it, or wants to be called for it."""

    @property
    def retention_limit(self) -> float | None:
        """With fewer seconds left until unread records are deleted somebody is called; None: nobody is."""

    def oldest_unread(self) -> Mapping[str, float | None]:
        """Return topic → Unix time of the oldest record that the group has not read; None where it has read all."""


class OldestUnread:
    """One cluster's groups as they were last read; empty until then."""

    def __init__(self) -> None:
        self.groups: Mapping[str, UnreadGroup] = {}
        """By name; replaced or changed by whoever reads groups, between two steps of the loop."""
        self.known = asyncio.Event()
        """Set when they were read for the first time."""

    def record(self, groups: Mapping[str, UnreadGroup]) -> None:
        """Record the groups that were read."""
        self.groups = groups
        self.known.set()
