"""The series of one dead-letter queue, the same for topics and for folders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from keywatch.engine.probe import Sample
from keywatch.metrics import dead_letters
from keywatch.probes.dead_letters.letter import DeadLetterReason


class QueueState(NamedTuple):
    """What is known of the queue; moments in Unix time. `trouble` says why it is not up, None when it is."""

    trouble: str | None
    records: int | None
    oldest: float | None
    newest: float | None
    unreadable: Mapping[str, int]
    example: str = ""
    warning: str | None = None


class DeadLetterSeries:
    """Makes samples; remembers for which reasons something was unreadable, so that each is told on both edges."""

    def __init__(self, cluster: str, dlq: str) -> None:
        self._labels = (cluster, dlq)
        self._reasons: set[str] = set()

    def samples(self, state: QueueState, added: Mapping[DeadLetterReason, int]) -> list[Sample]:
        """Tell the state, and what was `added` since the last time; every counter exists from the first time on."""
        labels = self._labels
        samples = [Sample(dead_letters.DLQ_UP, labels, float(state.trouble is None), state.trouble)]
        if state.records is not None:
            samples.append(Sample(dead_letters.DLQ_RECORDS, labels, float(state.records), state.warning))
        if state.oldest is not None:
            samples.append(Sample(dead_letters.DLQ_OLDEST_TIMESTAMP_SECONDS, labels, state.oldest))
        if state.newest is not None:
            samples.append(Sample(dead_letters.DLQ_NEWEST_TIMESTAMP_SECONDS, labels, state.newest))
        samples += self._unreadable(state)
        samples.extend(
            Sample(dead_letters.DLQ_ADDED_TOTAL, (*labels, reason), float(added.get(reason, 0)))
            for reason in DeadLetterReason
        )
        return samples

    def _unreadable(self, state: QueueState) -> list[Sample]:
        found = {reason: count for reason, count in state.unreadable.items() if count}
        self._reasons |= found.keys()
        note = None
        if found:
            most = max(found, key=lambda reason: found[reason])
            note = f"cannot be read, {most}: {sum(found.values())}{state.example and f', such as {state.example}'}"
        samples = [Sample(dead_letters.DLQ_UNREADABLE, self._labels, float(sum(found.values())), note)]
        samples.extend(
            Sample(dead_letters.DLQ_UNREADABLE_REASON, (*self._labels, reason), float(found.get(reason, 0)))
            for reason in sorted(self._reasons)
        )
        return samples
