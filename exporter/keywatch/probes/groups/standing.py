"""How long the oldest record that a group has not read of a topic has been the same one: whether the group is stuck."""

from __future__ import annotations

from collections.abc import Mapping

# As the alert KafkaGroupStuck: its slope over five minutes.
_STUCK_AFTER = 300.0
# The moments of records are reckoned, and two reckonings of one record differ by less than this.
_SAME_WITHIN = 1.0


class Standing:
    """Since when each topic of one group stands still; times in Unix seconds."""

    def __init__(self) -> None:
        self._standing: dict[str, tuple[float, float]] = {}

    def record(self, oldest: Mapping[str, float], now: float) -> None:
        """Take when the oldest record was written that is not read, by topic; who is not named has read all."""
        known = self._standing
        self._standing = {
            topic: known[topic] if topic in known and abs(known[topic][0] - moment) < _SAME_WITHIN else (moment, now)
            for topic, moment in oldest.items()
        }

    def words(self, topic: str, now: float) -> str | None:
        """Say that the group is stuck in a topic, or None."""
        since = self._standing[topic][1] if topic in self._standing else now
        if now - since < _STUCK_AFTER:
            return None
        return f"stuck: records wait and nothing was committed for {(now - since) / 60:.0f} minutes"
