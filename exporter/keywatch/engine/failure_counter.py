"""Counts single attempts that failed, by reason; the commonest reasons exist from the first run."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from keywatch.engine.probe import Reason, Sample
from keywatch.metrics.metric import Metric

# So that a rate over them sees the first failure.
_COMMON: Final = (Reason.REFUSED, Reason.RESET, Reason.TIMEOUT_CONNECT, Reason.TIMEOUT_RESPONSE)


class FailureCounter:
    """The increments of one counter with the label `reason`."""

    def __init__(self, metric: Metric, labels: tuple[str, ...]) -> None:
        self._metric = metric
        self._labels = labels
        self._first = True

    def samples(self, failures: Iterable[Reason]) -> list[Sample]:
        """Return an increment for each failure, and zeros for the common reasons on the first call."""
        samples = [Sample(self._metric, (*self._labels, reason), 1.0) for reason in failures]
        if self._first:
            samples += [Sample(self._metric, (*self._labels, reason), 0.0) for reason in _COMMON]
            self._first = False
        return samples
