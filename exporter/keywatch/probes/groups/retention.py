"""How long until records are deleted that a group has not read: their age against what their topic keeps."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection

from keywatch.engine.deadline import Deadline
from keywatch.engine.probe import Sample, Schedule
from keywatch.engine.slices import Pieces, in_slices
from keywatch.kafka.topology import Topology
from keywatch.metrics import retention as cat
from keywatch.metrics.trouble import duration
from keywatch.probes.groups.unread import OldestUnread

_GROUPS_PER_PIECE = 50
_DAY = 86_400.0
# A record may be so old, of a topic that keeps it for a short time, before anybody is called.
_UNTOUCHED = 0.9
# Of the time, for what other probes find out.
_SHARE = 0.8


class RetentionProbe:
    """All groups of one cluster, on the topics that delete by age. Asks nobody: other probes read what it needs.

    Kafka deletes a segment when its newest record is older than `retention.ms`, and looks for such ones every
    `log.retention.check.interval.ms`: what is told is the earliest moment, and a segment's span later the latest.
    """

    name = "retention"
    target = ""

    def __init__(
        self,
        cluster: str,
        topology: Topology,
        unread: OldestUnread,
        schedule: Schedule,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.cluster = cluster
        self.schedule = schedule
        self._topology = topology
        self._unread = unread
        self._clock = clock

    async def run(self, timeout: float) -> Collection[Sample]:
        """Reckon what is left for each group and topic; raises `ProbeError` while nothing is known of the cluster."""
        deadline = Deadline(timeout * _SHARE)
        await self._topology.partitions(deadline.left)
        # At the start both are under way, and whoever looks once only wants to know what they find.
        both = (self._unread.known.wait(), self._topology.settings_known.wait())
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(deadline.left):
                await asyncio.gather(*both)
        return await in_slices(self._tell(self._clock()))

    async def close(self) -> None:
        """Do nothing: there is nothing to close."""

    def _tell(self, now: float) -> Pieces[list[Sample]]:
        samples: list[Sample] = []
        for count, (name, group) in enumerate(list(self._unread.groups.items()), 1):
            if count % _GROUPS_PER_PIECE == 0:
                yield
            limit = group.retention_limit
            for topic, since in group.oldest_unread().items():
                kept = self._topology.retention.get(topic)
                if kept is None:
                    continue
                left = kept if since is None else max(kept - max(now - since, 0.0), 0.0)
                near = limit is not None and left < min(limit, _UNTOUCHED * kept)
                soon = group.matters and left < min(_DAY, kept / 2)
                words = None
                if since is not None and (near or soon):
                    words = f"its oldest unread record may be deleted in {duration(left)}, kept for {duration(kept)}"
                labels = (self.cluster, name, topic)
                samples.append(Sample(cat.GROUP_RETENTION_LEFT_SECONDS, labels, left, words))
        return samples
