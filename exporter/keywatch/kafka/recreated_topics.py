"""Which topics were deleted, or deleted and made again under their old name? What was known of them means nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from keywatch.kafka.topology import Topology


class RecreatedTopics:
    """Told by topics' ids, because offsets do not tell: a new topic may have grown beyond the old one's end."""

    def __init__(self, topology: Topology) -> None:
        self._topology = topology
        self._ids: Mapping[str, bytes] = {}

    def since_last_call(self) -> Collection[str]:
        """Name the topics that are gone or are others since the last call; none where Kafka (before 2.8) has no ids."""
        before, now = self._ids, self._topology.ids
        if now is before:
            return ()
        self._ids = now
        return [topic for topic, known in before.items() if now.get(topic) != known]
